"""What must hold of an effect when a process sends it, before the network takes its time."""

from datetime import timedelta

from shared.domain.rollback.rollback import LEASE_DURATION
from shared.engine.steps.functions.redeploy import RedeployStep
from shared.engine.steps.resources import publish_remote_config, release_hosting
from shared.engine.steps.resources.release_hosting import ReleaseHostingStep
from tests.simulation.invariants.observations import SWITCHES, Fields, Seen
from tests.simulation.scenes.bookshop import SITE

RELEASE_TAKES = timedelta(seconds=ReleaseHostingStep.unconditional_timeout_seconds or 0.0)
BUILD_IS_SENT_WITHIN = timedelta(seconds=RedeployStep.unconditional_timeout_seconds or 0.0)
ROUND_TRIP = timedelta(milliseconds=50)
SWITCHES_OLD_SECONDS = 2.0
CALLS_TAKE_SECONDS = 0.3
"""What reading the switches and rehearsing a shift take by themselves."""


class SendingLaws:
    """An intent names it, its sender may still send it, and nobody has stopped it."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._built: set[str] = set()
        """Functions of which a build was sent: what failed of it nobody tells from a person's."""

    def shift(self, service: str, etag: str) -> None:
        """A process is about to shift: judged here, before the network takes its time."""
        for key, step in self._seen.intents():
            named = step["goal"].get("service") == service and step["seen"] == etag
            if named and step["kind"] in ("shift", "serve"):
                self._judge(key, step)
                self._seen.sent_by[step["target"]] = key
                return
        instance = self._seen.instance
        if instance is None or not instance.stood_still:
            self._break(3, f"{service} is shifted at {etag}, which no intent names")

    def release(self) -> None:
        """A process is about to release: nothing but its own care protects what is there."""
        for key, step in self._seen.intents():
            if step["kind"] == release_hosting.KIND:
                self._judge(key, step)
                lands_by = self._world.clock.now() + RELEASE_TAKES
                if step["deadline"] is None or lands_by > step["deadline"] + ROUND_TRIP:
                    self._break(4, f"a release is sent that may land after {step['deadline']}")
                if SITE in self._seen.by_hand and self._knew_of_it(SITE):
                    self._break(3, "a person's release is overwritten")
                return
        self._break(3, "the site is released, which no intent names")

    def build(self, function: str) -> None:
        """A process is about to have a function built: no precondition protects what is there."""
        for key, step in self._seen.intents():
            if step["kind"] == "redeploy" and step["target"] == function:
                self._judge(key, step)
                lands_by = self._world.clock.now() + BUILD_IS_SENT_WITHIN
                if step["deadline"] is None or lands_by > step["deadline"] + ROUND_TRIP:
                    self._break(4, f"a build is sent that may land after {step['deadline']}")
                planned_at = self._seen.frozen[f"{key}/steps/{step['name']}"]
                theirs = function in self._seen.redeployed and function not in self._built
                made_since = theirs and self._seen.by_hand[function] > planned_at
                if made_since and self._knew_of_it(function):
                    self._break(3, f"{function} is built over what a person has deployed")
                self._built.add(function)
                return
        instance = self._seen.instance
        if instance is None or not instance.stood_still:
            self._break(3, f"{function} is built, which no intent names")

    def _knew_of_it(self, target: str) -> bool:
        """Whether the sender should know that a person was there: its look was not before them.

        Between that look and the effect nothing but its own haste protects a person.
        """
        instance, now, looked = self._seen.instance, self._seen.now, self._seen.last_look_at(target)
        if instance is None or self._seen.by_hand[target] <= looked:
            return True
        return now - looked - instance.standstill_since(looked, now) > CALLS_TAKE_SECONDS

    def publish(self, etag: str) -> None:
        """A process is about to publish a template: the etag is what an intent names."""
        for key, step in self._seen.intents():
            if step["kind"] == publish_remote_config.KIND and step["seen"] == etag:
                self._judge(key, step)
                return
        instance = self._seen.instance
        if instance is None or not instance.stood_still:
            self._break(3, f"a template is published over {etag}, which no intent names")

    def _judge(self, key: str, step: Fields) -> None:
        instance, now = self._seen.instance, self._seen.now
        if instance is None:
            return
        name = f"{key} {step['name']}"
        held, renewed = self._seen.tenures.get(instance, {}).get(key, (0, -1e9))
        if now - renewed > LEASE_DURATION.total_seconds() + 1.0:
            self._break(4, f"{name} is sent by a worker whose lease ran out")
        for path in SWITCHES:
            asked, paused = self._seen.switches.get(instance, {}).get(path, (-1e9, False))
            age = now - asked - instance.standstill_since(asked, now)
            if paused:
                self._break(7, f"{name} is sent though a person has paused or frozen it")
            elif age > SWITCHES_OLD_SECONDS + CALLS_TAKE_SECONDS:
                self._break(7, f"{name} is sent on a look at {path} of {age:.1f} s ago")
        overtaken = held < self._seen.rollbacks[key]["fence"]
        for law, since, why in (
            (4, self._seen.claimed[key] if overtaken else now, "another worker has claimed it"),
            (7, self._seen.cancelled.get(key, now), "a person has cancelled it"),
        ):
            known_for = now - since - instance.standstill_since(since, now)
            if known_for > SWITCHES_OLD_SECONDS + CALLS_TAKE_SECONDS:
                self._break(law, f"{name} is sent, and {why} {known_for:.1f} s ago")
        steps = self._seen.steps[key]
        for before in step["after"]:
            if steps[before]["status"] not in ("DONE", "STOPPED"):
                self._break(8, f"{name} is sent before {before} has succeeded")
