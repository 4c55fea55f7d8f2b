"""A legal hold of an export: its files stay, wherever they lie, until it is released."""

from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.support.exit_codes import INVALID_USAGE
from shared.core.errors import Unavailable
from tests.support.data.exports import (
    HERE,
    MINUTE,
    NAME,
    THERE,
    backup_event_names,
    build_system_with_exports,
    only_backup,
)
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import pass_time, read_dead_letters
from tests.support.runtime.world import World


def kept() -> World:
    """A bookshop with a whole export in both places."""
    shop = build_system_with_exports()
    shop.platform.deploy()
    pass_time(shop, 6 * MINUTE)
    return shop


def say(shop: World, verb: str, **changes: Any) -> None:
    shop.command(command=verb, **{"system": "bookshop", "backup": NAME, "actor": "counsel", **changes})
    shop.settle()


def held(shop: World) -> set[tuple[str, str]]:
    return shop.ports.mirrors.held


def files(shop: World) -> set[tuple[str, str]]:
    return {(bucket, name) for bucket in (HERE, THERE) for name in shop.ports.mirrors.buckets[bucket]}


def test_a_held_export_stays_and_a_released_one_goes_in_its_time() -> None:
    """Each file in each place, what was live included; the entry of the catalogue, too."""
    shop = kept()
    before = only_backup(shop)
    assert before.configuration == f"{before.folder}.json"

    say(shop, "hold")

    assert held(shop) == files(shop)
    assert (THERE, before.configuration) in held(shop)
    assert (only_backup(shop).held_by, only_backup(shop).expires_at) == ("counsel", None)
    assert backup_event_names(shop)[-1] == "held"

    say(shop, "release")

    assert held(shop) == set()
    assert (only_backup(shop).held_by, only_backup(shop).expires_at) == ("", before.expires_at)
    assert backup_event_names(shop)[-1] == "released"
    assert not read_dead_letters(shop)
    assert shop.find_violated_invariants() == []


@pytest.mark.parametrize(
    ("verb", "changes", "reason"),
    [
        ("release", {}, "is not held"),
        ("hold", {"backup": NAME[:-2]}, f"did you mean {NAME}?"),
        ("hold", {"incident": "INC-20260302-001"}, "not named beside a backup"),
        ("hold", {"backup": "projects/p/locations/l/backups/b"}, "cannot be held"),
        ("hold", {"backup": ""}, "cannot be held"),
    ],
)
def test_what_cannot_be_held(verb: str, changes: dict[str, Any], reason: str) -> None:
    """It is refused, and nothing is changed."""
    shop = kept()

    say(shop, verb, **changes)

    [letter] = read_dead_letters(shop)
    assert reason in letter["reason"]
    assert held(shop) == set()


def test_what_is_not_whole_cannot_be_held() -> None:
    """There is nothing to be kept yet."""
    shop = build_system_with_exports()
    pass_time(shop, MINUTE / 2)

    say(shop, "hold")

    [letter] = read_dead_letters(shop)
    assert "only a complete backup can be held" in letter["reason"]


def test_a_hold_goes_on_where_a_service_gave_no_answer() -> None:
    """It is due again until every file is held."""
    shop = kept()
    answers = iter((None, None, Unavailable("no")))

    def fail_third(verb: str, side: str) -> None:
        if (verb, side) == ("mirrors.hold", "before") and (failure := next(answers, None)):
            raise failure

    shop.ports.mirrors.hook = fail_third
    say(shop, "hold")
    assert len(held(shop)) < len(files(shop))

    pass_time(shop, 3 * MINUTE)

    assert held(shop) == files(shop)
    assert backup_event_names(shop)[-1] == "held"


def test_a_hold_that_never_lands_is_told() -> None:
    """After an hour, to whoever hears of HIGH."""
    shop = kept()
    shop.ports.mirrors.hook = raise_error("mirrors.hold", Unavailable("no"))
    say(shop, "hold")
    shop.advance_clock(timedelta(hours=1))
    pass_time(shop, 2 * MINUTE)

    assert backup_event_names(shop)[-1] == "not-held"
    texts = [one.notice["text"] for one in shop.sent_notices]
    assert any(f"0 of 10 files of {NAME} are held: no" in one for one in texts)


def test_a_line_at_the_prompt_names_one_of_both() -> None:
    """An incident, or an export."""
    done = CliRunner().invoke(app, ["hold", "--reason", "case 12"])

    assert done.exit_code == INVALID_USAGE
    assert "name an incident, or an export" in done.output
