"""Which documents a repair is about, how two sides are merged, and how far it has come."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.data.document import DocumentSnapshot, is_same_value
from shared.domain.data.repair.quarantine import DocumentChange, object_name, pack_changes, unpack_changes
from shared.domain.data.repair.repair_plan import (
    MAX_SAMPLES_PER_OUTCOME,
    WHOLE_DATABASE,
    DocumentDecision,
    DocumentOutcome,
    DocumentSelection,
    RepairGoal,
    RepairPosition,
    SelectionKind,
    SnapshotPair,
    add_samples,
    advance_position,
    decode_position,
    describe_outcomes,
    encode_position,
    is_in_declared_scope,
    newest_time_before,
    pair_snapshots,
    parse_selection,
    selected_scopes,
    split_goal,
)
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.write_ramp import GROWTH_INTERVAL_SECONDS, WriteRamp
from tests.contracts.support.every_value import EVERYTHING

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DECLARED = {"users": Collection(), "orders": Collection(everywhere=True)}


def version(path: str, at: datetime = NOW, **fields: object) -> DocumentSnapshot:
    return DocumentSnapshot(path, fields, at, at)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("invalid", DocumentSelection()),
        ("all", DocumentSelection(SelectionKind.ALL)),
        ("document:users/ada", DocumentSelection(SelectionKind.DOCUMENT, "users/ada")),
        ("prefix:users/a", DocumentSelection(SelectionKind.PREFIX, "users/a")),
        ("prefix:users/", DocumentSelection(SelectionKind.PREFIX, "users/")),
        ("document:a/b/c/d", DocumentSelection(SelectionKind.DOCUMENT, "a/b/c/d")),
        ("collection:users/a/orders", DocumentSelection(SelectionKind.COLLECTION, "users/a/orders")),
        ("collection:users", DocumentSelection(SelectionKind.COLLECTION, "users")),
        ('query:users plan == "pro"', DocumentSelection(SelectionKind.QUERY, 'users plan == "pro"')),
    ],
)
def test_what_a_person_says(said: str, meant: DocumentSelection) -> None:
    """It is understood, and told back as it was said."""
    assert parse_selection(said) == meant
    assert str(meant) == said


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("everything", "none of invalid, all, document"),
        ("all:users", "takes nothing"),
        ("collection:", "takes a value"),
        ("document:users", "no path"),
        ("document:users/ada/orders", "no path"),
        ("document:users/ada/", "no path"),
        ("document:/users/ada", "no path"),
        ("document:users/", "no path"),
        ("prefix:users/ada/", "no path"),
        ("prefix:users//a", "no path"),
        ("collection:users/ada", "no collection"),
        ("collection:users/", "no collection"),
        ('query:users/ada plan == "pro"', "no collection"),
        ("query:users plan", "no query"),
        ("query:users plan == pro", "no JSON"),
        ("query:users plan ==", "needs a value"),
        ('query:users plan in "pro"', "needs a list"),
        ("query:users plan present 1", "takes no value"),
    ],
)
def test_what_means_nothing(said: str, why: str) -> None:
    """It is refused with its reason, before anything is looked at."""
    with pytest.raises(ValueError, match=why):
        parse_selection(said)


@pytest.mark.parametrize(
    ("said", "gone_through"),
    [
        ("invalid", ["users", "orders"]),
        ("all", ["users", "orders", "logs", ""]),
        ("document:users/ada", ["users"]),
        ("prefix:users/ada/orders/1", ["users/ada/orders"]),
        ("collection:orders", ["orders"]),
        ("query:logs level == 1", ["logs"]),
    ],
)
def test_what_is_gone_through(said: str, gone_through: list[str]) -> None:
    """The declared collections, the database's own, or the one that is named, as it is declared."""
    scopes = selected_scopes(parse_selection(said), DECLARED, ["users", "logs", "logs"])
    assert [one.collection for one in scopes] == gone_through
    assert all(one.everywhere == (one.collection in ("orders", "")) for one in scopes)


@pytest.mark.parametrize(
    ("path", "is_elsewhere"),
    [
        ("users/ada", False),
        ("logs/1", False),
        ("users/ada/orders/1", False),
        ("users/ada/notes/1", True),
        ("teams/1/users/ada", True),
        ("users/ada/orders/1/notes/2", True),
    ],
)
def test_what_is_left_for_the_last(path: str, is_elsewhere: bool) -> None:
    """Of all, whatever is not gone through as one of a collection that is declared, or the top."""
    assert is_in_declared_scope(WHOLE_DATABASE, DECLARED, path) is is_elsewhere
    assert is_in_declared_scope(Scope("users"), DECLARED, path)


def test_one_document_among_others() -> None:
    """A selection means what it names, by the fields as they are, or were where it is gone."""
    pro, free = version("users/ada", plan="pro"), version("users/ada", plan="free")
    wants = parse_selection('query:users plan == "pro"').is_selected

    assert wants(SnapshotPair("users/ada", pro, free))
    assert not wants(SnapshotPair("users/ada", free, pro))
    assert wants(SnapshotPair("users/ada", None, pro))
    assert parse_selection("prefix:users/a").is_selected(SnapshotPair("users/ada", pro, None))
    assert not parse_selection("document:users/ad").is_selected(SnapshotPair("users/ada", pro, None))


def test_both_sides_are_merged_by_name() -> None:
    """In the order of the database, with what one side lacks, up to the last path."""
    now = [version(f"u/{name}") for name in ("B", "a", "a-1", "c")]
    then = [version(f"u/{name}") for name in ("a", "b", "é")]

    pairs = list(pair_snapshots(now, then))
    assert [one.path for one in pairs] == ["u/B", "u/a", "u/a-1", "u/b", "u/c", "u/é"]
    assert [(one.now is None, one.then is None) for one in pairs[:4]] == [
        (False, True),
        (False, False),
        (False, True),
        (True, False),
    ]
    assert [one.path for one in pair_snapshots(now, then, "u/a-1")] == ["u/B", "u/a", "u/a-1"]
    assert list(pair_snapshots([], [])) == []


def test_names_that_are_numbers_come_first() -> None:
    """As the database has them: by their value, and none is taken for gone, or for new."""
    names = ["__id-5__", "__id9__", "__id10__", "!", "__id9", "a"]
    now = [version(f"u/{name}") for name in names]
    then = [version(f"u/{name}") for name in names if name != "__id9__"]

    pairs = list(pair_snapshots(now, then))
    assert [one.path for one in pairs] == [f"u/{name}" for name in names]
    assert [one.path for one in pairs if one.then is None] == ["u/__id9__"]


def test_a_piece_begins_where_the_last_one_ends() -> None:
    """Together they hold every document once."""
    goal = RepairGoal("d", NOW, "d", NOW, DocumentSelection(), Scope("u"))
    pieces = split_goal(goal, ["u/b", "u/d"])
    assert [(one.after, one.until) for one in pieces] == [("", "u/b"), ("u/b", "u/d"), ("u/d", "")]
    assert split_goal(goal, []) == [goal]


def test_nobody_has_changed_it() -> None:
    """Written again as it was is not changed; 1 is not 1.0."""
    then, later = version("u/a", n=1), version("u/a", NOW + MINUTE, n=1)
    assert SnapshotPair("u/a", later, then).is_same
    assert not SnapshotPair("u/a", version("u/a", NOW + MINUTE, n=1.0), then).is_same
    assert not SnapshotPair("u/a", None, then).is_same


def test_a_position_is_kept_as_text() -> None:
    """The same for the same one; nothing is the beginning."""
    fated = [
        DocumentDecision("u/a", DocumentOutcome.BACK),
        DocumentDecision("u/b", DocumentOutcome.BACK),
        DocumentDecision("u/c", DocumentOutcome.LOST),
    ]
    pairs = [SnapshotPair(f"u/{name}", None, None) for name in "abcd"]
    position = advance_position(RepairPosition("u/0", seen=3), pairs, fated, is_last=False)

    assert position == RepairPosition("u/d", False, 7, {DocumentOutcome.BACK: 2, DocumentOutcome.LOST: 1})
    assert decode_position(encode_position(position)) == position
    assert decode_position("") == RepairPosition()
    assert describe_outcomes(position.fates) == (
        "2 brought back, 1 invalid, and no version that passes can be read"
    )
    assert advance_position(position, [], [], is_last=True).cursor == "u/d"


def test_people_read_of_some_documents() -> None:
    """Their paths and the fields that differ, never what stands there; of the erased nothing."""
    now, wanted = version("u/a", email="secret", n=1), version("u/a", email="old", m=1)
    fated = [
        DocumentDecision("u/a", DocumentOutcome.BACK, now, wanted),
        DocumentDecision("u/ada", DocumentOutcome.ERASED, now),
        *(DocumentDecision(f"u/{n}", DocumentOutcome.LOST, now) for n in range(30)),
    ]
    samples = add_samples(add_samples({}, fated), fated)

    assert samples[DocumentOutcome.BACK] == ("u/a (email, m, n; of 2026-03-02 12:00:00 UTC)",) * 2
    assert len(samples[DocumentOutcome.LOST]) == MAX_SAMPLES_PER_OUTCOME
    assert DocumentOutcome.ERASED not in samples


def test_the_moment_before_a_version() -> None:
    """Exact within the past hour, a whole minute before, and none where nothing can be read."""
    written = NOW - timedelta(minutes=5, seconds=10)
    earliest = NOW - timedelta(days=7)
    just = written - timedelta(microseconds=1)
    assert newest_time_before(version("u/a", written), NOW, earliest) == just
    long_ago = NOW - timedelta(hours=3)
    time = newest_time_before(version("u/a", long_ago), NOW, earliest)
    assert time == long_ago - MINUTE
    assert newest_time_before(version("u/a", long_ago), NOW, long_ago) is None


def test_quarantine_holds_every_value() -> None:
    """What is kept comes out as it went in; the same content has the same name."""
    before = replace(version("u/a"), fields=EVERYTHING)
    changes = [
        DocumentChange("u/a", before, {"n": 1}, NOW, ("ada", "bob")),
        DocumentChange("u/b", None, EVERYTHING, whose=("ada",)),
    ]
    content = pack_changes(changes)
    one, other = unpack_changes(content)

    assert one.before is not None
    assert is_same_value(one.before.fields, EVERYTHING)
    assert (one.before.updated_at, one.after) == (NOW, {"n": 1})
    assert other.before is None
    assert is_same_value(other.after, EVERYTHING)
    assert (one.of, one.whose) == (NOW, ("ada", "bob"))
    assert (other.of, other.whose) == (None, ("ada",))
    assert object_name("shop", "INC-1", content) == object_name("shop", "INC-1", pack_changes(changes))
    assert object_name("shop", "INC-1", content) != object_name("shop", "INC-1", pack_changes(changes[:1]))


def test_writes_ramp_up() -> None:
    """500 a second, and half as much again every five minutes, by all workers together."""
    ramp = WriteRamp(0.0, 100.0)
    assert ramp.reserve_writes(500, 100.0) == 0.0
    assert ramp.reserve_writes(250, 100.0) == 1.0
    assert ramp.reserve_writes(1, 100.0) == 1.5
    assert ramp.per_second(100.0 + GROWTH_INTERVAL_SECONDS) == 750
    assert WriteRamp(2 * GROWTH_INTERVAL_SECONDS, 0.0).per_second(0.0) == 1125
