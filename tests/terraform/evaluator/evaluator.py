"""A plan without Terraform, provider or cloud: what each resource would be set to.

    configuration = evaluated(ROOT / "terraform/examples/minimal")

Evaluates variables with their types and validations, locals, for_each and count, dynamic blocks,
templates, functions, local modules. What the provider makes of a resource's own arguments is known
for the few attributes in `values.COMPUTED`; whatever else only the cloud knows is `Unknown`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.terraform.evaluator.blocks import Block, blocks_in
from tests.terraform.evaluator.expressions import converted, evaluate
from tests.terraform.evaluator.values import (
    COMPUTED,
    COMPUTED_IN_BLOCKS,
    TerraformSet,
    Unevaluable,
    Unknown,
    entries,
)

META = frozenset({"count", "depends_on", "for_each", "provider"})


@dataclass
class Resource:
    """One instance, evaluated. A block is a list of what stands in it, as in a plan."""

    type: str
    name: str
    key: Any
    values: dict[str, Any]
    ignored: tuple[str, ...] = ()
    """What a change of is left alone (lifecycle.ignore_changes)."""
    depends_on: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """As Terraform names it."""
        key = "" if self.key is None else f'["{self.key}"]'
        return f"{self.type}.{self.name}{key}"


@dataclass
class Configuration:
    """Everything that a root module would make."""

    resources: list[Resource] = field(default_factory=list)
    data: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """What the check blocks say; they stop nothing."""

    def of(self, *types: str, name: str = "") -> list[Resource]:
        """The resources of these types, and of that name if one is given."""
        return [one for one in self.resources if one.type in types and one.name == (name or one.name)]

    def named(self, address: str) -> Resource:
        """The one with that address. Raises: KeyError."""
        for one in [*self.resources, *self.data]:
            if one.address == address:
                return one
        raise KeyError(address)


def evaluated(folder: Path, variables: Mapping[str, Any] | None = None) -> Configuration:
    """What the root module in a folder would make. Raises: Unevaluable."""
    configuration = Configuration()
    module = _Module(folder, variables or {}, configuration)
    configuration.outputs = module.run()
    return configuration


class _Lazy(Mapping[str, Any]):
    """Names whose values are looked for when they are asked for, once."""

    def __init__(self, names: Any, look: Any) -> None:
        self._names, self._look = [*names], look
        self._found: dict[str, Any] = {}
        self._looking: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._found:
            if name in self._looking:
                raise Unevaluable(f"{name} needs itself")
            self._looking.add(name)
            try:
                self._found[name] = self._look(name)
            finally:
                self._looking.discard(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Instance(Mapping[str, Any]):
    """A resource as others see it: what was set, what the provider makes of it, else Unknown."""

    def __init__(self, resource: Resource, kind: str) -> None:
        self._resource, self._kind = resource, kind

    def __getitem__(self, name: str) -> Any:
        values = self._resource.values
        if name in values:
            added = COMPUTED_IN_BLOCKS.get((self._kind, name), {})
            more = {key: made.format_map(values) for key, made in added.items()}
            return [{**block, **more} for block in values[name]] if more else values[name]
        made = COMPUTED.get((self._kind, name))
        if isinstance(made, str):
            return made.format_map(values)
        if callable(made):
            return made(values)
        return Unknown(f"{self._resource.address}.{name}") if made is None else made

    def __iter__(self) -> Iterator[str]:
        return iter(self._resource.values)

    def __len__(self) -> int:
        return len(self._resource.values)


class _Module:
    def __init__(self, folder: Path, given: Mapping[str, Any], into: Configuration) -> None:
        self._folder, self._given, self._into = folder, given, into
        blocks = blocks_in(folder)
        self._variables = {one.labels[0]: one for one in blocks if one.kind == "variable"}
        self._outputs = {one.labels[0]: one for one in blocks if one.kind == "output"}
        self._calls = {one.labels[0]: one for one in blocks if one.kind == "module"}
        self._checks = [one for one in blocks if one.kind == "check"]
        self._locals = {
            name: value for one in blocks if one.kind == "locals" for name, value in one.attributes.items()
        }
        self._written: dict[str, dict[str, Block]] = {"resource": {}, "data": {}}
        for one in blocks:
            if one.kind in self._written:
                self._written[one.kind][".".join(one.labels)] = one
        self._scope = self._names()

    def _names(self) -> dict[str, Any]:
        scope: dict[str, Any] = {
            "var": _Lazy(self._variables, self._variable),
            "local": _Lazy(self._locals, lambda name: evaluate(self._locals[name], self._scope)),
            "module": _Lazy(self._calls, self._call),
            "path": {"module": str(self._folder), "root": str(self._folder)},
            "data": self._types("data"),
        }
        return {**scope, **self._types("resource")}

    def _types(self, kind: str) -> dict[str, Any]:
        found: dict[str, list[str]] = {}
        for address in self._written[kind]:
            type_, name = address.split(".")
            found.setdefault(type_, []).append(name)
        return {
            type_: _Lazy(names, lambda name, type_=type_: self._instances(kind, f"{type_}.{name}"))
            for type_, names in found.items()
        }

    def run(self) -> dict[str, Any]:
        """Its outputs, once everything in it is evaluated."""
        [*self._scope["var"].values()]  # each is validated, used or not
        for kind, written in self._written.items():
            for address in written:
                type_, name = address.split(".")
                (self._scope["data"] if kind == "data" else self._scope)[type_][name]
        for check in self._checks:
            self._into.warnings += self._broken(check.inner("assert"), {})
        return {name: evaluate(one.attributes["value"], self._scope) for name, one in self._outputs.items()}

    def _variable(self, name: str) -> Any:
        """Its value, converted and valid. Raises: Unevaluable."""
        block = self._variables[name]
        if name in self._given:
            value = self._given[name]
        elif "default" in block.attributes:
            value = evaluate(block.attributes["default"], {})
        else:
            raise Unevaluable(f"variable {name} has no value")
        value = converted(value, block.attributes["type"])
        others = _Lazy(self._variables, lambda one: value if one == name else self._scope["var"][one])
        self._assert(block.inner("validation"), {"var": others})
        return value

    def _assert(self, conditions: list[Block], scope: dict[str, Any]) -> None:
        """Return when all of them hold. Raises: Unevaluable."""
        if broken := self._broken(conditions, scope):
            raise Unevaluable(*broken)

    def _broken(self, conditions: list[Block], scope: dict[str, Any]) -> list[str]:
        """What those that do not hold say."""
        names = {**self._scope, **scope}
        return [
            str(evaluate(one.attributes["error_message"], names))
            for one in conditions
            if evaluate(one.attributes["condition"], names) is not True
        ]

    def _call(self, name: str) -> dict[str, Any]:
        block = self._calls[name]
        given = {
            key: evaluate(value, self._scope)
            for key, value in block.attributes.items()
            if key not in (*META, "providers", "source", "version")
        }
        folder = (self._folder / evaluate(block.attributes["source"], {})).resolve()
        module = _Module(folder, given, self._into)
        if strange := set(given) - set(module._variables):
            raise Unevaluable(f"module {name} has no variable {', '.join(sorted(strange))}")
        return module.run()

    def _instances(self, kind: str, address: str) -> Any:
        """What its name stands for: an instance, or a map or list of them."""
        block = self._written[kind][address]
        made = {
            key: self._made(kind, block, key, {**self._scope, **names}) for key, names in self._keys(block)
        }
        seen = {
            key: _Instance(one, f"data.{one.type}" if kind == "data" else one.type)
            for key, one in made.items()
        }
        (self._into.data if kind == "data" else self._into.resources).extend(made.values())
        if "for_each" in block.attributes:
            return seen
        return [*seen.values()] if "count" in block.attributes else seen[None]

    def _keys(self, block: Block) -> Iterator[tuple[Any, dict[str, Any]]]:
        if "for_each" in block.attributes:
            over = evaluate(block.attributes["for_each"], self._scope)
            if isinstance(over, list) and over and not isinstance(over, TerraformSet):
                raise Unevaluable(f"{'.'.join(block.labels)}: for_each over a list")
            for key, value in entries(over):
                yield key, {"each": {"key": key, "value": value}}
        elif "count" in block.attributes:
            for number in range(evaluate(block.attributes["count"], self._scope)):
                yield number, {"count": {"index": number}}
        else:
            yield None, {}

    def _made(self, kind: str, block: Block, key: Any, scope: dict[str, Any]) -> Resource:
        type_, name = block.labels
        lifecycle = block.inner("lifecycle")
        for one in lifecycle:
            self._assert(one.inner("precondition"), scope)
        return Resource(
            type_,
            name,
            key,
            self._body(block, scope),
            tuple(
                ignored
                for one in lifecycle
                if "ignore_changes" in one.attributes
                for ignored in names_in(one.attributes["ignore_changes"])
            ),
            tuple(names_in(block.attributes["depends_on"])) if "depends_on" in block.attributes else (),
        )

    def _body(self, block: Block, scope: dict[str, Any]) -> dict[str, Any]:
        """What is set in it, without nulls."""
        values: dict[str, Any] = {}
        for name, expression in block.attributes.items():
            if name not in META:
                values[name] = evaluate(expression, scope)
        for one in block.blocks:
            if one.kind == "dynamic":
                values.setdefault(one.labels[0], []).extend(self._dynamic(one, scope))
            elif one.kind != "lifecycle":
                values.setdefault(one.kind, []).append(self._body(one, scope))
        return {name: value for name, value in values.items() if value is not None}

    def _dynamic(self, block: Block, scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
        named = evaluate(block.attributes["iterator"], {}) if "iterator" in block.attributes else ""
        (content,) = block.inner("content")
        for key, value in entries(evaluate(block.attributes["for_each"], scope)):
            names = {named or block.labels[0]: {"key": key, "value": value}}
            yield self._body(content, {**scope, **names})


def names_in(node: Any) -> list[str]:
    """The elements of a list of references, as written: `type.name`, `attribute`."""
    return [_reference(one) for one in node.expression.elements]


def _reference(node: Any) -> str:
    if hasattr(node, "children"):
        return "".join(_reference(one) for one in node.children if one is not None)
    return str(node.value).strip()
