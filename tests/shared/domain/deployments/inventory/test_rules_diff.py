import pytest

from shared.domain.deployments.inventory.inventory_parts import RulesFile
from shared.domain.deployments.inventory.rules_diff import MAX_DIFF_LINES, difference, touched_paths

RULES = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function mine(id) { return request.auth.uid == id; } // {
    match /orders/{id} {
      allow read: if mine(id);
      match /lines/{line} { allow read; }
    }
    match /{path=**} {
      allow read: if '}' == "{";
    }
  }
}
"""


@pytest.mark.parametrize(
    ("line", "other", "paths"),
    [
        ("allow read: if mine(id);", "allow read;", ["/orders/{id}"]),
        ("{ allow read; }", "{ allow write; }", ["/orders/{id}/lines/{line}"]),
        ("""if '}' == "{";""", "if true;", ["/{path=**}"]),
        ("request.auth.uid == id", "true", ["/"]),
        ("// {", "// nothing", []),
        ("version = '2'", "version = '1'", ["/"]),
        ("match /orders/{id}", "match /carts/{id}", ["/carts/{id}", "/orders/{id}"]),
        ("    match /{path=**} {\n", "\n    match /{path=**} {\n", []),
    ],
)
def test_a_line_that_differs(line: str, other: str, paths: list[str]) -> None:
    """It touches the match that it stands in; outside of every match, everything."""
    assert line in RULES
    now = (RulesFile("rules", RULES),)
    then = (RulesFile("rules", RULES.replace(line, other)),)

    found = touched_paths(now, then)

    assert [path for path in found if path in paths] == paths
    assert set(found) <= {*paths, "/orders/{id}/lines/{line}", "/carts/{id}/lines/{line}", "/"}


def test_the_same_rules() -> None:
    """They touch nothing and show nothing."""
    same = (RulesFile("rules", RULES),)

    assert touched_paths(same, same) == difference(same, same) == []


def test_rules_that_are_all_different() -> None:
    """So much is shown, and how much is not."""
    now = (RulesFile("rules", "\n".join(f"a{number}" for number in range(100))),)

    shown = difference(now, ())

    assert len(shown) == MAX_DIFF_LINES + 1
    assert shown[-1].endswith("lines more")
