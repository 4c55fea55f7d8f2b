"""What was removed from policy files: an old file is accepted, with a warning of what to write."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from shared.policy_files.yaml_document import Finding, YamlPath

ANY_KEY: Final = "*"
"""In the path of a removed key: whatever key stands there."""


class RemovedKey(Struct, frozen=True):
    """A key that has no effect any more, or a value that it takes no more."""

    instead: str
    """What holds now, and what to write."""
    value: str = ""
    """The value that was removed; empty: the key was, whatever it says."""


REMOVED_KEYS: Final[Mapping[tuple[str, ...], RemovedKey]] = {
    ("deployments", "starts"): RemovedKey("no revision is started to test it; delete this key"),
    ("collections", ANY_KEY, "on_repair"): RemovedKey(
        "a repair is refused when its writes would start something; write refuse, or fire to let "
        "them start it",
        value="suppress",
    ),
}
"""By path. Whoever removes a key or a value adds a row."""


def strip_removed_keys(policy: Any) -> Iterator[Finding]:
    """Take out of a policy file's value what was removed; where that stood, and what to write."""
    for path, removed in REMOVED_KEYS.items():
        *around, key = path
        for where, holder in _holders(policy, (), around):
            if key not in holder or removed.value not in ("", holder[key]):
                continue
            del holder[key]
            said = f": {removed.value}" if removed.value else ""
            name = ".".join(map(str, (*where, key)))
            yield (*where, key), f"warning: {name}{said} was removed: {removed.instead}"


def _holders(value: Any, where: YamlPath, around: list[str]) -> Iterator[tuple[YamlPath, dict[str, Any]]]:
    if not isinstance(value, dict):
        return
    if not around:
        yield where, value
        return
    for key in list(value) if around[0] == ANY_KEY else around[:1]:
        yield from _holders(value.get(key), (*where, key), around[1:])
