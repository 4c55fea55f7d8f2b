"""What people, Monitoring and the application's own pipeline do, whatever the responders do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared.core import topics
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from tests.simulation.invariants.observations import TEMPLATE
from tests.simulation.scenes.bookshop import BAD, POLICY, SITE, SYSTEM, changed

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOSED_AFTER_SECONDS = 60.0
"""So long a condition has been well when Cloud Monitoring closes its incident."""
EVALUATED_EVERY_SECONDS = 20.0
PASSING = frozenset({"pause", "resume", "freeze", "ack"})
"""After these it goes on: each is lifted within two minutes, or stops nothing."""


class Others:
    """Everybody who acts on the system of one world from outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._other_policy = changed(world.policy)
        self.stops = 0
        """How often a person has paused or frozen automation."""

    def deploy_bad(self, functions: list[str] | None = None) -> None:
        """A bad release was made four minutes ago, after the last look; a hint of it may come."""
        world, random = self._world, self._world.random
        ago = timedelta(minutes=4)
        world.platform.deploy_at(world.clock.now() - ago, functions, failure_rate=0.9)
        if world.with_site:
            world.estate.show(BAD)
        if random.random() < 0.5:
            world.plan(random.choice((0.0, 30.0)) * random.random(), self.hint)

    def roll_out(self) -> None:
        """A release that began before reaches one function more, and a hint of it may come."""
        world = self._world
        function = world.random.choice([*world.policy.functions])
        world.excuses.add("a release goes on")
        world.forbidden = world.forbidden.replace("nothing was changed", "")
        self._unspared(function)
        world.note(f"rolled out: {function}")
        world.platform.deploy_at(world.clock.now(), [function], failure_rate=0.9)
        if world.random.random() < 0.7:
            self.hint()

    def hint(self) -> None:
        """The audit log tells of a change of what is live."""
        entry = {
            "logName": "any",
            "timestamp": self._world.clock.now().isoformat(),
            "protoPayload": {
                "serviceName": "run.googleapis.com",
                "methodName": "google.cloud.run.v2.Services.UpdateService",
                "resourceName": f"projects/{POLICY.project}/locations/any/services/any",
            },
        }
        self._world.bus.deliver(topics.DEPLOYMENTS, msgspec.json.encode(entry))

    def watched_alert(
        self,
        incident: str,
        subjects: Iterable[str],
        signal: str = "function_failure_rate",
        function: str | None = None,
    ) -> None:
        """Cloud Monitoring opens an incident, and closes it a minute after all of it works."""
        self._world.alert_states.open[incident] = True
        self.alert(incident, signal=signal, function=function)
        self._close_when_well(incident, tuple(subjects), signal, function, well_for=0.0)

    def _close_when_well(
        self, incident: str, subjects: tuple[str, ...], signal: str, function: str | None, well_for: float
    ) -> None:
        if any(map(self._world.truth.fails, subjects)):
            well_for = 0.0
        if well_for >= CLOSED_AFTER_SECONDS:
            self._world.alert_states.open[incident] = False
            self._world.laws.seen.alert_ends[incident] = self._world.scheduler.now
            if self._world.random.random() < 0.9:
                self.alert(incident, "closed", signal, function)
            return
        again = partial(
            self._close_when_well, incident, subjects, signal, function, well_for + EVALUATED_EVERY_SECONDS
        )
        self._world.scheduler.at(EVALUATED_EVERY_SECONDS, again)

    def heal(self, function: str) -> None:
        """What failed of a function stops to fail, and nobody of the responders did it."""
        world, service = self._world, self._world.platform.services()[function]
        world.excuses.add("it has recovered by itself")
        world.note(f"recovers by itself: {function}")
        if service.is_out:
            world.platform.end_outage(function)
        elif world.truth.fails(function):
            follows = service.traffic == (TrafficTarget(LATEST_REVISION, 100),)
            self._deploy(function)
            if not follows:
                self.release_by_hand(function, LATEST_REVISION)

    def alert(
        self,
        incident: str = "0.a",
        state: str = "open",
        signal: str = "function_failure_rate",
        function: str | None = None,
    ) -> None:
        """Cloud Monitoring notifies of trouble that began a minute ago."""
        labels = {"project_id": POLICY.project}
        if function is not None:
            labels["service_name"] = function
        began = int((self._world.clock.now() - timedelta(minutes=1)).timestamp())
        content = {
            "version": "1.2",
            "incident": {
                "incident_id": incident,
                "state": state,
                "started_at": began,
                "ended_at": began + 30 if state == "closed" else None,
                "policy_name": "any",
                "condition_name": "any",
                "summary": "any",
                "resource": {"type": "cloud_run_revision", "labels": labels},
                "policy_user_labels": {"rollback_system": SYSTEM, "rollback_signal": signal},
            },
        }
        self._world.note(f"alert {incident} {state}")
        self._world.laws.seen.alerted(incident, state)
        self._world.bus.deliver(topics.ALERTS, msgspec.json.encode(content))

    def command(self, verb: str, **content: Any) -> None:
        """A person publishes a command."""
        key = f"command-{self._world.new_id()}"
        said = {"version": 1, "id": key, "command": verb, "reason": "a test", "actor": "eve"}
        self._world.note(f"command {verb} {content}")
        self._world.laws.seen.commanded(key)
        self.stops += verb in ("pause", "freeze")
        if verb not in PASSING:
            self._world.excuses.add(f"a person ordered: {verb}")
        self._world.bus.deliver(topics.OVERRIDE, msgspec.json.encode({**said, **content}))

    def pause_for(self, seconds: float) -> None:
        """A person pauses automation, here or everywhere, and lets it go on later."""
        where = {"system": SYSTEM} if self._world.random.random() < 0.5 else {}
        self.command("pause", **where)
        self._world.plan(seconds, partial(self.command, "resume", **where))

    def freeze_for(self, seconds: float) -> None:
        """A person freezes everything, here or everywhere, from now on."""
        where = {"system": SYSTEM} if self._world.random.random() < 0.5 else {}
        until = self._world.clock.now() + timedelta(seconds=seconds)
        self.command("freeze", until=until.isoformat(), **where)

    def answer(self, verb: str) -> None:
        """A person says something about the newest incident, once they know of it."""
        system = self._world.store.peek(f"systems/{SYSTEM}") or {}
        if not system.get("incident"):
            self._world.plan(10.0, partial(self.answer, verb))
            return
        about = {"system": SYSTEM, "incident": system["incident"]}
        rollback = self._world.store.peek(f"rollbacks/{system['rollback']}") or {}
        question = rollback.get("question")
        if verb in ("approve", "reject") and question and self._world.random.random() < 0.7:
            about["plan"] = question["plan"]["fingerprint"]
        self.command(verb, **about)

    def publish_by_hand(self) -> None:
        """A person publishes another template."""
        self._world.excuses.add("a person published a template")
        self._world.note("by hand: a template")
        self._world.estate.publish_by_hand()
        self._world.laws.seen.changed_by_hand(TEMPLATE)

    def release_another_by_hand(self) -> None:
        """A person releases another version of the site."""
        self._world.excuses.add("a person released a version")
        self._world.note("by hand: the site")
        self._world.estate.release_by_hand()
        self._world.laws.seen.changed_by_hand(SITE)

    def change_by_hand(self) -> None:
        """A person sets the traffic of one function, or makes a new revision of it."""
        world = self._world
        function = self._anyones()
        if world.random.random() < 0.3:
            self._deploy(function)
        else:
            [newest, *_] = world.platform.services()[function].revisions
            world.platform.change_by_hand(function, (TrafficTarget(newest.name, 100, "mine"),))
            world.laws.seen.changed_by_hand(function)

    def deploy_by_hand(self) -> None:
        """A person makes a new revision of one function."""
        self._deploy(self._anyones())

    def _anyones(self) -> str:
        """The function that a person is about to change."""
        world = self._world
        function = world.random.choice([*world.policy.functions])
        world.excuses.add("a person changed traffic")
        world.note(f"by hand: {function}")
        self._unspared(function)
        return function

    def _deploy(self, function: str) -> None:
        world = self._world
        world.platform.deploy_at(world.clock.now(), [function], failure_rate=0.0)
        world.laws.seen.deployed_by_hand(function)

    def _unspared(self, function: str) -> None:
        """A canary that others have led elsewhere keeps nobody waiting."""
        policy = self._world.policy
        self._world.spared -= frozenset(policy.groups[policy.functions[function]].functions)

    def release_by_hand(self, function: str, revision: str) -> None:
        """A person or their pipeline sends all requests of a function to a revision."""
        self._world.platform.change_by_hand(function, (TrafficTarget(revision, 100),))
        self._world.laws.seen.changed_by_hand(function)

    def change_policy(self) -> None:
        """Instances that start from now on know another policy."""
        world = self._world
        world.excuses.add("the policy changed")
        world.spared = frozenset()  # another function is the canary now
        world.policy, self._other_policy = self._other_policy, world.policy
        world.delivery.start_anew()
