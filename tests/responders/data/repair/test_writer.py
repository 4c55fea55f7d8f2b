"""What a repair writes of a spoilt bookshop, whatever is lost or dies meanwhile."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.data.repair.document_outcomes import DOCUMENTS_PER_BATCH
from shared.core.errors import Ambiguous, Rejected, Unavailable
from shared.core.text import MAX_CHARACTERS
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS, Rewrite, RewriteResult
from shared.domain.data.repair.quarantine import unpack_changes
from shared.domain.data.repair.repair_plan import (
    DocumentOutcome,
    RepairGoal,
    RepairPosition,
    parse_selection,
    split_goal,
)
from shared.engine.steps.documents import restore
from tests.support.data.repairs import GOOD, HERE, STEP, RepairedShop
from tests.support.fakes.runtime.hooks import no_hook, raise_error


def test_what_the_application_writes_meanwhile_stays() -> None:
    """Between the look and the write, in the very batch: it is left, told, and holds up nobody."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": {"spoilt": 1}})
    goal = shop.goal("customers")

    def meanwhile(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "before"):
            shop.write({"customers/ada": {"email": "mine@example.com"}})
            shop.ports.rewritten.hook = no_hook

    shop.ports.rewritten.hook = meanwhile
    assert shop.write_all_portions(goal).fates == {DocumentOutcome.MEANWHILE: 1, DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada", "customers/bob") == [
        {"email": "mine@example.com"},
        GOOD["customers/bob"],
    ]
    [entry] = shop.journal()
    assert [one.path for one in entry.landed] == ["customers/bob"]
    assert [one.path for one in entry.left] == ["customers/ada"]


def test_nothing_is_written_without_a_copy() -> None:
    """What stood there is in quarantine before the write, and comes out as it was."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}})
    goal = shop.goal("customers")
    shop.ports.quarantine.hook = raise_error("quarantine.keep", Unavailable("no bucket answers"))
    with pytest.raises(Unavailable):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    assert shop.read_documents("customers/ada") == [{"spoilt": 1}]

    shop.ports.quarantine.hook = no_hook
    shop.write_all_portions(goal)
    [entry] = shop.journal()
    [change] = unpack_changes(shop.ports.quarantine.read(entry.kept))
    assert change.before is not None
    assert (change.before.fields, change.after) == ({"spoilt": 1}, GOOD["customers/ada"])


def test_without_a_bucket_nothing_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a no, and not tried again."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}})
    monkeypatch.setattr(shop.ports, "quarantine", None)
    with pytest.raises(Rejected, match="no bucket"):
        shop.repair("customers")


@pytest.mark.parametrize("verb", ["rewrites.rewrite", "store.commit", "quarantine.keep"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_batch_that_is_done_again_finds_what_it_has_done(verb: str, side: str) -> None:
    """Whatever answer was lost: each document is written once, and named by the journal."""
    shop = RepairedShop()
    spoilt = {f"customers/{n:04}": {"spoilt": 1} for n in range(9)}
    shop.write({path: {"email": "e"} for path in spoilt})
    shop.pass_time()
    shop.write(dict(spoilt))
    goal = shop.goal("customers")

    def lost(asked: str, at: str) -> None:
        if (asked, at) == (verb, side):
            for fake in (shop.ports.rewritten, shop.store, shop.ports.quarantine):
                fake.hook = no_hook
            raise Ambiguous("the answer was lost")

    for fake in (shop.ports.rewritten, shop.store, shop.ports.quarantine):
        fake.hook = lost
    with pytest.raises(Ambiguous):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())

    assert shop.write_all_portions(goal).fates == {DocumentOutcome.BACK: 9}
    assert sorted(shop.ports.rewritten.written) == sorted(spoilt)
    assert shop.landed_paths() == set(spoilt)
    assert len(shop.journal()) == 1


def dies(shop: RepairedShop, goal: RepairGoal, commit: int) -> None:
    """A portion of it, until that commit into the journal gets no answer, and is not made."""
    commits: list[str] = []

    def gone(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "before"):
            commits.append(verb)
            if len(commits) == commit:
                raise Unavailable("dead")

    shop.store.hook = gone
    with pytest.raises(Unavailable):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    shop.store.hook = no_hook


def spoilt_within_a_minute() -> RepairedShop:
    """Of whom another version passes, once only whole minutes can be read."""
    shop = RepairedShop()
    for fields in ({"email": "new@example.com"}, {"spoilt": 1}):
        shop.advance_clock(timedelta(seconds=30))
        shop.write({"customers/ada": fields})
    return shop


def test_what_was_meant_before_a_crash_counts_whatever_is_decided_after_it() -> None:
    """Who goes on finds another version; what stands there was written by us, and is told so."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    dies(shop, goal, 2)
    shop.advance_clock(timedelta(hours=2))
    [batch] = shop.build_selector(goal).select_batches(RepairPosition())
    [other] = [one.wanted for one in batch.fated]
    assert other is not None
    assert other.fields == GOOD["customers/ada"]

    assert shop.write_all_portions(goal).fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]
    [entry] = shop.journal()
    assert ([one.path for one in entry.landed], entry.left) == (["customers/ada"], ())
    [change] = unpack_changes(shop.ports.quarantine.read(entry.kept))
    assert change.after == {"email": "new@example.com"}


def test_what_was_not_written_before_a_crash_is_written_as_it_is_decided_now() -> None:
    """And the copy on record tells of that one: an undo compares with it."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    shop.may_go_on = lambda deadline: False
    with pytest.raises(Unavailable):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    shop.may_go_on = lambda deadline: True
    shop.advance_clock(timedelta(hours=2))

    assert shop.write_all_portions(goal).fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [GOOD["customers/ada"]]
    [entry] = shop.journal()
    [change] = unpack_changes(shop.ports.quarantine.read(entry.kept))
    assert change.after == GOOD["customers/ada"]


def test_what_landed_is_not_forgotten_when_a_batch_is_done_again() -> None:
    """The application has written it since, or nothing is to be done now: it was written by us."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    [before] = shop.journal()
    shop.write({"customers/ada": {"email": "mine@example.com"}})
    shop.write_all_portions(goal)
    assert shop.journal() == [before]

    shop.write_all_portions(replace(goal, at=shop.before))  # as though nothing were wrong there
    assert shop.journal() == [before]
    assert shop.read_documents("customers/ada") == [{"email": "mine@example.com"}]


def test_many_documents_are_gone_through_in_portions() -> None:
    """What was done counts, whatever stops it; it goes on behind it, and misses none."""
    shop = RepairedShop()
    many = {f"customers/{n:05}": {"email": "e"} for n in range(3 * DOCUMENTS_PER_BATCH)}
    shop.write(dict(many))
    shop.restore_from_now()
    spoilt = [path for path in many if path.endswith("7")]
    shop.write({path: {"spoilt": 1} for path in spoilt})
    goal = shop.goal("customers")
    asked: list[datetime] = []

    def twice(deadline: datetime | None) -> bool:
        asked.append(shop.now)
        return len(asked) != 2

    shop.may_go_on = twice
    first = shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    assert not first.is_over
    assert first.seen == DOCUMENTS_PER_BATCH
    with_all = shop.write_all_portions(goal)
    assert with_all.seen == 3 * DOCUMENTS_PER_BATCH + 3
    assert set(shop.ports.rewritten.written) == set(spoilt) == shop.landed_paths()
    assert len(shop.ports.rewritten.written) == len(spoilt)
    assert shop.read_documents(*spoilt) == [{"email": "e"}] * len(spoilt)


def test_no_more_is_written_at_once_than_the_database_is_used_to() -> None:
    """500 documents a second at first, however fast it answers."""
    shop = RepairedShop()
    many = {f"customers/{n:05}": {"email": "e"} for n in range(3 * DOCUMENTS_PER_BATCH)}
    shop.write(dict(many))
    shop.pass_time()
    shop.write({path: {"spoilt": 1} for path in many})
    goal, rewriting = shop.goal("customers"), shop.rewriting
    began = shop.ports.clock.monotonic()
    assert rewriting.rewrite_portion(STEP, goal, RepairPosition()).fates == {
        DocumentOutcome.BACK: 3 * DOCUMENTS_PER_BATCH
    }
    assert shop.ports.clock.monotonic() - began == pytest.approx(2 * DOCUMENTS_PER_BATCH / 500)


def test_few_large_documents_are_in_memory_at_a_time() -> None:
    """As many as both sides of them are not too much; none is left out."""
    shop = RepairedShop()
    text = "x" * 900_000
    good = {f"customers/{n}": {"email": f"{n}@example.com", "text": text} for n in range(7)}
    shop.write(dict(good))
    shop.restore_from_now()
    shop.write({path: {"text": text} for path in good})
    goal = shop.goal("customers")

    batches = list(shop.build_selector(goal).select_batches(RepairPosition()))
    assert [len(one.pairs) for one in batches] == [2, 2, 2, 4]
    assert shop.write_all_portions(goal).fates == {DocumentOutcome.BACK: 7}
    assert shop.landed_paths() == set(good)


@pytest.mark.parametrize("is_refused", [False, True])
def test_no_entry_of_the_journal_is_too_large(is_refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the paths are, and the reasons why documents were left, all are on record."""
    shop = RepairedShop()
    below = f"shelves/{'x' * 1400}/rows/{'y' * 1400}/books"
    paths = [f"{below}/{n:04}" for n in range(DOCUMENTS_PER_BATCH)]
    shop.write({key: {"n": 1} for key in paths})
    shop.restore_from_now()
    shop.write({key: {"n": 2} for key in paths})
    if is_refused:
        refused = Rejected(f"INVALID_ARGUMENT: {paths[0]}")
        monkeypatch.setattr(shop.ports.rewritten, "_landed", lambda _, one: refused)

    fate = DocumentOutcome.REFUSED if is_refused else DocumentOutcome.OLDER
    assert shop.repair(below, "all").fates == {fate: DOCUMENTS_PER_BATCH}
    left = {one.path for entry in shop.journal() for one in entry.left}
    assert (left if is_refused else shop.landed_paths()) == set(paths)
    assert all(len(one.why) <= MAX_CHARACTERS for entry in shop.journal() for one in entry.left)


def test_only_what_is_made_again_has_a_deadline() -> None:
    """Any other write names the time at which its document was read: late, it is refused."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": None})
    goal, now = shop.goal("customers", "all"), shop.now
    asked: list[datetime | None] = []

    def never(deadline: datetime | None) -> bool:
        asked.append(deadline)
        return False

    shop.may_go_on = never
    for one in (goal, replace(goal, select=parse_selection("document:customers/ada"))):
        with pytest.raises(Unavailable):
            shop.rewriting.rewrite_portion(replace(STEP, deadline=now), one, RepairPosition())
    assert asked == [now, None]


@pytest.mark.parametrize(("path", "waits"), [("customers/bob", True), ("customers/ada", False)])
def test_what_is_made_again_and_not_answered_has_landed_before_anybody_goes_on(
    path: str, waits: bool
) -> None:
    """Or never will: the application may delete it once more in between."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": None})
    goal = shop.goal("customers", f"document:{path}")

    def lost(verb: str, side: str) -> None:
        raise Ambiguous("no answer")

    shop.ports.rewritten.hook = lost
    began = shop.ports.clock.monotonic()
    with pytest.raises(Ambiguous):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    assert (shop.ports.clock.monotonic() - began >= REWRITE_TIMEOUT_SECONDS) == waits


@pytest.mark.parametrize("is_answered_in_part", [False, True])
def test_what_was_made_again_and_deleted_once_more_stays_deleted(
    is_answered_in_part: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What landed is on record, though of another document of its batch nothing is known."""
    if not is_answered_in_part:
        monkeypatch.setattr("responders.data.repair.writer.MAX_REWRITE_BYTES", 1)
    shop = RepairedShop()
    shop.write({"customers/ada": None, "customers/bob": None})
    goal, rewrite = shop.goal("customers", "all"), shop.ports.rewritten.rewrite

    def for_ada_alone(database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        if rewrites[0].path != "customers/ada":
            raise Ambiguous("no answer")
        return [*rewrite(database, rewrites[:1]), *(Unavailable("busy") for _ in rewrites[1:])]

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(shop.ports.rewritten, "rewrite", for_ada_alone)
        with pytest.raises(Unavailable):
            shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    assert shop.read_documents("customers/ada", "customers/bob") == [GOOD["customers/ada"], None]
    shop.write({"customers/ada": None})

    assert shop.write_all_portions(goal).fates == {DocumentOutcome.REVIVED: 2}
    assert shop.read_documents("customers/ada", "customers/bob") == [None, GOOD["customers/bob"]]
    assert shop.landed_paths() == {"customers/ada", "customers/bob"}


def test_each_request_is_sent_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one request does not hold is asked about again before the next: each may be late."""
    monkeypatch.setattr("responders.data.repair.writer.MAX_REWRITE_BYTES", 1)
    shop = RepairedShop()
    spoilt = {f"customers/{name}": {"spoilt": 1} for name in ("ada", "bob", "eve")}
    shop.write(dict(spoilt))
    goal = shop.goal("customers")
    asked: list[datetime | None] = []

    def once(deadline: datetime | None) -> bool:
        asked.append(deadline)
        return len(asked) == 1

    shop.may_go_on = once
    with pytest.raises(Unavailable):
        shop.rewriting.rewrite_portion(STEP, goal, RepairPosition())
    assert shop.ports.rewritten.written == ["customers/ada"]

    shop.may_go_on = lambda deadline: True
    shop.write_all_portions(goal)
    assert shop.ports.rewritten.written == list(spoilt)
    assert shop.landed_paths() == set(spoilt)


def test_an_undo_goes_on_behind_a_batch_of_which_nothing_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it was left: that takes its time, too."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": 1}})
    goal = shop.goal("customers")

    def meanwhile(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "before"):
            shop.write({"customers/ada": {"email": "mine@example.com"}})

    shop.ports.rewritten.hook = meanwhile
    shop.write_all_portions(goal)
    monkeypatch.setattr("responders.data.repair.writer.MAX_PORTION_SECONDS", 0.0)
    back = restore.RestoreGoal("INC-1", HERE)
    position = shop.rewriting.restore_portion(STEP, back, RepairPosition())
    [entry] = shop.journal()
    assert (position.cursor, position.seen) == (entry.name, 0)
    assert shop.rewriting.restore_portion(STEP, back, position).is_over


def test_pieces_hold_every_document_once() -> None:
    """However a collection is cut."""
    shop = RepairedShop()
    shop.write({path: {"spoilt": 1} for path in ("customers/ada", "customers/bob", "customers/eve")})
    goals = split_goal(shop.goal("customers"), ["customers/ada", "customers/b"])
    seen = [shop.write_all_portions(one).seen for one in goals]
    assert seen == [1, 0, 2]
    assert shop.landed_paths() == {"customers/ada", "customers/bob", "customers/eve"}
