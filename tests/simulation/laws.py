"""The laws as invariants: judged at each commit, each effect and each message, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from shared import handover, outside, topics
from shared import incident as incidents
from shared.audit import Entry, Event, genesis
from shared.audit import faults as chain_faults
from shared.documents import decode
from shared.notice import Unless
from shared.ports import Document
from shared.rollback import ENDED, LEASE, Status, Way
from shared.steps import publish_template, release_hosting
from shared.steps.redeploy import Redeploy
from shared.steps.release_hosting import ReleaseHosting
from shared.system import GLOBAL
from shared.traffic import Traffic, shares
from tests.simulation.estate import POLICY, SITE, SYSTEM
from tests.simulation.pins import PinLaws

if TYPE_CHECKING:
    from tests.simulation.scheduler import Instance
    from tests.simulation.world import World

TEMPLATE = "template"
Fields = dict[str, Any]
IN_EFFECT = frozenset({Status.RUNNING, Status.VERIFYING})
SYSTEM_PATH = f"systems/{SYSTEM}"
SWITCHES = (GLOBAL, SYSTEM_PATH)
FEW_FAULTS = 4
"""With so many, a rollback must succeed; with more, its limits may end it, and somebody is told."""
TOLD_ONCE = frozenset(
    {
        *("incident.detected", "rollback.decided", "rollback.shifted", "rollback.verified"),
        *("rollback.succeeded", "rollback.failed", "rollback.cancelled", "step.done"),
    }
)
"""What happens at most once to a rollback, or to one of its steps."""
RELEASE_TAKES = timedelta(seconds=ReleaseHosting.unconditional_timeout_seconds or 0.0)
BUILD_IS_SENT_WITHIN = timedelta(seconds=Redeploy.unconditional_timeout_seconds or 0.0)
BOTH_READ_WITHIN = timedelta(seconds=1)
"""The two switches, one after the other: a window may end between them."""
ROUND_TRIP = timedelta(milliseconds=50)
SWITCHES_OLD_SECONDS = 2.0
CALLS_TAKE_SECONDS = 0.3
"""What reading the switches and rehearsing a shift take by themselves."""
WITHOUT_PLAN = frozenset({Status.NOT_TAKEN, Status.CANCELLED, Status.FAILED})
MAY_FOLLOW = {
    None: {Status.DECIDING},
    Status.DECIDING: {Status.PARKED, Status.RUNNING, *WITHOUT_PLAN},
    Status.PARKED: {Status.DECIDING, *WITHOUT_PLAN},
    Status.RUNNING: {Status.VERIFYING, Status.FAILED, Status.CANCELLED},
    Status.VERIFYING: {Status.RUNNING, Status.WATCHING, Status.FAILED, Status.CANCELLED},
    Status.WATCHING: {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
}
STEP_MAY_FOLLOW = {
    "PENDING": {"BEGUN", "SKIPPED", "UNNEEDED"},
    "BEGUN": {"DONE", "STOPPED", "FAILED", "PENDING"},
}


class Laws:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self.broken: list[str] = []
        self._world = world
        self._alerts: set[tuple[str, str]] = set()
        self._commands: set[str] = set()
        self._said: set[str] = set()
        self._switches: dict[Instance, dict[str, tuple[float, bool]]] = {}
        """Per instance and switch: when it was asked for, and whether it said stop."""
        self._tenures: dict[Instance, dict[str, tuple[int, float]]] = {}
        """Per instance and rollback: its fence, and when its newest commit was made."""
        self._cancelled: dict[str, float] = {}
        """When a person's word to stop each rollback was committed."""
        self._claimed: dict[str, float] = {}
        """When the newest claim of each rollback was."""
        self._sent_by: dict[str, str] = {}
        """Which rollback sent the newest shift of each function."""
        self._shifts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._by_hand: dict[str, float] = {}
        self._deployed_by_hand: set[str] = set()
        self._site_looked: dict[Instance, float] = {}
        self._build_looked: dict[tuple[Instance, str], float] = {}
        self._frozen: dict[str, float] = {}
        """When each rollback's plan was frozen, and each of its steps."""
        self._automatic: list[float] = []
        self._poison = 0
        self._pins = PinLaws(world, self._break)
        self._rollbacks: dict[str, Fields] = {}
        self._steps: dict[str, dict[str, Fields]] = {}

    def _break(self, law: int, what: str) -> None:
        said = f"law {law}: {what}"
        self._world.note(f"BROKEN {said}")
        self.broken.append(said)

    @property
    def _now(self) -> float:
        return self._world.scheduler.now

    @property
    def _instance(self) -> Instance | None:
        task = self._world.scheduler.current
        return task.instance if task else None

    # What people and Monitoring asked for

    def alerted(self, incident: str, state: str) -> None:
        """An alert was published: it must be kept, and attended to."""
        self._alerts.add((incident, state))

    def commanded(self, key: str) -> None:
        """A command was published: it must be carried out."""
        self._commands.add(key)

    def poisoned(self) -> None:
        """A message that nobody can act on was published: it must become a dead letter."""
        self._poison += 1

    def changed_by_hand(self, function: str) -> None:
        """A person was at a function: nothing that was planned before may touch it any more."""
        self._by_hand[function] = self._now
        self._deployed_by_hand.discard(function)

    def deployed_by_hand(self, function: str) -> None:
        """A person has made a new revision: within a roll-out nobody tells it from the roll-out."""
        self._by_hand[function] = self._now
        self._deployed_by_hand.add(function)

    # Reads

    def read(self, path: str, document: Document, asked: float) -> None:
        """Somebody has read a document; the switches are remembered."""
        instance = self._instance
        if path in SWITCHES and instance is not None:
            fields = document.fields or {}
            frozen = any(
                one["begins_at"] <= document.read_at < one["until"] - BOTH_READ_WITHIN
                for one in fields.get("freezes", ())
            )
            stops = bool(fields.get("pause")) or frozen
            self._switches.setdefault(instance, {})[path] = asked, stops

    def looked_at_site(self) -> None:
        """Somebody has looked at the site."""
        if self._instance is not None:
            self._site_looked[self._instance] = self._now

    def looked_at_build(self, function: str) -> None:
        """Somebody has looked at what a function was built from."""
        if self._instance is not None:
            self._build_looked[self._instance, function] = self._now

    # Commits

    def committed(self, before: Mapping[str, Fields | None]) -> None:
        """A commit has landed: judge what it has made of each document."""
        peek = self._world.store.peek
        after = {path: peek(path) or {} for path in before}
        for path, fields in after.items():
            kind, _, rest = path.partition("/")
            if kind == "rollbacks" and "/" not in rest:
                self._judge_rollback(rest, before[path], fields, after)
            elif kind == "rollbacks" and "/steps/" in rest:
                self._judge_step(rest, before[path], fields, after)
            elif kind == "alerts":
                self._judge_alert(path, before[path], fields)
            elif kind == "incidents":
                self._judge_incident(before[path], fields, after)
        self._judge_system()

    def _judge_rollback(
        self, key: str, before: Fields | None, after: Fields, commit: Mapping[str, Fields]
    ) -> None:
        self._rollbacks[key] = after
        status = Status(after["status"])
        was = Status(before["status"]) if before else None
        entry = commit.get(f"rollbacks/{key}/audit/{after['sequence']:06d}")
        if entry is None or entry["hash"] != after["audit_head"]:
            self._break(5, f"{key} was written without its event")
            return
        if after["sequence"] != (before["sequence"] if before else 0) + 1:
            self._break(5, f"{key} goes from entry {before and before['sequence']}")
        if status is not was:
            self._judge_turn(key, was, status, after)
        if (status in ENDED) != (after["due_at"] is None):
            self._break(6, f"{key} is {status} and due at {after['due_at']}")
        if before:
            self._judge_fence(key, before, after, entry)
        verified = after["verified_at"] is not None and after["order"] is None
        led_back = {step["target"] for step in self._steps.get(key, {}).values()}
        if verified and self._world.incurable in led_back:
            self._break(8, f"{key} is called verified, and {self._world.incurable} still fails")
        if status is Status.RUNNING and was is Status.DECIDING:
            self._frozen[key] = self._now
            self._judge_approval(key, after)
            if after["order"] is None:
                self._judge_automatic(key, commit)
        if status is not was and was is not None and self._speaks(before, after):
            self._require_notice(key, after, commit)

    def _judge_turn(self, key: str, was: Status | None, status: Status, after: Fields) -> None:
        """What a rollback may become; an undo is over once it is done, well or ill."""
        undo = (after["order"] or {}).get("way") == Way.UNDO
        over = undo and (was, status) == (Status.RUNNING, Status.SUCCEEDED)
        if status not in MAY_FOLLOW.get(was, ()) and not over:
            self._break(6, f"{key} went from {was} to {status}")
        if status is Status.SUCCEEDED:
            self._pins.ended(after, self._steps.get(key, {}), self._by_hand)

    @staticmethod
    def _speaks(before: Fields | None, after: Fields) -> bool:
        """Whether a turn is news: a question that was asked before is asked on in silence."""
        asked_before = before and before["question"] and before["question"] == after["question"]
        return after["status"] != Status.DECIDING and not (
            after["status"] == Status.PARKED and asked_before
        )

    def _judge_approval(self, key: str, after: Fields) -> None:
        """A plan begins: approved, where people are asked, and rejected by nobody."""
        if after["rejected"]:
            self._break(7, f"{key} goes back though it was rejected")
        if not self._world.asks or after["order"] is not None:
            return
        wanted = [one for one in after["approvals"] if one["plan"] == after["plan"]["fingerprint"]]
        if not wanted:
            self._break(7, f"{key} goes back by a plan that nobody has approved")
        if any(one["command"] not in self._commands for one in after["approvals"]):
            self._break(7, f"{key} has an approval that nobody gave")

    def _require_notice(self, key: str, after: Fields, commit: Mapping[str, Fields]) -> None:
        """Each turn is said, from the commit on in which it happens."""
        if not any(path.startswith("notices/") for path in commit):
            self._break(12, f"{key} became {after['status']} and nobody is told")

    def _judge_fence(self, key: str, before: Fields, after: Fields, entry: Fields) -> None:
        instance = self._instance
        fence, was = after["fence"], before["fence"]
        if fence not in (was, was + 1):
            self._break(4, f"{key}: fence {was} became {fence}")
        lease = before["lease"]
        if before["cancel_requested"] and not after["cancel_requested"]:
            self._break(7, f"{key}: a person's word to stop is overwritten")
        if after["cancel_requested"]:
            self._cancelled.setdefault(key, self._now)
        if fence == was + 1:
            self._claimed[key] = self._now
            self._judge_claim(key, before, after)
        elif entry["events"][0]["actor"] == "worker" and instance is not None:
            held, _ = self._tenures.get(instance, {}).get(key, (0, 0.0))
            if held != was:
                self._break(4, f"{key}: a worker with fence {held} wrote under fence {was}")
        if instance is not None and (fence == was + 1 or lease is not None):
            self._tenures.setdefault(instance, {})[key] = fence, self._now

    def _judge_claim(self, key: str, before: Fields, after: Fields) -> None:
        if Status(before["status"]) in ENDED:
            self._break(4, f"{key} was claimed after its end")
        lease = before["lease"]
        if lease is None or lease["message_id"] == after["lease"]["message_id"]:
            return
        if self._world.store.time() - lease["renewed_at"] <= LEASE:
            self._break(4, f"{key} was taken from a living holder")

    def _judge_automatic(self, key: str, commit: Mapping[str, Fields]) -> None:
        cool_down = POLICY.gates.cool_down.total_seconds() - 600.0
        if self._world.forbidden:
            self._break(8, f"{key} goes back automatically though {self._world.forbidden}")
        if self._automatic and self._now - self._automatic[-1] < cool_down:
            self._break(9, f"{key} goes back automatically within the cool-down")
        self._automatic.append(self._now)
        budget = commit.get("quotas/automatic", {"starts": ()})
        if len(budget["starts"]) != len(self._automatic):
            self._break(9, f"{key} was not counted in the budget")

    def _judge_step(
        self, path: str, before: Fields | None, after: Fields, commit: Mapping[str, Fields]
    ) -> None:
        key, _, name = path.partition("/steps/")
        steps = self._steps.setdefault(key, {})
        steps[name] = after
        status = after["status"]
        if before is None:
            self._frozen[path] = self._now
            return
        was = before["status"]
        if status == was:
            return
        rollback = commit.get(f"rollbacks/{key}")
        if rollback is None:
            self._break(4, f"{key} {name} was written without its rollback")
            return
        entry = commit.get(f"rollbacks/{key}/audit/{rollback['sequence']:06d}", {"events": []})
        told = [event["facts"].get("step") for event in entry["events"]]
        if name not in told:
            self._break(5, f"{key} {name} became {status} without its event")
        if status not in STEP_MAY_FOLLOW.get(was, ()):
            self._break(3, f"{key} {name} went from {was} to {status}")
        if status == "BEGUN" and rollback["cancel_requested"]:
            self._break(7, f"{key} {name} was begun though a person wants it to stop")
        if status == "DONE" and after["kind"] == "shift" and not self._arrived(after):
            self._break(3, f"{key} {name} is called done, and is not")

    def _arrived(self, step: Fields) -> bool:
        """Whether the routers do what the step wants, or a person has been there since."""
        function = step["target"]
        if self._by_hand.get(function, -1.0) >= 0:
            return True
        newest = self._world.platform.services()[function].latest_ready
        goal = {
            one["revision"] or newest: one["percent"]
            for one in step["goal"]["traffic"]
            if one["percent"]
        }
        return self._world.platform.live(function) == goal

    def _judge_alert(self, path: str, before: Fields | None, after: Fields) -> None:
        twins = [
            other
            for other, fields in self._world.store.documents_of("alerts")
            if (fields["monitoring_id"], fields["state"])
            == (after["monitoring_id"], after["state"])
        ]
        if len(twins) > 1:
            self._break(2, f"the same alert is kept twice: {twins}")
        if before and before["absorbed_by"] not in ("", after["absorbed_by"]):
            self._break(
                2, f"{path} was judged by {before['absorbed_by']} and {after['absorbed_by']}"
            )

    def _judge_incident(
        self, before: Fields | None, after: Fields, commit: Mapping[str, Fields]
    ) -> None:
        if before is not None:
            return
        kinds = {path.partition("/")[0] for path in commit}
        if not {"public", "notices", "rollbacks", "systems"} <= kinds:
            self._break(12, f"{after['id']} was detected without all that goes with it")

    def _judge_system(self) -> None:
        peek = self._world.store.peek
        system = peek(SYSTEM_PATH) or {}
        active = [key for key, one in self._rollbacks.items() if one["status"] in IN_EFFECT]
        if len(active) > 1:
            self._break(1, f"{active} have effects in flight together")
        if active and system.get("slot") != active[0]:
            self._break(1, f"{active[0]} has effects in flight without the slot")
        current = peek(incidents.path(system["incident"])) if system.get("incident") else None
        if current:
            public = peek(incidents.public_path(SYSTEM)) or {}
            word = incidents.PUBLIC_WORDS[incidents.Status(current["status"])]
            if (public.get("incident"), public.get("word")) != (current["id"], word):
                self._break(12, f"the public is told {public.get('word')} while it is {word}")

    # Messages

    def published(self, topic: str, data: bytes) -> None:
        """A process hands something over: it must have been committed before."""
        if topic not in (topics.WORK, topics.NOTICES):
            return
        due = msgspec.json.decode(data)
        kept = handover.COLLECTIONS[due["kind"]]
        if self._world.store.peek(f"{kept}/{due['id']}") is None:
            self._break(11, f"{due['id']} was handed over before it was committed")

    def said(self, key: str) -> None:
        """A channel has taken a notice: what came before it in its lane was said, or is over."""
        notice = self._world.store.peek(f"notices/{key}") or {}
        if key in self._said or notice.get("unless"):
            return
        self._said.add(key)
        for path, other in self._world.store.documents_of("notices"):
            mine = (other["lane"], other["unless"]) == (notice["lane"], "")
            unsaid = other["status"] == "PENDING" and other["id"] not in self._said
            if mine and unsaid and other["since"] < notice["since"]:
                self._break(12, f"{key} was said before {path}")

    # Effects

    def sending(self, service: str, etag: str) -> None:
        """A process is about to shift: judged here, before the network takes its time."""
        for key, step in self._intents():
            named = step["goal"].get("service") == service and step["seen"] == etag
            if named and step["kind"] in ("shift", "serve"):
                self._judge_sending(key, step)
                self._sent_by[step["target"]] = key
                return
        instance = self._instance
        if instance is None or not instance.stood_still:
            self._break(3, f"{service} is shifted at {etag}, which no intent names")

    def _intents(self) -> Iterator[tuple[str, Fields]]:
        """The steps begun of rollbacks that have not ended, as committed."""
        for key, steps in self._steps.items():
            if self._rollbacks[key]["status"] == Status.RUNNING:
                yield from ((key, step) for step in steps.values() if step["status"] == "BEGUN")

    def releasing(self) -> None:
        """A process is about to release: nothing but its own care protects what is there."""
        for key, step in self._intents():
            if step["kind"] == release_hosting.KIND:
                self._judge_sending(key, step)
                lands_by = self._world.clock.now() + RELEASE_TAKES
                if step["deadline"] is None or lands_by > step["deadline"] + ROUND_TRIP:
                    self._break(4, f"a release is sent that may land after {step['deadline']}")
                looked = self._site_looked.get(self._instance, -1.0) if self._instance else -1.0
                if self._by_hand.get(SITE, -1.0) > looked:
                    self._break(3, "a person's release is overwritten")
                return
        self._break(3, "the site is released, which no intent names")

    def building(self, function: str) -> None:
        """A process is about to have a function built: no precondition protects what is there."""
        for key, step in self._intents():
            if step["kind"] == "redeploy" and step["target"] == function:
                self._judge_sending(key, step)
                lands_by = self._world.clock.now() + BUILD_IS_SENT_WITHIN
                if step["deadline"] is None or lands_by > step["deadline"] + ROUND_TRIP:
                    self._break(4, f"a build is sent that may land after {step['deadline']}")
                return
        instance = self._instance
        if instance is None or not instance.stood_still:
            self._break(3, f"{function} is built, which no intent names")

    def publishing(self, etag: str) -> None:
        """A process is about to publish a template: the etag is what an intent names."""
        for key, step in self._intents():
            if step["kind"] == publish_template.KIND and step["seen"] == etag:
                self._judge_sending(key, step)
                return
        instance = self._instance
        if instance is None or not instance.stood_still:
            self._break(3, f"a template is published over {etag}, which no intent names")

    def published_template(self) -> None:
        """A publication of ours takes effect."""
        self._world.note("published a template")
        if TEMPLATE in self._by_hand:  # plans go back from the bad release, and from nothing else
            self._break(3, "a template is taken from the person who published it")

    def _judge_sending(self, key: str, step: Fields) -> None:
        instance, now = self._instance, self._now
        if instance is None:
            return
        name = f"{key} {step['name']}"
        held, renewed = self._tenures.get(instance, {}).get(key, (0, -1e9))
        if now - renewed > LEASE.total_seconds() + 1.0:
            self._break(4, f"{name} is sent by a worker whose lease ran out")
        for path in SWITCHES:
            asked, paused = self._switches.get(instance, {}).get(path, (-1e9, False))
            age = now - asked - instance.standstill_since(asked, now)
            if paused:
                self._break(7, f"{name} is sent though a person has paused or frozen it")
            elif age > SWITCHES_OLD_SECONDS + CALLS_TAKE_SECONDS:
                self._break(7, f"{name} is sent on a look at {path} of {age:.1f} s ago")
        overtaken = held < self._rollbacks[key]["fence"]
        for law, since, why in (
            (4, self._claimed[key] if overtaken else now, "another worker has claimed it"),
            (7, self._cancelled.get(key, now), "a person has cancelled it"),
        ):
            known_for = now - since - instance.standstill_since(since, now)
            if known_for > SWITCHES_OLD_SECONDS + CALLS_TAKE_SECONDS:
                self._break(law, f"{name} is sent, and {why} {known_for:.1f} s ago")
        steps = self._steps[key]
        for before in step["after"]:
            if steps[before]["status"] not in ("DONE", "STOPPED"):
                self._break(8, f"{name} is sent before {before} has succeeded")

    def shifted(self, function: str, traffic: Traffic) -> None:
        """A shift of ours was accepted."""
        sender = self._sent_by.get(function)  # it may land when its intent is taken back already
        ordered = sender is not None and self._rollbacks[sender]["order"]
        if self._world.forbidden and not ordered:
            self._break(8, f"{function} is shifted though {self._world.forbidden}")
        if function in self._world.spared and not ordered:
            self._break(8, f"{function} is shifted though its canary is no better")
        wanted = shares(traffic, "")
        service = self._world.platform.services()[function]
        if (
            not service.fault
            and shares(service.traffic, "") == wanted
            and (service.pending is None or not service.pending.error)
        ):
            self._break(3, f"{function} is shifted twice")
        planned = [
            self._planned_at(key, step)
            for key, step in self._intents()
            if step["target"] == function
        ]
        asked_again = shares(service.traffic, "") == wanted  # it takes nothing from anybody
        if not asked_again and self._asked_for(function) == shares(service.traffic, ""):
            asked_again = True  # a person's list that is our own goal is told apart by nobody
        if not asked_again and self._by_hand.get(function, -1.0) > min(planned, default=1e9):
            self._break(3, f"{function} is taken from the person who changed it")
        if sender is not None:
            self._pins.shifted(self._rollbacks[sender]["incident"], function)
        self._shifts[function] += 1
        self._world.note(f"shifted {function}")

    def _planned_at(self, key: str, step: Fields) -> float:
        """When a step was planned, as far as what a person did to its target counts.

        An extension takes back what was deployed until then, as it follows the roll-out; where a
        person has led requests it has no part in.
        """
        if step["target"] in self._deployed_by_hand:
            return self._frozen[f"{key}/steps/{step['name']}"]
        return self._frozen[key]

    def _asked_for(self, function: str) -> dict[str, int]:
        """Percent per revision that the plan's own shift of a function asks for."""
        for key, _ in self._intents():
            step = self._steps[key].get(f"shift {function}")
            if step is not None:
                return {one["revision"]: one["percent"] for one in step["goal"]["traffic"]}
        return {}

    def released(self, version: str) -> None:
        """A release of ours takes effect."""
        self._world.note(f"released {version}")
        if self._world.estate.sites[SITE].version == version:
            self._break(3, f"{version} is released twice")

    def built(self, function: str) -> None:
        """A build of ours is accepted: one that succeeded, or may, makes another one senseless."""
        self._world.note(f"building {function}")
        if self._world.forbidden:
            self._break(8, f"{function} is built though {self._world.forbidden}")
        if self._world.builder.succeeded(function):
            self._break(3, f"{function} is built twice")

    # The end

    def nothing_is_due(self) -> bool:
        """Whether nobody has to look at anything again, but in a day."""
        documents = self._world.store.documents_of
        return not any(
            fields["due_at"] is not None and not _in_a_day(fields)
            for collection in ("rollbacks", "notices", "commands", "reports")
            for _, fields in documents(collection)
        )

    def at_the_end(self) -> None:
        """What must hold once nothing is left to do."""
        self._require_ends()
        self._require_memory()
        self._require_chains()
        self._pins.at_the_end(self._steps, set(self._by_hand))
        if not self._world.excuses and self._world.mishaps.injected.total() <= FEW_FAULTS:
            self._require_success()

    def _require_ends(self) -> None:
        for key, one in self._rollbacks.items():
            if one["status"] not in ENDED:
                self._break(6, f"{key} never ended: {one['status']} due at {one['due_at']}")
            if one["in_flight"] and one["status"] in (Status.SUCCEEDED, Status.CANCELLED):
                self._break(7, f"{key} {one['status']} with {one['in_flight']} in flight")
        system = self._world.store.peek(SYSTEM_PATH) or {}
        if system.get("slot"):
            self._break(1, f"{system['slot']} still holds the slot")
        for path, notice in self._world.store.documents_of("notices"):
            if (
                notice["status"] not in ("SENT", "WITHDRAWN")
                and not _in_a_day(notice)
                and "the policy changed" not in self._world.excuses
            ):
                self._break(12, f"{path} is {notice['status']}")
        for path, report in self._world.store.documents_of("reports"):
            about = self._world.store.peek(incidents.path(report["incident"])) or {}
            if about.get("ended_at") and report["written_at"] is None:
                self._break(12, f"{path} was never written")

    def _require_memory(self) -> None:
        peek = self._world.store.peek
        documents = self._world.store.documents_of
        kept = {(one["monitoring_id"], one["state"]): one for _, one in documents("alerts")}
        for alert in sorted(self._alerts):
            if alert not in kept:
                self._break(11, f"the alert {alert} was lost")
        closed = {name for name, state in kept if state == "closed"}
        for (name, state), one in kept.items():
            if state == "open" and name not in closed and not self._attended(one):
                self._break(2, f"the alert {name} was never judged")
        for key in sorted(self._commands):
            answered = peek(f"commands/{key}") is not None or self._is_refused(key)
            if not answered and "a command was late" not in self._world.excuses:
                self._break(11, f"the command {key} was lost")
        if len(self._world.bus.dead_letters) < self._poison:
            self._break(11, f"{self._poison} refused messages, but fewer dead letters")
        said = Counter(sent.key for sent in self._world.sender.sent if not sent.notice["repeated"])
        for key, times in said.items():
            if times > 1:
                self._break(12, f"{key} was said {times} times, unmarked")

    def _is_refused(self, key: str) -> bool:
        """Whether a command has become a dead letter."""
        return any(f'"{key}"'.encode() in letter for letter in self._world.bus.dead_letters)

    def _attended(self, alert: Fields) -> bool:
        """Whether a rollback has judged it, or a person has it in hand."""
        if alert["absorbed_by"]:
            return True
        superseded = any(
            one["incident"] == alert["incident"] and one["status"] == Status.CANCELLED
            for one in self._rollbacks.values()
        )
        if superseded:
            return True
        incident = self._world.store.peek(incidents.path(alert["incident"])) or {}
        return bool(incident.get("status") == "ESCALATED")

    def _require_chains(self) -> None:
        documents = self._world.store.documents_of
        for key, one in self._rollbacks.items():
            trail = [decode(Entry, entry) for _, entry in documents(f"rollbacks/{key}/audit")]
            end = one["audit_head"], one["sequence"]
            for fault in chain_faults(f"rollbacks/{key}", trail, *end):
                self._break(5, f"{key}: {fault}")
            told = Counter(
                (event.name, event.facts.get("step", ""))
                for entry in trail
                for event in entry.events
                if event.name in TOLD_ONCE
            )
            again = {("rollback.shifted", ""): (one["plan"] or {}).get("extensions", 0)}
            for turn, times in told.items():
                if times > 1 + again.get(turn, 0):
                    self._break(5, f"{key}: {turn} is told {times} times")
        for system in (SYSTEM, outside.EVERYWHERE, outside.UNCLAIMED):
            self._require_sealed(system)

    def _require_sealed(self, system: str) -> None:
        documents = self._world.store.documents_of
        kept = [
            (decode(Event, {name: one[name] for name in one if name != "sealed"}), one["sealed"])
            for _, one in documents(outside.events_of(system))
        ]
        seals = [decode(Entry, entry) for _, entry in documents(outside.seals(system))]
        head = self._world.store.peek(outside.head_path(system)) or {}
        name = outside.chain(system)
        end = head.get("hash", genesis(name)), head.get("sequence", 0)
        found = chain_faults(name, seals, *end)
        for fault in (*found, *outside.faults(seals, kept)):
            self._break(5, f"{system}: {fault}")
        for event, sealed in kept:
            if sealed == outside.LOOSE:
                self._break(5, f"{system}: {event.name} was never sealed")

    def _require_success(self) -> None:
        if not self._rollbacks:
            return
        for key, one in self._rollbacks.items():
            if one["status"] != Status.SUCCEEDED:
                self._break(6, f"{key} {one['status']}: {one['outcome']}")
        for function, stable in self._world.stable.items():
            live = self._world.platform.live(function)
            if live != stable and not self._world.builder.serves(function, live):
                self._break(6, f"{function} is not back")


def _in_a_day(fields: Mapping[str, Any]) -> bool:
    """Whether it is the reminder of a root cause, for which no world waits."""
    return bool(fields.get("unless") == Unless.ANALYSED and not fields["attempts"])
