"""The policies in force: published, refused, unreadable, and frozen with a plan."""

import json
from datetime import timedelta

import pytest

from responders.support.published_policies import CHECK_INTERVAL_SECONDS, PublishedPolicies
from responders.triggers.registry import TRIGGERS, Trigger
from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Query
from shared.domain.rollback.rollback import RollbackStatus
from shared.policy_files import loader
from shared.policy_files.loader import PUBLISHED_OBJECT
from tests.support.fakes.runtime.hooks import no_hook, raise_error, run_once
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.notices.system_events import notified_texts, system_event_names
from tests.support.runtime.world import POLICIES, World

TEXT = (POLICIES / "example.yaml").read_text()
BUNDLED = loader.parse_policy(TEXT, "bookshop.yaml")
STRICT = TEXT.replace("minimum_requests: 5 #", "minimum_requests: 50 #")
STRICTER = TEXT.replace("minimum_requests: 5 #", "minimum_requests: 90 #")
BROKEN = TEXT.replace("minimum_requests: 5 #", "minimum_requests: many #")


class Installation:
    """A world whose policies are published; each instance has the copy in its archive as well."""

    def __init__(self) -> None:
        self.world = World(policy=BUNDLED)
        self.ports = self.world.ports
        self.bucket = self.ports.policies_bucket = MemoryPages()

    def publish(self, text: str) -> int:
        """Replace the object, as an apply, a person with the CLI or gcloud does."""
        content = json.dumps({"bookshop.yaml": text}).encode()
        return self.put(content)

    def put(self, content: bytes) -> int:
        live = self.bucket.generation(PUBLISHED_OBJECT)
        self.bucket.put(PUBLISHED_OBJECT, content, "application/json", live)
        return self.bucket.generation(PUBLISHED_OBJECT)

    def start_instance(self) -> PublishedPolicies:
        """A fresh instance: nothing remembered."""
        return PublishedPolicies(self.ports)

    def differences(self) -> list[list[str]]:
        """What the audit log says of each change, in order."""
        events = self.ports.store.query(Query("systems/bookshop/audit", order_by="at"))
        facts = [
            one.fields["facts"] for one in events if one.fields and one.fields["name"] == "policy.changed"
        ]
        return [one["difference"] for one in facts]

    def let_check(self) -> None:
        """Let the instances look for a newer generation with their next message."""
        self.ports.clock.advance(timedelta(seconds=CHECK_INTERVAL_SECONDS))


@pytest.fixture
def installed() -> Installation:
    return Installation()


def minimum(instance: PublishedPolicies) -> int:
    """The number that the texts of these tests differ in, as it is in force."""
    return instance.current().policies["bookshop"].gates.minimum_requests


def test_a_published_number_is_in_force_without_a_build(installed: Installation) -> None:
    """A running instance takes it over, and so does one that starts later."""
    running = installed.start_instance()
    installed.publish(TEXT)
    before = minimum(running)
    generation = installed.publish(STRICT)
    installed.let_check()

    assert (before, minimum(running), minimum(installed.start_instance())) == (5, 50, 50)
    assert running.current().generation == generation


def test_an_unchanged_generation_is_not_read_again(installed: Installation) -> None:
    """An instance looks at the generation alone, and at most once an interval."""
    installed.publish(STRICT)
    running = installed.start_instance()
    first = running.current()
    looks: list[str] = []
    installed.bucket.hook = lambda verb, side: looks.append(f"{side} {verb}")

    at_once = running.current()
    installed.let_check()
    later = running.current()

    assert first is at_once is later
    assert looks == ["before pages.generation", "after pages.generation"]


def test_each_change_is_in_the_audit_log_once_with_its_difference(installed: Installation) -> None:
    """Whichever instance sees it, also where none saw the one before; no change, no event."""
    installed.publish(TEXT)
    installed.start_instance().current()
    installed.publish(STRICT)
    installed.publish(STRICTER)
    for _ in range(3):
        installed.start_instance().current()

    changed = [[line.strip() for line in lines if line[0] in "+-"] for lines in installed.differences()]
    assert sorted(changed) == [
        ["-  minimum_requests: 5 # a small shop", "+  minimum_requests: 50 # a small shop"],
        ["-  minimum_requests: 50 # a small shop", "+  minimum_requests: 90 # a small shop"],
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (json.dumps({"bookshop.yaml": BROKEN}), "bookshop.yaml:102: "),
        ("no JSON", "policies.json: "),
        ('{"bookshop.yaml": "\\ud800"}', "policies.json: "),
        ("[" * 100_000, "policies.json: "),
        ('{"bookshop.yaml": 5}', "policies.json: "),
        ("{}", "only an apply changes systems, projects and regions"),
        (
            json.dumps({"x.yaml": TEXT.replace("project: bookshop-prod", "project: other-prod")}),
            "only an apply",
        ),
        (json.dumps({"x.yaml": TEXT.replace("system: bookshop", "system: other")}), "only an apply"),
    ],
)
def test_what_is_not_valid_is_refused_and_the_last_valid_one_stays(
    installed: Installation, content: str, why: str
) -> None:
    """In a running instance and in a fresh one; with an audit event and one notice to the team."""
    installed.publish(STRICT)
    running = installed.start_instance()
    before = minimum(running)
    installed.put(content.encode())
    installed.let_check()
    after = minimum(running), minimum(installed.start_instance()), minimum(installed.start_instance())

    assert (before, after) == (50, (50, 50, 50))
    assert system_event_names(installed.world, "policy.refused") == ["policy.refused"]
    [text] = notified_texts(installed.world, "policy.refused")
    assert text.startswith("The published policies are refused, the last valid ones stay in force: ")
    assert why in text
    channels = [one.name for one in BUNDLED.channels if one.audience == "team"]
    notices = [one for one in installed.ports.store.query(Query("notices")) if one.fields]
    told = [one.fields["channel"] for one in notices if one.fields["event"] == "policy.refused"]  # type: ignore[index]
    assert sorted(told) == sorted(channels) != []


def test_a_valid_one_after_a_refused_one_is_in_force(installed: Installation) -> None:
    """Its difference is told from the last valid one, not from the refused one."""
    installed.publish(STRICT)
    running = installed.start_instance()
    running.current()
    installed.publish(BROKEN)
    installed.let_check()
    running.current()
    installed.publish(STRICTER)
    installed.let_check()

    assert minimum(running) == 90
    assert "-  minimum_requests: 50 # a small shop" in installed.differences()[-1]


@pytest.mark.parametrize("verb", ["pages.generation", "pages.history"])
@pytest.mark.parametrize("failure", [Unavailable("no answer"), Rejected("403: no"), RecursionError()])
def test_an_unreadable_bucket_leaves_what_is_in_force(
    installed: Installation, verb: str, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """A running instance keeps its policies, a fresh one has its archive's; both check again."""
    installed.publish(STRICT)
    running = installed.start_instance()
    running.current()
    installed.publish(STRICTER)
    installed.let_check()
    fresh = installed.start_instance()
    installed.bucket.hook = raise_error(verb, failure)

    during = minimum(running), minimum(fresh)
    installed.bucket.hook = no_hook
    installed.let_check()

    assert during == (50, 5)
    assert (minimum(running), minimum(fresh)) == (90, 90)
    assert "the published policies cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_change_whose_record_got_no_answer_is_recorded_once(installed: Installation, side: str) -> None:
    """The policy is in force only with its audit event: the next check tries again."""
    installed.publish(STRICT)
    running = installed.start_instance()
    store = installed.ports.store
    store.hook = raise_error("store.commit", Unavailable("lost"), side)
    during = minimum(running)
    store.hook = no_hook
    installed.let_check()

    assert (during, minimum(running)) == (5, 50)
    assert len(installed.differences()) == 1


def test_of_two_changes_none_is_lost_when_the_second_record_gets_no_answer(installed: Installation) -> None:
    """The older one is recorded first: the next check looks no further than the newest record."""
    installed.publish(STRICT)
    installed.publish(STRICTER)
    running, commits = installed.start_instance(), iter([False, True])

    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "before") and next(commits, False):
            raise Unavailable("lost")

    installed.ports.store.hook = hook
    running.current()
    installed.ports.store.hook = no_hook
    installed.let_check()
    running.current()

    assert len(installed.differences()) == 2


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("text", [STRICT, BROKEN])
def test_an_instance_that_dies_leaves_one_record(installed: Installation, text: str, side: str) -> None:
    """Whether it dies before or after its commit, the next instance ends with one event."""
    installed.publish(text)
    store = installed.ports.store
    store.hook = raise_error("store.commit", KeyboardInterrupt(), side)
    with pytest.raises(KeyboardInterrupt):
        installed.start_instance().current()
    store.hook = no_hook
    installed.start_instance().current()

    assert len(system_event_names(installed.world, "policy.")) == 1


@pytest.mark.parametrize("text", [STRICT, BROKEN])
def test_two_instances_that_check_at_once_leave_one_record(installed: Installation, text: str) -> None:
    """Both use the same policies, whoever was first."""
    installed.publish(text)
    one, other = installed.start_instance(), installed.start_instance()
    seen: list[int] = []
    installed.ports.store.hook = run_once("store.commit", "before", lambda: seen.append(minimum(other)))

    found = minimum(one), minimum(other)

    assert {*seen} == {*found}
    assert len(system_event_names(installed.world, "policy.")) == 1


@pytest.mark.parametrize("verb", ["pages.generation", "pages.history"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_publication_during_the_check(installed: Installation, verb: str, side: str) -> None:
    """An instance has one generation whole, and the newest by its next check; both are recorded."""
    installed.publish(STRICT)
    running = installed.start_instance()
    seen: list[int] = []
    installed.bucket.hook = run_once(verb, side, lambda: seen.append(installed.publish(STRICTER)))

    during = minimum(running)
    installed.let_check()

    assert during in (50, 90)
    assert minimum(running) == 90
    assert len(installed.differences()) == 2


def test_an_instance_that_dies_before_the_notice_leaves_it_to_the_sweep(installed: Installation) -> None:
    """The event and the notices are one commit; what is due is published by the clock."""
    installed.publish(BROKEN)
    installed.ports.bus.hook = raise_error("bus.publish", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        installed.start_instance().current()
    installed.ports.bus.hook = no_hook
    installed.start_instance().current()
    installed.world.pass_time(timedelta(minutes=1))

    sent = [
        one.channel for one in installed.ports.sender.sent if "policies are refused" in one.notice["text"]
    ]
    assert sorted(sent) == ["night-shift", "record"]


def test_an_account_that_writes_no_state_reads_what_is_in_force(installed: Installation) -> None:
    """The console's: it reads the state, and the bucket."""
    installed.publish(STRICT)
    installed.ports.store.hook = raise_error("store.commit", Rejected("403: no"))

    assert minimum(installed.start_instance()) == 50


def test_a_deleted_object_leaves_the_last_generation_in_force(installed: Installation) -> None:
    """The bucket keeps it: a deletion is no way to the copy in the archive."""
    installed.publish(STRICT)
    del installed.bucket.kept[PUBLISHED_OBJECT]

    assert minimum(installed.start_instance()) == 50


# What runs while a generation changes


class LiveResponders(dict[str, Trigger]):
    """The triggers as main.py has them: each message finds those of the policies in force."""

    def __init__(self, installed: Installation) -> None:
        super().__init__(installed.world.responders)
        self._ports = installed.ports
        self.published = installed.start_instance()

    def __getitem__(self, topic: str) -> Trigger:
        [entry_point] = [name for name, (one,) in topics.ENTRY_POINTS.items() if one == topic]
        return TRIGGERS[entry_point](self._ports, self.published.current().policies)


SLOWER = TEXT.replace("  watch: 15m\n", "  watch: 4h\n")
ANOTHER_CHANNEL = """channels:
  - name: later
    kind: recording
"""
OTHER = SLOWER.replace("channels:\n", ANOTHER_CHANNEL)


@pytest.mark.parametrize("moment", ["store.commit", "platform.shift"])
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("published", [True, False], ids=["of the bucket", "of the archive"])
def test_a_plan_keeps_the_policy_that_it_was_made_with(
    installed: Installation, moment: str, side: str, published: bool
) -> None:
    """A generation that changes within a handler reaches neither it nor a later one of the plan."""
    world, ports = installed.world, installed.ports
    if published:
        installed.publish(TEXT)
    world.responders = live = LiveResponders(installed)
    world.deploy_bad()
    world.alert()
    changes: list[int] = []

    def change(verb: str, when: str) -> None:
        if (verb, when) == (moment, side) and not changes and any(one.plan for one in world.rollbacks()):
            changes.append(installed.publish(OTHER))
            installed.let_check()
            live.published.current()

    ports.store.hook = ports.world.hook = change
    world.settle()
    ports.store.hook = ports.world.hook = no_hook
    world.pass_time(timedelta(minutes=25))

    rollback = world.rollback
    assert rollback.plan is not None
    assert (rollback.status, rollback.plan.policy) == (RollbackStatus.SUCCEEDED, BUNDLED.fingerprint)
    assert live.published.current().policies["bookshop"].text == OTHER
    notices = [one.fields for one in ports.store.query(Query("notices")) if one.fields]
    of_it = {one["channel"] for one in notices if one["event"].startswith("rollback.")}
    assert of_it == {one.name for one in BUNDLED.channels}
