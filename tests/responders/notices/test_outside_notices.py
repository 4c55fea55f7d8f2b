"""What people outside the team are notified of: what is over, what has become worse, and whom."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.channels import Audience, Channel, ChannelKind, StatusPage
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import SHOP, CorruptedShop
from tests.support.decision.outages import ABOUT_GET_BOOK, raise_probe_alarm
from tests.support.fakes.runtime.hooks import run_once
from tests.support.faults.fault_injection import shorten_watch
from tests.support.rollbacks.approvals import publish_command
from tests.support.runtime.world import BOOKSHOP, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CRITICAL_ONLY = (Severity.CRITICAL,)
HIGH, CRITICAL = "critical_path_blocked", "function_failure_rate"
"""Signals of the two severities."""


def channel(name: str, audience: Audience, severities: tuple[Severity, ...] = tuple(Severity)) -> Channel:
    return Channel(
        name, ChannelKind.WEBHOOK, f"https://{name}.example", audience=audience, severities=severities
    )


CHANNELS = (
    channel("users", Audience.USERS),
    channel("page", Audience.PUBLIC),
    channel("board", Audience.STAKEHOLDERS),
    channel("late-users", Audience.USERS, CRITICAL_ONLY),
    channel("late-board", Audience.STAKEHOLDERS, CRITICAL_ONLY),
)
POLICY = shorten_watch(
    replace(BOOKSHOP, channels=(*BOOKSHOP.channels[:1], *CHANNELS), contacts=(), on_call=())
)


def read(world: World, name: str) -> list[tuple[str, str]]:
    """The event and the text of each notice on a channel."""
    notices = [one.notice for one in world.sent_notices if one.channel == name]
    return [(one["event"], f"{one['subject']}\n{one['body']}") for one in notices]


def rolled_back(policy: object = POLICY) -> World:
    world = World(policy=policy)  # type: ignore[arg-type]
    world.deploy_bad()
    world.alert()
    world.pass_time(3 * MINUTE)
    return world


def test_an_undo_that_brings_the_bad_release_back_closes_nothing() -> None:
    """The rollback has succeeded, and its incident waits for a person: it is open, and fails."""
    world = rolled_back()
    publish_command(world, "cancel", actor="alice")
    world.pass_time(MINUTE)
    publish_command(world, "undo", actor="alice")
    world.pass_time(5 * MINUTE)

    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert not [text for _, text in read(world, "users") if re.search("is closed|^.*has ended\n", text)]
    public = [one.notice for one in world.sent_notices if one.channel == "page"]
    assert public[-1]["event"].startswith("rollback.succeeded")
    assert public[-1]["public_word"] == "investigating"
    assert "closed" not in public[-1]["subject"] + public[-1]["body"]

    assert publish_command(world, "accept", actor="alice") == ""
    world.pass_time(MINUTE)
    event, text = read(world, "users")[-1]
    assert event.startswith("accepted")
    assert "is closed" in text


def test_users_read_the_end_of_an_order_that_had_nothing_to_do() -> None:
    """All data are valid: nothing is executed, and the incident has ended."""
    page = StatusPage(publish_orders_after=dict.fromkeys(Severity, timedelta(0)))
    shop = CorruptedShop(replace(SHOP, channels=CHANNELS, status_page=page, on_call=()), spoilt={})
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert [event for event, _ in read(shop, "users")] == ["detected", "rollback.not-taken"]
    assert "has ended" in read(shop, "users")[-1][1]


def test_users_read_no_end_of_an_incident_that_automation_only_observes() -> None:
    world = World(policy=POLICY, promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)

    assert "rollback.not-taken" in [event for event, _ in read(world, "board")]
    assert [event for event, _ in read(world, "users")] == ["detected"]


def raised(policy: object = POLICY) -> World:
    """A HIGH incident whose rollback a CRITICAL alert joins while it is executed."""
    world = World(policy=policy)  # type: ignore[arg-type]
    world.deploy_bad()

    def critical() -> None:
        world.alert("0.critical")
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", critical)
    world.alert("0.high", signal=HIGH)
    world.pass_time(30 * MINUTE)
    return world


def test_a_raised_severity_corrects_what_people_outside_have_read() -> None:
    """They read how bad it is before they read that it works again."""
    world = raised()

    for name in ("users", "board", "page"):
        events = [event for event, _ in read(world, name)]
        assert events[0] == "detected"
        assert "incident.raised-critical" in events
    [text] = [text for event, text in read(world, "board") if event == "incident.raised-critical"]
    assert "CRITICAL incident" in text
    assert "Severity: raised to CRITICAL" in text


def test_a_channel_of_the_new_severity_reads_that_the_incident_has_begun() -> None:
    """Not first that it works again."""
    world = raised()

    for name in ("late-users", "late-board"):
        events = [event for event, _ in read(world, name)]
        assert events[0] == "detected-critical"
        assert "incident.raised-critical" not in events


def test_a_channel_of_the_new_severity_waits_until_the_page_shows_the_incident() -> None:
    """The policy counts from the detection, not from the time at which the severity rose."""
    shown_after = 2 * MINUTE
    page = StatusPage(publish_after=dict.fromkeys(Severity, shown_after))
    world = raised(replace(POLICY, status_page=page))

    [begun] = [one for path, one in world.documents.items() if "detected-critical:late-users" in path]
    assert begun["since"] - world.incident.detected_at == shown_after
    assert begun["status"] == "SENT"


@pytest.mark.parametrize("by_command", [True, False])
def test_users_read_at_once_of_an_order_that_continues_a_public_incident(by_command: bool) -> None:
    """The page shows it already: the policy counts from the first detection."""
    page = StatusPage(publish_after=dict.fromkeys(Severity, HOUR if by_command else 5 * MINUTE))
    world = World(policy=replace(POLICY, status_page=page), promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    if by_command:
        publish_command(world, "publish", actor="alice")
        world.pass_time(MINUTE)
    before = len(read(world, "users"))
    assert before

    world.send_command("rollback")
    world.pass_time(MINUTE)

    assert len(world.incidents()) == 2
    assert [event for event, _ in read(world, "users")[before:]][:1] == ["detected"]


def test_users_read_of_a_failure_once_a_second_source_sees_it() -> None:
    """What own probes alone see is shown to nobody; then page and users are notified once."""
    world = World(policy=POLICY)
    raise_probe_alarm(world)
    world.pass_time(MINUTE)
    before = [read(world, name) for name in ("users", "page")]

    world.alert("0.abc", resource=ABOUT_GET_BOOK)
    world.pass_time(2 * MINUTE)

    assert before == [[], []]
    assert [event for event, _ in read(world, "users")] == ["detected"]
    assert next(event for event, _ in read(world, "page")) == "detected"


def test_users_read_nothing_of_a_false_alarm() -> None:
    """It is over before a second source has seen it."""
    world = World(policy=POLICY)
    world.ports.counts.rates["getBook"] = 0.0  # no requests that it has answered since its release
    raise_probe_alarm(world)
    world.pass_time(MINUTE)
    world.ports.prober.down = lambda _: False
    world.alert("probe:bookshop:1", "closed", resource=ABOUT_GET_BOOK)
    world.pass_time(10 * MINUTE)

    assert world.incident.status is IncidentStatus.RESOLVED
    assert read(world, "users") + read(world, "page") == []


def test_nobody_outside_reads_that_it_works_because_a_worse_alert_joined() -> None:
    """During monitoring the next check tells whether it fails; until then the team reads it."""
    world = World(policy=POLICY)
    world.deploy_bad()
    world.alert("0.high", signal=HIGH)
    world.pass_time(5 * MINUTE)
    assert world.incident.status is IncidentStatus.WATCHING
    before = {name: len(read(world, name)) for name in ("board", "users", "page", "late-board", "late-users")}

    world.alert("0.critical")
    world.settle()

    assert world.incident.severity is Severity.CRITICAL
    assert "alert.raised-critical" in "".join(one.key for one in world.sent_notices)
    for name, count in before.items():
        assert not [text for _, text in read(world, name)[count:] if "It works again" in text]


def test_an_alert_that_raises_and_reopens_tells_new_channels_of_the_beginning() -> None:
    """Automation only observes; a further alert has the incident judged again, as CRITICAL."""
    world = World(policy=POLICY, promoted=False)
    world.deploy_bad()
    world.alert("0.high", signal=HIGH)
    world.pass_time(2 * MINUTE)
    assert world.newest_incident.severity is Severity.HIGH

    world.alert("0.critical")
    world.pass_time(2 * MINUTE)

    late = [event for event, _ in read(world, "late-board")]
    assert late[0] == "detected-critical"
    assert "reopened-2" not in late
    assert "reopened-2" in [event for event, _ in read(world, "board")]
