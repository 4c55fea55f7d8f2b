"""What a policy's assets must be beyond their shape: addresses, and collections to make again.

As `shared.policy_rules`: over plain values, passing over what has the wrong shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.marked_yaml import Finding, Path, list_in, mapping_in


def findings(policy: Any) -> Iterator[Finding]:
    """Every breach of a rule in the assets of one policy file's value."""
    assets, collections = mapping_in(policy, "assets"), mapping_in(policy, "collections")
    names: set[str] = set()
    for index, asset in enumerate(list_in(assets, "static")):
        path: Path = ("assets", "static", index)
        name = asset.get("name") if isinstance(asset, dict) else None
        if isinstance(name, str) and name in names:
            yield (*path, "name"), f"name {name!r} is taken by an earlier entry"
        names.add(str(name))
        yield from _origins(path, asset)
    for index, name in enumerate(list_in(assets, "regenerated")):
        if isinstance(name, str) and not list_in(collections.get(name), "derived"):
            path = ("assets", "regenerated", index)
            yield path, f"nothing says how {name!r} is made again: no collection with `derived`"


def _origins(path: Path, asset: Any) -> Iterator[Finding]:
    """Two of them, asked as a probe asks."""
    urls = {key: asset.get(key) for key in ("first", "fallback")} if isinstance(asset, dict) else {}
    for key, url in urls.items():
        if isinstance(url, str) and url.startswith("http://"):
            yield (*path, key), "an origin is asked by https"
    if urls and urls["first"] is not None and urls["first"] == urls["fallback"]:
        yield (*path, "fallback"), "the fallback is the first origin itself"
