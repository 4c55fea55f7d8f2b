"""Validate assets and collections beyond their shape, as `shared.policy_files.cross_checks`."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.data.integrity.validator import compile_schema
from shared.domain.policy.data_rules import Comparison
from shared.policy_files.cross_checks import names_once, unknown_names
from shared.policy_files.yaml_document import Finding, YamlPath, entries_in, list_in, mapping_in, texts_in


def validate_assets(policy: Any) -> Iterator[Finding]:
    """Every breach of a rule in the assets of one policy file's value."""
    assets, collections = mapping_in(policy, "assets"), mapping_in(policy, "collections")
    for path, what in names_once(assets, "static"):
        yield ("assets", *path), what
    for index, asset in entries_in(assets, "static"):
        yield from _validate_origins(("assets", "static", index), asset)
    for place, name in texts_in(assets, "regenerated"):
        if not list_in(collections.get(name), "derived"):
            what = f"nothing says how {name!r} is made again: no collection with `derived`"
            yield ("assets", *place), what


def _validate_origins(path: YamlPath, asset: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("first", "fallback"):
        url = asset.get(key)
        if isinstance(url, str) and url.startswith("http://"):
            yield (*path, key), "an origin is asked by https"
    if asset.get("first") is not None and asset.get("first") == asset.get("fallback"):
        yield (*path, "fallback"), "the fallback is the first origin itself"


_VALUELESS = (Comparison.PRESENT, Comparison.ABSENT)


def validate_collections(policy: Any) -> Iterator[Finding]:
    """Every breach of a rule in the collections of one policy file's value."""
    collections, groups = mapping_in(policy, "collections"), mapping_in(policy, "groups")
    for name, collection in collections.items():
        if not isinstance(collection, dict):
            continue
        path: YamlPath = ("collections", name)
        yield from _validate_schema((*path, "schema"), collection.get("schema"))
        for field, target in mapping_in(collection, "references").items():
            if target not in collections:
                yield (*path, "references", field), f"{target!r} is no collection here"
        yield from unknown_names(path, collection, "writers", groups, "group")
        for index, query in enumerate(list_in(collection, "faulty")):
            yield from _validate_terms((*path, "faulty", index, "where"), query)
    yield from _validate_fence(policy, groups)


def _validate_fence(policy: Any, groups: Mapping[str, Any]) -> Iterator[Finding]:
    """Its writers are groups, and its canary is a probe that exercises one of their functions."""
    fence = mapping_in(policy, "fence")
    yield from unknown_names(("fence",), fence, "writers", groups, "group")
    canary = fence.get("canary")
    if not isinstance(canary, str):
        return
    writers = [name for _, name in texts_in(fence, "writers")]
    stopped = [one for name in writers for one in list_in(mapping_in(groups, name), "functions")]
    found = [one.get("function") for _, one in entries_in(policy, "probes") if one.get("name") == canary]
    if not found:
        yield ("fence", "canary"), f"{canary!r} is no probe"
    elif found[0] not in stopped:
        yield ("fence", "canary"), f"{canary!r} asks none of the functions that are stopped"


def _validate_schema(path: YamlPath, schema: Any) -> Iterator[Finding]:
    if not isinstance(schema, dict):
        return
    try:
        compile_schema(schema)
    except ValueError as error:
        yield path, f"is no JSON Schema: {str(error).splitlines()[0]}"


def _validate_terms(path: YamlPath, query: Any) -> Iterator[Finding]:
    """A value where one is compared with, and nowhere else."""
    for index, term in enumerate(list_in(query, "where")):
        op = term.get("op") if isinstance(term, dict) else None
        if op in _VALUELESS and "value" in term:
            yield (*path, index, "value"), f"{op} takes no value"
        elif op in tuple(Comparison) and op not in _VALUELESS and "value" not in term:
            yield (*path, index), f"{op} needs a value"
        elif op == Comparison.ONE_OF and not isinstance(term["value"], list):
            yield (*path, index, "value"), "in needs a list"
