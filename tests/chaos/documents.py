"""`python -m tests.chaos documents`: spoilt data brought back over the real wire, and taken back.

A release spoils every order of a bookshop, which goes on writing all the time by Google's own
client, in an embedded cloud whose folder outlives it. Two people have them brought back by the six
functions-framework processes; at seeded moments the worker dies by SIGKILL, and the cloud, too. In
the end all is read by that client again, and compared: with what the shop wants, with what was
there before, with what the journal names. Then two people have it taken back, and all is compared
once more.

From the word of the second person to the last document the cloud's clock runs as fast as this
machine's, and nobody moves it: the time that is told is what these processes take here, one after
another on its cores, and says nothing of Google's latencies. While the cloud is dead, its clock
stands still; the machine's is told beside it. Before and after, it runs slowly while data are
looked through, and what is only waited for is skipped.
"""

import argparse
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import yaml
from google.cloud import firestore
from msgspec import Struct

from local.demo.staging.processes import DemoFailed
from local.installation.responder_processes import NotListening
from shared.core.codec import decode
from shared.core.durations import describe_duration
from shared.core.errors import RollbackError
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Direction, Rollback
from shared.policy_files import loader
from shared.wiring.settings import Settings
from tests.chaos.bookshop import ERASED, Bookshop, Documents, invalid, naming
from tests.chaos.kills import EXAMPLE, Kind, Point
from tests.chaos.processes import Plant
from tests.chaos.repair_run import OVER, REAL, Moving
from tests.local.support.firestore import connected

WRITE = "google.firestore.v1.Firestore/BatchWrite"
"""A call that only the repair makes once the release is over."""
BATCH = 400
"""Documents of one such call (`responders.data.repair.document_outcomes`)."""
CHANGED_OF = 50
"""One of so many orders is written by the shop before the release comes."""
FORGOTTEN = 3
"""People who are erased between the question and its answer."""
MINUTE = timedelta(minutes=1)
SHOWN = 5
TOLD_AT_PERCENT = (5, 10, 25, 50, 75)
"""Of the time that it took, what was foreseen of it is printed."""


class Compared(Struct, frozen=True):
    """What is put beside each other once data were moved."""

    wanted: Documents
    found: Documents
    """What was there right before the first document was written."""
    there: Documents
    named: Collection[str]
    """What the journal says was written."""
    touched: Collection[str]
    """What the shop has written meanwhile, and perhaps a little before."""
    may: Collection[str]
    """What there is a reason to write."""
    erased: Collection[str]
    """People."""
    left: Collection[str]
    """Spoilt orders of theirs."""

    def faults(self) -> Iterator[str]:
        """What should not be so; nothing: it holds."""
        wanted, there = self.wanted, self.there
        untouched = set(self.named) - set(self.touched)
        changed = _differing(self.found, there) - set(self.touched)
        yield from _each("not as the shop wants it", _differing(wanted, there))
        yield from _each("changed, and not named by the journal", changed - untouched)
        yield from _each("named by the journal, and not changed", untouched - changed)
        yield from _each("named, and nothing was wrong with it", set(self.named) - set(self.may))
        yield from _each("of somebody who was erased", naming(self.erased, there))
        yield from _each("written, and of somebody erased", set(self.named) & set(self.left))


class Emergency:
    """One play: what is measured is printed, what should not be so comes back."""

    def __init__(self, plant: Plant, shop: Bookshop, state: firestore.Client) -> None:
        self._plant = plant
        self._stage = plant.stage
        self._shop = shop
        self._state = state
        self._moving = Moving(plant)

    def play(self, points: Sequence[Point], undo_points: Sequence[Point]) -> Iterator[str]:
        """What should not be so. Raises: Broken, NotListening, RollbackError."""
        self._open()
        with self._shop.at_work():
            self._spoil()
            repair = self._moving.ordered(command="rollback", scenario="database", select="invalid")
            if repair.question is None:
                yield f"nobody was asked: {repair.status}: {repair.outcome}"
                return
            asked_after = describe_duration(repair.question.asked_at - repair.created_at)
            print(f"asked {asked_after} after the order by the cloud's clock, skipping what it could")
            print(*repair.question.plan.reported[:2], sep="\n")
            since = self._shop.written
            repaired = self._moved(repair, points)
            self._shop.tidy()
            yield from self._looked_through(repaired)
            yield from self._compared(repaired, since, self._shop.spoilt.keys())
            self._moving.waited(repair.id, ENDED_ROLLBACK_STATUSES, hopping=True)
            undo = self._moving.ordered(command="undo", incident=repair.incident)
            undone = self._moved(undo, undo_points)
            yield from self._compared(undone, since, self._named(repaired))
        deaths = Counter(str(point.kind) for point in self._moving.deaths)
        meant = len(points) + len(undo_points)
        print(f"{deaths.total()} of {meant} deaths came to pass: {dict(deaths)}")
        if not deaths:
            yield "nobody has died meanwhile, so nothing is proven"
        for chain in self._plant.evidence.verify_chains():
            yield from (f"{chain.chain}: {fault}" for fault in chain.faults)

    def _open(self) -> None:
        began = time.monotonic()
        self._shop.open()
        print(f"there are {_pace(len(self._shop.wanted), time.monotonic() - began)}")
        self._stage.skip_time(MINUTE)
        for _ in range(len(self._shop.wanted) // CHANGED_OF):
            self._shop.work()
        self._stage.skip_time(MINUTE)
        self._stage.wait_for("the first look at the data", self._is_looked_at)

    def _is_looked_at(self) -> bool:
        """Whether the data were looked through: the next look, which opens an incident, is far."""
        fields = self._stage.wiring.store.get(damage.damage_path(self._plant.policy.system)).fields
        return fields is not None and decode(IntegrityRecord, fields).last is not None

    def _spoil(self) -> None:
        began = time.monotonic()
        self._shop.release()
        print(f"spoilt {_pace(len(self._shop.spoilt), time.monotonic() - began)}")
        self._stage.skip_time(self._plant.policy.integrity.quiet + MINUTE)  # older looks do not count

    def _moved(self, parked: Rollback, points: Sequence[Point]) -> Rollback:
        """It, once a second person has agreed and the last document is written."""
        self._shop.erase(FORGOTTEN, self._stage.now())
        began = time.monotonic()
        moved = self._moving.carried_out(parked, points)
        wall = time.monotonic() - began
        pace = _pace(len(self._named(moved)), _took(moved).total_seconds())
        print(f"{moved.id}: written {pace} by the cloud's clock; {wall:.0f} s by this machine's")
        print(f"{moved.id}: foreseen meanwhile: {', '.join(self._foreseen(moved))}")
        return moved

    def _foreseen(self, moved: Rollback) -> Iterator[str]:
        """How long it was to take in all, as that was told on the way."""
        began, took = moved.started_at or moved.created_at, _took(moved)
        for percent in TOLD_AT_PERCENT:
            later = (one for at, one in self._moving.foreseen if at >= began + took * percent / 100)
            yield f"{next(later, took.total_seconds()):.0f} s at {percent} %"

    def _looked_through(self, moved: Rollback) -> Iterator[str]:
        """Whether it was in time, and the data are found to be valid."""
        took, wanted = _took(moved), self._plant.policy.targets.database
        ended = self._moving.waited(moved.id, OVER, hopping=True)
        if ended.verified_at is None:
            yield f"{ended.id} is {ended.status} and not verified: {ended.outcome}"
        if took >= wanted:
            yield f"{ended.id} took {took}, not less than {wanted}"

    def _compared(self, moved: Rollback, since: int, may: Collection[str]) -> Iterator[str]:
        """All that is there beside all that should be; `may`: what may have been written."""
        shop, named = self._shop, self._named(moved)
        with shop.standing_still():
            wanted = shop.wanted
            if moved.way is Direction.UNDO:
                wanted |= {path: shop.spoilt[path] for path in set(may) - shop.touched(since)}
            compared = Compared(
                wanted=wanted,
                found=shop.everything(moved.started_at),
                there=shop.everything(),
                named=named,
                touched=shop.touched(since),
                may=may,
                erased=shop.erased,
                left=shop.left,
            )
        counts = f"{len(compared.found)} documents before, {len(compared.there)} now"
        broken = f"{len(invalid(compared.found))} invalid before, {len(invalid(compared.there))} now"
        print(f"{moved.id}: {counts}; {broken}; {len(named)} named")
        yield from compared.faults()

    def _named(self, moved: Rollback) -> set[str]:
        """What its journal says was written."""
        entries = self._state.collection(f"rollbacks/{moved.id}/journal").stream()
        return {one["path"] for entry in entries for one in (entry.to_dict() or {})["landed"]}


def points(seed: int, orders: int, kills: int, restarts: int) -> tuple[list[Point], list[Point]]:
    """Where somebody dies while documents are brought back, and where while they are taken back.

    The same ones for the same seed; the cloud dies in between the workers, of whom the last of
    several dies over the undo.
    """
    random = Random(f"{seed}/{orders}")
    undone = int(kills > 1)
    first = (kills - undone) // 2
    kinds = [Kind.KILL] * (kills - undone)
    kinds[first:first] = [Kind.CLOUD] * restarts
    apart = max(orders // BATCH // (2 * len(kinds) + 2), 1)
    drawn = [_drawn(random, kind, apart) for kind in kinds]
    return drawn, [_drawn(random, Kind.KILL, apart) for _ in range(undone)]


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 all is as it should be, 1 something is not."""
    options = _options(arguments)
    with TemporaryDirectory(prefix="rollback-documents-") as folder:
        file = Path(folder) / "bookshop.yaml"
        file.write_text(_declared(options.count))
        try:
            faults = _played(loader.load_policy(file), file, options)
        except (DemoFailed, NotListening, RollbackError) as failure:
            faults = [f"it did not end: {failure}"]
    for fault in faults:
        print(f"✗ {fault}")
    print("every document is as it should be" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


def _played(policy: Policy, file: Path, options: argparse.Namespace) -> list[str]:
    """What should not be so. Raises: Broken, NotListening, RollbackError."""
    plant = Plant(policy, file, file.parent, REAL, "--point-in-time-recovery")
    try:
        address, database = plant.stage.addresses["firestore"], policy.integrity.database
        ours = Settings(policy.project).database
        with (
            connected(address, policy.project, database) as theirs,
            connected(address, policy.project, ours) as state,
        ):
            shop = Bookshop(theirs, options.count, Random(options.seed))
            drawn = points(options.seed, options.count, options.kills, options.restarts)
            return list(Emergency(plant, shop, state).play(*drawn))
    finally:
        plant.close()


def _declared(orders: int) -> str:
    """The example's policy, for so many orders that a repair may write."""
    said = yaml.safe_load(EXAMPLE.read_text())
    for probe in said["probes"]:
        probe.pop("signal", None)  # nothing but the data is in trouble here
    for collection in said["collections"].values():
        collection["on_repair"] = "fire"
    said["integrity"] = {"read_budget": 1000 + 10 * orders}
    said["erasure"] |= {"collection": ERASED, "person": "who", "erased_at": "done"}
    said["execution"]["watch"] = "5m"
    del said["fence"]  # it would keep the shop from writing
    return str(yaml.safe_dump(said, sort_keys=False))


def _took(moved: Rollback) -> timedelta:
    """The cloud's time from the first document to the last."""
    over_at = moved.shifted_at or moved.ended_at
    if moved.started_at is None or over_at is None:
        raise DemoFailed(f"{moved.id} has moved nothing: {moved.status}: {moved.outcome}")
    return over_at - moved.started_at


def _drawn(random: Random, kind: Kind, apart: int) -> Point:
    when = random.choice(("before", "after"))
    return Point(kind, "on_work", WRITE, random.randrange(apart), when)


def _differing(one: Documents, other: Documents) -> set[str]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def _each(what: str, paths: Collection[str]) -> Iterator[str]:
    if paths:
        yield f"{what}: {len(paths)} documents, {', '.join(sorted(paths)[:SHOWN])}"


def _pace(documents: int, seconds: float) -> str:
    return f"{documents} documents in {seconds:.0f} s, {documents / seconds:.0f} a second"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos documents", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="orders that are spoilt")
    parser.add_argument("--kills", type=int, default=5, help="of the worker")
    parser.add_argument("--restarts", type=int, default=1, help="of the cloud")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)
