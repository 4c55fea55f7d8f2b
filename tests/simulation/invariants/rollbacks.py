"""What must hold of each commit of a rollback."""

from collections.abc import Mapping

from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, LEASE_DURATION, Direction, RollbackStatus
from shared.engine.lease import MAX_TAKEOVERS
from tests.simulation.faults.points import Fault
from tests.simulation.invariants.observations import Fields, Seen
from tests.simulation.invariants.pins import PinLaws

WITHOUT_PLAN = frozenset({RollbackStatus.NOT_TAKEN, RollbackStatus.CANCELLED, RollbackStatus.FAILED})
LATE = "rollback.worker-late"
WRITTEN_LATE = frozenset({"late", "commit_id", "sequence", "audit_head"})
"""All that a worker which has lost the rollback may change of it."""
MAY_FOLLOW = {
    None: {RollbackStatus.DECIDING},
    RollbackStatus.DECIDING: {RollbackStatus.PARKED, RollbackStatus.RUNNING, *WITHOUT_PLAN},
    RollbackStatus.PARKED: {RollbackStatus.DECIDING, *WITHOUT_PLAN},
    RollbackStatus.RUNNING: {RollbackStatus.VERIFYING, RollbackStatus.FAILED, RollbackStatus.CANCELLED},
    RollbackStatus.VERIFYING: {
        RollbackStatus.RUNNING,
        RollbackStatus.WATCHING,
        RollbackStatus.FAILED,
        RollbackStatus.CANCELLED,
    },
    RollbackStatus.WATCHING: {
        RollbackStatus.RUNNING,  # extended by further functions that fail
        RollbackStatus.SUCCEEDED,
        RollbackStatus.FAILED,
        RollbackStatus.CANCELLED,
    },
}


class RollbackLaws:
    """A rollback's turns, its fence and lease, its people and its budget."""

    def __init__(self, seen: Seen, pins: PinLaws) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._pins = pins
        self._automatic: list[tuple[float, set[str]]] = []
        """When automation went back, and of what."""
        self._objections: set[tuple[str, object]] = set()
        """What people know to stop automation, by incident."""

    def judge(self, key: str, before: Fields | None, after: Fields, commit: Mapping[str, Fields]) -> None:
        """A rollback was written: its own document, and all that goes with it in its commit."""
        self._seen.rollbacks[key] = after
        self._seen.ordered_more |= {key} if after["extension"] is not None else set()
        status = RollbackStatus(after["status"])
        was = RollbackStatus(before["status"]) if before else None
        entry = commit.get(f"rollbacks/{key}/audit/{after['sequence']:06d}")
        if entry is None or entry["hash"] != after["audit_head"]:
            self._break(5, f"{key} was written without its event")
            return
        if after["sequence"] != (before["sequence"] if before else 0) + 1:
            self._break(5, f"{key} goes from entry {before and before['sequence']}")
        if status is not was:
            self._judge_turn(key, was, status, after, commit)
        if (status in ENDED_ROLLBACK_STATUSES) != (after["due_at"] is None):
            self._break(6, f"{key} is {status} and due at {after['due_at']}")
        if before:
            self._judge_fence(key, before, after, entry)
        verified = after["verified_at"] is not None and after["order"] is None
        led_back = {step["target"] for step in self._seen.steps.get(key, {}).values()}
        if verified and self._world.incurable in led_back:
            self._break(8, f"{key} is called verified, and {self._world.incurable} still fails")
        if status is RollbackStatus.RUNNING and was is RollbackStatus.DECIDING:
            self._seen.frozen[key] = self._seen.now
            self._judge_approval(key, after)
            if after["order"] is None:
                self._judge_automatic(key, commit)
        if before is not None and status is not was and self._speaks(before, after):
            self._require_notice(key, before, after, commit)

    def _judge_turn(
        self,
        key: str,
        was: RollbackStatus | None,
        status: RollbackStatus,
        after: Fields,
        commit: Mapping[str, Fields],
    ) -> None:
        """What a rollback may become; an undo is over once it is done, well or ill.

        One is over without monitoring where the same commit opens the next of its incident.
        """
        undo = (after["order"] or {}).get("way") == Direction.UNDO
        over = undo and (was, status) == (RollbackStatus.RUNNING, RollbackStatus.SUCCEEDED)
        if (was, status) == (RollbackStatus.VERIFYING, RollbackStatus.SUCCEEDED):
            over = any(path.startswith("rollbacks/") and path.split("/")[1] != key for path in commit)
        if status not in MAY_FOLLOW.get(was, ()) and not over:
            self._break(6, f"{key} went from {was} to {status}")
        if status is RollbackStatus.FAILED and "died" in after["outcome"]:
            self._judge_deaths(key, after["outcome"])
        if status is RollbackStatus.SUCCEEDED:
            self._pins.ended(after, self._seen.steps.get(key, {}), self._seen.by_hand)

    def _judge_deaths(self, key: str, outcome: str) -> None:
        """Nobody dies of anything but a fault, and who stands still is not dead."""
        faults = self._world.mishaps.injected
        if faults.total() - faults[Fault.STANDSTILL] <= MAX_TAKEOVERS:
            self._break(6, f"{key}: {outcome}, and so many faults there were not")

    @staticmethod
    def _speaks(before: Fields | None, after: Fields) -> bool:
        """Whether a turn is news: the same plan is asked about in silence, for whatever reason."""
        questions = [one and one["question"] for one in (before, after)]
        asked = [one and (one["plan"]["fingerprint"], one["needed"], one["asked_at"]) for one in questions]
        asked_before = asked[0] and asked[0] == asked[1]
        return after["status"] != RollbackStatus.DECIDING and not (
            after["status"] == RollbackStatus.PARKED and asked_before
        )

    def _judge_approval(self, key: str, after: Fields) -> None:
        """A plan begins: approved, where people are asked, rejected and called off by nobody."""
        if after["cancel_requested"]:
            self._break(7, f"{key} goes back though a person wants it to stop")
        if after["rejected"]:
            self._break(7, f"{key} goes back though it was rejected")
        if not self._world.asks or after["order"] is not None:
            return
        wanted = [one for one in after["approvals"] if one["plan"] == after["plan"]["fingerprint"]]
        if not wanted:
            self._break(7, f"{key} goes back by a plan that nobody has approved")
        if any(one["command"] not in self._seen.commands for one in after["approvals"]):
            self._break(7, f"{key} has an approval that nobody gave")

    def _require_notice(self, key: str, before: Fields, after: Fields, commit: Mapping[str, Fields]) -> None:
        """Each turn is said, from the commit on in which it happens, unless people know it.

        They know that a longer plan was carried out, and what has stopped the same incident before;
        of a plan that is extended again they are told as it doubles.
        """
        gates = (gate for gate in after["gates"] if gate["answer"] in ("stop", "unknown"))
        objections = after["incident"], frozenset((gate["gate"], gate["leads_to"]) for gate in gates)
        is_refused = after["status"] == RollbackStatus.NOT_TAKEN and after["order"] is None
        extensions = after["plan"]["extensions"] if after["plan"] else 0
        is_extended = bool(extensions) and after["status"] == RollbackStatus.VERIFYING
        if extensions > 1 and after["status"] == RollbackStatus.RUNNING:
            sizes = [len(fields["plan"]["changed"]).bit_length() for fields in (before, after)]
            is_extended = sizes[0] == sizes[1]
        reasons = {objections, (after["incident"], after["outcome"])}
        is_repeated = is_refused and not reasons.isdisjoint(self._objections)
        is_known = is_repeated or (is_extended and not after["order"])
        if not is_known and not any(path.startswith("notices/") for path in commit):
            self._break(12, f"{key} became {after['status']} and nobody is told")
        if is_refused:
            self._objections |= reasons

    def _judge_fence(self, key: str, before: Fields, after: Fields, entry: Fields) -> None:
        instance = self._seen.instance
        fence, was = after["fence"], before["fence"]
        if fence not in (was, was + 1):
            self._break(4, f"{key}: fence {was} became {fence}")
        lease = before["lease"]
        if entry["events"][0]["name"] == LATE:
            changed = {name for name in after if after[name] != before.get(name)}
            if not changed <= WRITTEN_LATE:
                self._break(4, f"{key}: a late worker has changed {sorted(changed)}")
            return
        if before["cancel_requested"] and not after["cancel_requested"]:
            self._break(7, f"{key}: a person's word to stop is overwritten")
        if after["cancel_requested"]:
            self._seen.cancelled.setdefault(key, self._seen.now)
        if fence == was + 1:
            self._seen.claimed[key] = self._seen.now
            self._judge_claim(key, before, after)
        elif entry["events"][0]["actor"] == "worker" and instance is not None:
            held, _ = self._seen.tenures.get(instance, {}).get(key, (0, 0.0))
            if held != was:
                self._break(4, f"{key}: a worker with fence {held} wrote under fence {was}")
        if instance is not None and (fence == was + 1 or lease is not None):
            self._seen.tenures.setdefault(instance, {})[key] = fence, self._seen.now

    def _judge_claim(self, key: str, before: Fields, after: Fields) -> None:
        if RollbackStatus(before["status"]) in ENDED_ROLLBACK_STATUSES:
            self._break(4, f"{key} was claimed after its end")
        lease = before["lease"]
        if lease is None or lease["message_id"] == after["lease"]["message_id"]:
            return
        if self._world.store.time() - lease["renewed_at"] <= LEASE_DURATION:
            self._break(4, f"{key} was taken from a living holder")

    def _judge_automatic(self, key: str, commit: Mapping[str, Fields]) -> None:
        cool_down = self._world.policy.gates.cool_down.total_seconds() - 600.0
        if self._world.forbidden:
            self._break(8, f"{key} goes back automatically though {self._world.forbidden}")
        # Each plan of this world releases its site and template: functions tell of a second step.
        targets = {fields["target"] for path, fields in commit.items() if f"{key}/steps/" in path}
        targets &= self._world.policy.functions.keys()
        for at, restored in self._automatic:
            if self._seen.now - at < cool_down and targets & restored:
                self._break(9, f"{key} goes back automatically within the cool-down")
        self._automatic.append((self._seen.now, targets))
        budget = commit.get("quotas/automatic", {"starts": ()})
        if len(budget["starts"]) != len(self._automatic):
            self._break(9, f"{key} was not counted in the budget")
