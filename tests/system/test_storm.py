"""Ten thousand messages within a minute, while one rollback is carried out among them."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any

import pytest

from responders.triggers.clock import ClockTrigger
from shared.core import topics
from shared.domain.incidents import incident
from shared.domain.rollback import rollback
from shared.policy_files import loader
from tests.chaos import storm_messages
from tests.chaos.storm_messages import Told
from tests.support.runtime.world import POLICIES, World

pytestmark = pytest.mark.slice

CVPLUS = loader.load_policy(POLICIES / "cvplus.yaml")
SIZE = storm_messages.SIZE
MINUTE = timedelta(minutes=1)
GAP = MINUTE / SIZE
AT_EACH_SHIFT = 40
"""Messages that come in beside each shift of traffic."""
PAUSED_AT = 60
"""The shift that nothing follows while the kill switch is set."""
HOT = 12
"""So often may a document be written in the storm and all that follows it, save the rollback's."""


class OtherInstance:
    """The ports of an instance whose waiting takes nobody else's time."""

    def __init__(self, ports: Any) -> None:
        self._ports = ports
        self.clock = self

    def now(self) -> Any:
        return self._ports.clock.now()

    def monotonic(self) -> Any:
        return self._ports.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return at once: the others go on meanwhile."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ports, name)


class Storm:
    """The storm over one world: it goes on whenever the worker shifts traffic."""

    def __init__(self, seed: int) -> None:
        self.world = World(policy=CVPLUS)
        self.stable = self.world.live
        self.world.deploy_bad()
        ports: Any = OtherInstance(self.world.ports)
        self.world.responders[topics.CLOCK] = ClockTrigger(ports, {CVPLUS.system: CVPLUS})
        self.sent: list[tuple[str, Told]] = []
        """With the id that each message got."""
        self.shifts_at_pause = 0
        self.shifts_at_resume = 0
        now = self.world.ports.clock.now()
        self._coming = iter(storm_messages.storm(CVPLUS, now, Random(seed)))
        self._busy = False
        self._shifts = 0
        self.world.ports.world.hook = self._beside

    def rage(self) -> None:
        """Return when every message was sent, and all that followed is over."""
        while self._send(AT_EACH_SHIFT):
            self._work_off()
        self.shifts_at_resume = len(self.world.ports.world.applied_shifts)
        self._tell(storm_messages.switch("resume", "go-on"))
        self.world.start_instances()
        for path, fields in self.world.ports.store.documents.items():
            if path.startswith("alerts/"):  # Cloud Monitoring sees the end of each
                self.world.ports.alerts.open[fields["monitoring_id"]] = False
        self.world.pass_time(45 * MINUTE)

    def _beside(self, verb: str, side: str) -> None:
        """The storm goes on while the worker works."""
        if (verb, side) != ("platform.shift", "before") or self._busy:
            return
        self._shifts += 1
        if self._shifts == PAUSED_AT:
            self._tell(storm_messages.switch("pause", "stop-all"))
            self.shifts_at_pause = len(self.world.ports.world.applied_shifts) + 1
        self._busy = True
        self._send(AT_EACH_SHIFT)
        self._busy = False

    def _send(self, count: int) -> bool:
        """Whether there was anything of the storm left to send."""
        coming = list(islice(self._coming, count))
        for told in coming:
            self.world.ports.clock.advance(GAP)
            self._tell(told)
        return bool(coming)

    def _tell(self, told: Told) -> None:
        """Publish and deliver one message, until it is acknowledged."""
        world = self.world
        world.publish(told.topic, told.data)
        published = world.ports.bus.messages.pop()
        self.sent.append((published.id, told))
        while not world.deliver(published):
            world.ports.clock.advance(timedelta(seconds=1))

    def _work_off(self) -> None:
        """Deliver what the responders handed to one another."""
        for published in self.world.waiting():
            self.world.ports.bus.messages.remove(published)
            if not self.world.deliver(published):
                self.world.ports.bus.messages.append(published)


@pytest.fixture(scope="module")
def storm() -> Storm:
    storm = Storm(seed=1)
    storm.rage()
    return storm


def letters(storm: Storm) -> Counter[str]:
    """How many dead letters with a reason there are, by the id of the message."""
    kept = [one for one in storm.world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    return Counter(one.attributes["message_id"] for one in kept if one.attributes["reason"])


def lost(storm: Storm) -> Iterator[str]:
    """Messages of which nothing is left that should be."""
    documents, kept = storm.world.ports.store.documents, letters(storm)
    for name, told in storm.sent:
        proofs = [path.format(id=name) for path in told.leaves]
        if any(path not in documents for path in proofs) or kept[name] != int(told.refused):
            yield f"{told.kind} {name}: {proofs}, {kept[name]} dead letters"


def test_the_storm_is_one() -> None:
    """Ten thousand messages of twelve kinds, an incident of each function among them."""
    world = World(policy=CVPLUS)
    sent = storm_messages.storm(CVPLUS, world.ports.clock.now(), Random(1))

    kinds = Counter(told.kind for told in sent)
    assert len(sent) == SIZE
    assert len(kinds) == 12
    assert kinds["incident"] == len(CVPLUS.functions) == 151


def test_one_rollback_comes_of_it(storm: Storm) -> None:
    """One incident as bad as its worst alert, one rollback with effects, everything back."""
    world = storm.world
    [trouble] = world.incidents()
    with_effects = [one for one in world.rollbacks() if one.plan is not None]

    assert trouble.severity == "CRITICAL"
    assert trouble.status is incident.IncidentStatus.RESOLVED
    assert [one.status for one in with_effects] == [rollback.RollbackStatus.SUCCEEDED]
    assert world.live == storm.stable
    assert world.find_violated_invariants() == []


def test_the_kill_switch_answers_in_the_middle(storm: Storm) -> None:
    """After it was acknowledged no further shift is sent until a person lets go on."""
    assert 0 < storm.shifts_at_pause < len(CVPLUS.functions)
    assert storm.shifts_at_resume <= storm.shifts_at_pause
    assert len(storm.world.ports.world.applied_shifts) == len(CVPLUS.functions)


def test_nothing_is_lost_and_nothing_waits(storm: Storm) -> None:
    """Each message was acted on, recorded, or dead-lettered once with its reason."""
    assert list(lost(storm)) == []
    assert storm.world.waiting() == []
    assert len(storm.sent) == SIZE + 2


def test_no_document_is_hot(storm: Storm) -> None:
    """Joining writes only the alert's own document; what all share is written a few times."""
    writes = storm.world.ports.store.writes
    # The rollback's own, and what rides along with its commits; looks, which are due anyhow; and
    # when a channel was heard last, which rides along with each notice.
    own = ("rollbacks/", "quotas/", "probes/", "inventory/", "channels/")
    often = {path: times for path, times in writes.items() if times > HOT}

    assert [path for path in often if not path.startswith(own)] == []
    alerts = [times for path, times in writes.items() if path.startswith("alerts/")]
    assert len(alerts) > len(CVPLUS.functions)
    assert max(alerts) <= 2  # kept, and taken in by the decision
