"""Copies that people ask for, where something is in the way."""

import pytest

from shared.core.errors import Ambiguous, Exists, Rejected, Unavailable
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.resources import BackupRules, CopyRules
from tests.support.data.database_copies import (
    DAY,
    DOCUMENTS,
    HOUR,
    MINUTE,
    add_whole_export,
    audit_event_names,
    build_shop_with_copies,
    notified_events,
    only_copy,
    read_documents,
    request_copy,
)
from tests.support.fakes.firestore.restores import ORIGINAL, TAKES
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.system_events import pass_time


def test_an_operation_that_fails_late() -> None:
    """It is told with its reason, and what was begun is deleted."""
    shop = build_shop_with_copies()
    shop.ports.filled.failures.append("no room")
    request_copy(shop)
    pass_time(shop, 15 * MINUTE)

    made = only_copy(shop)
    assert (made.status, made.is_over) == (FillStatus.FAILED, True)
    assert made.faults == ("the copy could not be made: no room",)
    assert shop.ports.filled.made == [ORIGINAL]
    assert "no room" in notified_events(shop)[0]
    assert audit_event_names(shop) == ["copy.failed", "copy.gone"]


@pytest.mark.parametrize("verb", ["restores.clone", "restores.create"])
def test_without_the_right_it_fails_at_once(verb: str) -> None:
    """Whoever waits for it reads which right is missing."""
    shop = build_shop_with_copies()
    point = add_whole_export(shop).id if verb == "restores.create" else "1h"
    shop.advance_clock(10 * DAY if verb == "restores.create" else MINUTE)
    shop.ports.filled.hook = raise_error(verb, Rejected("PERMISSION_DENIED: a right is missing"))
    request_copy(shop, point)
    pass_time(shop, 3 * MINUTE)

    assert only_copy(shop).status is FillStatus.FAILED
    assert "a right is missing" in notified_events(shop)[0]


def test_an_import_that_is_refused_is_given_up() -> None:
    """A new database may take minutes until it takes one, and not half an hour."""
    shop = build_shop_with_copies()
    point = add_whole_export(shop).id
    shop.advance_clock(10 * DAY)
    shop.ports.filled.hook = raise_error("restores.fill", Rejected("NOT_FOUND: not yet"))
    request_copy(shop, point)
    pass_time(shop, 10 * MINUTE)
    assert only_copy(shop).status is FillStatus.MAKING
    pass_time(shop, 30 * MINUTE)

    assert only_copy(shop).status is FillStatus.FAILED
    assert shop.ports.filled.made == [ORIGINAL]


@pytest.mark.parametrize("point", ["1h", "export"])
@pytest.mark.parametrize("is_late", [False, True], ids=["before", "as the request is sent"])
def test_a_name_that_somebody_has(point: str, *, is_late: bool) -> None:
    """Their database is neither filled nor deleted."""
    shop = build_shop_with_copies()
    said = add_whole_export(shop).id if point == "export" else point
    shop.advance_clock(6 * DAY + 22 * HOUR if point == "export" else MINUTE)
    request_copy(shop, said)
    made = only_copy(shop)

    def take_the_name() -> None:
        shop.ports.filled.create(made.id, "nam5")
        shop.ports.kept.write(made.id, {"theirs/1": {"n": 1}})

    def taking(verb: str, side: str) -> None:
        if verb in ("restores.clone", "restores.create") and side == "before":
            shop.ports.filled.hook = no_hook
            take_the_name()

    if is_late:
        shop.ports.filled.hook = taking
    else:
        take_the_name()
    pass_time(shop, 15 * MINUTE)

    assert only_copy(shop).status is FillStatus.FAILED
    assert "exists already" in only_copy(shop).faults[0]
    assert made.id in shop.ports.filled.made
    assert list(shop.ports.kept.paths(made.id, Scope("theirs"), None)) == ["theirs/1"]
    assert list(shop.ports.kept.paths(made.id, Scope("customers"), None)) == []


@pytest.mark.parametrize("verb", ["restores.clone", "restores.create", "restores.fill"])
def test_a_lost_answer_makes_no_second_one(verb: str) -> None:
    """A retry finds its own."""
    shop = build_shop_with_copies()
    lost: list[str] = []

    def lose(said: str, side: str) -> None:
        if (said, side) == (verb, "after") and not lost:
            lost.append(said)
            raise Ambiguous("the answer was lost")

    point = "1h"
    if verb != "restores.clone":
        point = add_whole_export(shop).id
        shop.advance_clock(10 * DAY)
    shop.ports.filled.hook = lose
    request_copy(shop, point)
    pass_time(shop, 20 * MINUTE)

    assert lost
    assert only_copy(shop).status is FillStatus.READY
    assert len(shop.ports.filled.ever) == 1
    assert read_documents(shop, only_copy(shop).id) == DOCUMENTS


def test_silence_is_waited_for() -> None:
    """What gives no answer is asked again each minute, and told at a glance."""
    shop = build_shop_with_copies()
    silent = True

    def hush(said: str, side: str) -> None:
        if silent and said in ("restores.look", "restores.find"):
            raise Unavailable("no answer")

    request_copy(shop)
    pass_time(shop, 2 * MINUTE)
    shop.ports.filled.hook = hush
    pass_time(shop, 10 * MINUTE)
    assert (only_copy(shop).status, only_copy(shop).waiting) == (FillStatus.MAKING, "no answer")
    silent = False
    pass_time(shop, 10 * MINUTE)

    assert only_copy(shop).status is FillStatus.READY


def test_one_that_takes_too_long_is_given_up() -> None:
    """It ends: by its time, told."""
    shop = build_shop_with_copies(BackupRules(copies=CopyRules(within=TAKES / 2)))
    request_copy(shop)
    pass_time(shop, 10 * MINUTE)

    assert only_copy(shop).status is FillStatus.FAILED
    assert "not finished in time" in notified_events(shop)[0]
    assert shop.ports.filled.made == [ORIGINAL]


def test_a_taken_name_may_be_our_own() -> None:
    """Of a request before, whose operation is not listed yet: it is not called somebody's."""
    shop = build_shop_with_copies()
    tried: list[str] = []

    def there(said: str, side: str) -> None:
        if (said, side) == ("restores.clone", "before"):
            tried.append(said)
            if len(tried) < 3:
                raise Unavailable("no answer") if len(tried) == 1 else Exists("ALREADY_EXISTS")

    shop.ports.filled.hook = there
    request_copy(shop)
    pass_time(shop, 5 * MINUTE)

    assert len(tried) == 3
    pass_time(shop, 10 * MINUTE)
    assert only_copy(shop).status is FillStatus.READY
