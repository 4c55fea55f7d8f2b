"""The picture of the demo in README is of this demo."""

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from local.demo.acts.headings import Heading
from shared.domain.decision.gates.registry import GATES
from shared.policy_files import loader
from tests.support.runtime.world import POLICIES

ROOT = Path(__file__).parent.parent.parent
PICTURE = ROOT / "docs" / "demo.svg"
HINT = "make demo PICTURE=docs/demo.svg"
"""What makes it anew."""


def lines() -> list[str]:
    """Return the lines of the picture, from top to bottom."""
    shown: dict[float, str] = defaultdict(str)
    for text in ElementTree.parse(PICTURE).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314
        shown[float(text.get("y", 0))] += (text.text or "").replace("\xa0", " ") + " "
    return [shown[y].strip() for y in sorted(shown)]


def test_the_picture_shows_each_act_of_the_demo() -> None:
    """In their order, to the verdict."""
    headings = [one for line in lines() for one in Heading if line.startswith(one)]

    assert headings == [*Heading], HINT


def test_the_picture_shows_the_system_and_each_gate() -> None:
    """As the policy and the gates are now."""
    policy = loader.load_policy(POLICIES / "cvplus.yaml")
    text = "\n".join(lines())
    decided = text.partition(f"\n{Heading.DECIDED}\n")[2].partition(f"\n{Heading.GOING_BACK}\n")[0]
    rows = re.findall(r"^(\w[\w -]*?) +(?:pass|not applicable)\b", decided, re.MULTILINE)

    assert f"{len(policy.functions)} functions in {len(policy.groups)} groups" in text, HINT
    assert rows == [*GATES], HINT
    assert re.search(r"^(?:[\d:]+ )? *a second source confirms the alert: .*probe", decided, re.MULTILINE), (
        HINT
    )


def test_the_picture_fetches_nothing() -> None:
    """It is small, and a browser needs nothing else to show it."""
    assert PICTURE.stat().st_size < 150_000
    assert "url(http" not in PICTURE.read_text().replace('"', "")
