"""Policy files: read whole, checked whole, typed.

A file is YAML. `policies/policy.schema.json` (which editors read too) says its shape,
`shared.policy_files.registry` what must agree inside it, and the parser's marks on which line a
fault stands. Every fault of every file is listed before anything is refused.
"""

import hashlib
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from enum import IntEnum
from functools import cache
from operator import attrgetter
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from shared.core.codec import from_builtins, from_json, type_info
from shared.core.durations import parse_duration
from shared.core.errors import BadConfiguration
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.system_policy import Policies, Policy, service_of
from shared.policy_files import cross_checks, registry, schema
from shared.policy_files.yaml_document import Unreadable, YamlDocument, YamlFault, YamlPath

MAX_POLICY_BYTES = 1 << 20
PUBLISHED_OBJECT = "policies.json"
MAX_FAULT_CHARACTERS = 500
SHARE_ROUNDING_TOLERANCE = 1e-9


def load_policy(path: FilePath | str) -> Policy:
    """Return the policy in one file. Raises: BadConfiguration, with every `file:line: message`."""
    return _decode_policy(_read(FilePath(path)))


def parse_policy(text: str, name: str) -> Policy:
    """Return the policy in a text, called `name` in faults. Raises: BadConfiguration."""
    return _decode_policy(_Source(name, text.encode(errors="surrogatepass")))


def load_policies(folder: FilePath | str) -> dict[str, Policy]:
    """Return a folder's policies (`*.yaml`, `*.yml`) by system. Raises: BadConfiguration."""
    files = sorted(file for file in FilePath(folder).glob("*") if file.suffix in (".yaml", ".yml"))
    if not files:
        raise BadConfiguration(f"{folder}: no policy file (*.yaml) is here")
    return load_policy_files(files)


def load_policy_files(
    files: Iterable[FilePath], in_force: Policies = MappingProxyType({})
) -> dict[str, Policy]:
    """Return the policies in these files by system; `in_force` are the policies that they join.

    Raises: BadConfiguration with every fault of every file, two files for one system, two claims
    to one alert policy or function, and shares of one write quota above all of it included.
    """
    faults = []
    sources = []
    for file in files:
        try:
            sources.append(_read(file))
            faults += sources[-1].find_faults()
        except BadConfiguration as error:
            faults += error.faults
    return _decode_policies(sources, faults, in_force)


def parse_published(content: bytes, provisioned: Policies) -> dict[str, Policy]:
    """Return the policies of the published object: JSON, the text of each policy file by its name.

    Raises: BadConfiguration; also where a system, project or region is not one of `provisioned`.
    """
    try:
        texts = from_json(content, dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{PUBLISHED_OBJECT}: {error}") from error
    sources = [_Source(name, text.encode()) for name, text in texts.items()]
    found = _decode_policies(sources, [fault for one in sources for fault in one.find_faults()], {})
    place = attrgetter("system", "project", "region")
    if {*map(place, found.values())} != {*map(place, provisioned.values())}:
        raise BadConfiguration(f"{PUBLISHED_OBJECT}: only an apply changes systems, projects and regions")
    return found


def find_differences(before: Policies, after: Policies) -> dict[str, list[str]]:
    """Return the lines of a unified diff of each policy file that differs, by system."""
    texts = [(name, before[name].text.splitlines(), one.text.splitlines()) for name, one in after.items()]
    diffs = ((name, [*unified_diff(old, new, n=1, lineterm="")]) for name, old, new in texts)
    return {name: lines[2:] for name, lines in diffs if lines}


def _decode_policies(sources: "list[_Source]", faults: list[str], in_force: Policies) -> dict[str, Policy]:
    if faults := [*faults, *_find_clashes(sources)]:
        raise BadConfiguration(*faults)
    typed = [(source, _decode_policy(source)) for source in sources]
    if faults := [*_find_shared_functions(typed, in_force), *_find_quota_overdrafts(typed)]:
        raise BadConfiguration(*faults)
    return {policy.system: _add_foreign_groups(policy, typed) for _, policy in typed}


def _add_foreign_groups(policy: Policy, policies: "Iterable[tuple[_Source, Policy]]") -> Policy:
    place = attrgetter("project", "region")
    others = (other for _, other in policies if other is not policy and place(other) == place(policy))
    return replace(policy, foreign=tuple(group for other in others for group in other.groups.values()))


class _Source:
    def __init__(self, name: str, content: bytes) -> None:
        if len(content) > MAX_POLICY_BYTES:
            raise BadConfiguration(f"{name}:1: larger than {MAX_POLICY_BYTES} bytes")
        self.name = name
        self.fingerprint = hashlib.sha256(content).hexdigest()
        try:
            self.text = content.decode()
            self.document = YamlDocument(self.text)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise BadConfiguration(f"{name}:{line}: not UTF-8") from error
        except Unreadable as error:
            raise BadConfiguration(self.format_fault(error.fault)) from error

    def format_fault(self, fault: YamlFault) -> str:
        return f"{self.name}:{fault.line}: {fault.message[:MAX_FAULT_CHARACTERS]}"

    def format_message(self, path: YamlPath, message: str) -> str:
        return self.format_fault(YamlFault(self.document.line(path), message))

    def find_faults(self) -> list[str]:
        """Every fault of the file by itself, in the order of its lines."""
        document = self.document
        found = [*document.faults]
        for look in (schema.validate_schema, registry.findings):
            found += [YamlFault(document.line(path), what) for path, what in look(document.value)]
        return [self.format_fault(fault) for fault in sorted(found)]


def _read(file: FilePath) -> _Source:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise BadConfiguration(f"{file}: cannot be read: {error.strerror}") from error
    return _Source(str(file), content)


def _decode_policy(source: _Source) -> Policy:
    if faults := source.find_faults():
        raise BadConfiguration(*faults)
    values = _convert_values(source.document.value, _policy_type())
    return from_builtins({**values, "text": source.text, "fingerprint": source.fingerprint}, Policy)


@cache
def _policy_type() -> inspect.Type:
    """What msgspec knows of a policy's type: that takes longer than to read a file of it."""
    return type_info(Policy)


def _convert_values(written: Any, wanted: inspect.Type) -> Any:
    """What is written, with durations, modes and roles made values; the schema saw their form."""
    match wanted:
        case inspect.TimeDeltaType():
            return parse_duration(written)
        case inspect.EnumType(cls=cls) if issubclass(cls, IntEnum):
            return cls[written.upper()]
        case inspect.UnionType(types=types) if written is not None:
            return _convert_values(written, types[0])
        case inspect.StructType(fields=fields):
            types_of = {field.name: field.type for field in fields}
            return {key: _convert_values(value, types_of[key]) for key, value in written.items()}
        case inspect.DictType(value_type=value_type):
            return {key: _convert_values(value, value_type) for key, value in written.items()}
        case inspect.VarTupleType(item_type=item_type):
            return tuple(_convert_values(value, item_type) for value in written)
    return written


def _find_clashes(sources: list[_Source]) -> Iterator[str]:
    systems: dict[str, _Source] = {}
    claims: dict[str, _Source] = {}
    for source in sources:
        value = source.document.value
        system = value.get("system") if isinstance(value, dict) else None
        if isinstance(system, str):
            other = systems.setdefault(system, source)
            if other is not source:
                yield source.format_message(("system",), f"system {system!r} has a policy: {other.name}")
        for path, alert_policy in cross_checks.claimed_alert_policies(value):
            other = claims.setdefault(alert_policy, source)
            if other is not source:
                yield source.format_message(path, f"alert policy {alert_policy} is claimed by {other.name}")


def _find_shared_functions(new: list[tuple[_Source, Policy]], in_force: Policies) -> Iterator[str]:
    systems = {policy.system for _, policy in new}
    others = [(None, one) for name, one in in_force.items() if name not in systems]
    owners: dict[tuple[str, str, str], str] = {}
    for source, policy in [*others, *new]:
        for function, group in policy.functions.items():
            other = owners.setdefault((policy.project, policy.region, service_of(function)), policy.system)
            if source is not None and other != policy.system:
                path = ("groups", group, "functions")
                yield source.format_message(path, f"function {function!r} belongs to system {other} already")


def _find_quota_overdrafts(policies: Iterable[tuple[_Source, Policy]]) -> Iterator[str]:
    pools: dict[tuple[str, str], list[tuple[_Source, WriteQuota]]] = {}
    for source, policy in policies:
        quota = policy.execution.write_quota
        others = pools.setdefault((policy.project, policy.region), [])
        path = ("execution", "write_quota")
        for other, its_quota in others:
            if (quota.burst, quota.per_second) != (its_quota.burst, its_quota.per_second):
                yield source.format_message(path, f"{other.name} declares the same write quota otherwise")
        others.append((source, quota))
        shares = sum(one.share for _, one in others)
        if shares > 1 + SHARE_ROUNDING_TOLERANCE:
            names = ", ".join(other.name for other, _ in others[:-1])
            what = f"the shares of one write quota add up to {shares:.4g}, with {names}"
            yield source.format_message((*path, "share"), f"{what}: more than 1")
