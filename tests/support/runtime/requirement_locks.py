"""The locks of the requirements, as far as they apply to this machine."""

from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent.parent


def read_locked_versions(name: str) -> dict[str, str]:
    """Return the version of each distribution that a lock states for this machine."""
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    stated = [Requirement(line.rstrip("\\")) for line in lines if line[:1].isalnum()]
    return {
        one.name: str(one.specifier).removeprefix("==")
        for one in stated
        if one.marker is None or one.marker.evaluate()
    }
