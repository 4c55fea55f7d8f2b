"""The page through an incident, whoever dies meanwhile."""

import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta
from operator import ge

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.text import one_line
from shared.domain.incidents.incident import IncidentStatus, public_status_changes
from shared.domain.incidents.recovery_times import measure_recovery, recovery_lines
from shared.domain.policy.channels import Audience, Channel, ChannelKind, Component, StatusPage
from shared.domain.policy.severity import Severity
from shared.domain.presentation.status_page import build_status_page, disruption_spans
from shared.domain.presentation.status_page_html import ATOM, JSON, PAGE, render_objects
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from shared.state.work_queue import STATUS_PAGE, publish_work_item
from tests.support.decision.outages import ABOUT_GET_BOOK, make_function_fail, of_function, raise_probe_alarm
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.faults.hostile_text import ATTACKS
from tests.support.notices.status_page import (
    ADDRESS,
    ATOM_SPACE,
    BACK_SINCE,
    HOUR,
    MINUTE,
    SECOND,
    build_public_state,
    build_world_with_page,
    read_page,
    read_public_state,
)
from tests.support.runtime.switches import publish_after_second_shift
from tests.support.runtime.world import BOOKSHOP, World


def test_the_page_lives_through_a_rollback() -> None:
    """Within a minute of detection it says so, then what is done, then that it is over."""
    world = build_world_with_page()
    world.pass_time(MINUTE)
    assert "All parts work." in read_page(world)
    world.carry_out("promote", mode="ask")
    world.deploy_bad()
    world.alert()
    world.settle()
    incident = world.incident

    world.pass_time(MINUTE)
    written = re.findall(r"Written at <time datetime=\"([^\"]+)\"", read_page(world))
    assert incident.id in read_page(world)
    assert "Not working." in read_page(world)
    assert datetime.fromisoformat(written[0]) - incident.detected_at <= MINUTE
    world.send_command("approve", incident=incident.id)

    world.pass_time(5 * MINUTE)
    assert "All parts work again. We are monitoring them." in read_page(world)

    world.pass_time(45 * MINUTE)
    assert "All parts work." in read_page(world)
    assert "The incident is over." in read_page(world)
    assert re.search(r"Uptime since .*2026-03-02 1\d:\d\d UTC</time>: \d\d\.\d{3} %", read_page(world))
    assert incident.id in read_page(world, ATOM)
    assert incident.id in read_page(world, JSON)


PARTS = (
    Component("Ordering", ("function_failure_rate",)),
    Component("Catalogue", ("critical_path_blocked",), groups=("catalogue",)),
    Component("Shop", functions=("renderShop",)),
)


def read_parts(world: World) -> dict[str, str]:
    """How the page shows each part."""
    return {one["name"]: one["state"] for one in json.loads(read_page(world, JSON))["_status"]["parts"]}


def fail_while_asking(world: World, functions: list[str]) -> None:
    """A bad release of these functions, a minute after its alert; a person is asked what to do."""
    world.carry_out("promote", mode="ask")
    world.deploy_bad(functions)
    world.alert()
    world.pass_time(MINUTE)


def test_a_part_whose_functions_fail_is_not_working() -> None:
    """Within a minute, though no signal is mapped to it; and it works once recovery is verified."""
    world = build_world_with_page(components=PARTS)
    fail_while_asking(world, ["listBooks", "getBook", "searchBooks"])
    incident = world.incident

    assert read_parts(world) == {"Ordering": "down", "Catalogue": "down", "Shop": "working"}

    world.send_command("approve", incident=incident.id)
    world.pass_time(6 * MINUTE)
    assert read_parts(world) == {"Ordering": "watched", "Catalogue": "watched", "Shop": "working"}
    assert "Not working." not in read_page(world)
    assert "<h3>Monitoring: Ordering, Catalogue" in re.sub(r" id=\"[^\"]*\"", "", read_page(world))
    world.pass_time(45 * MINUTE)
    assert set(read_parts(world).values()) == {"working"}
    parts = {one["name"]: one["uptime"] for one in json.loads(read_page(world, JSON))["_status"]["parts"]}
    assert parts["Shop"] == 1.0
    assert parts["Catalogue"] < 1.0


def test_what_a_person_accepts_while_it_fails_does_not_work() -> None:
    """The page knows nothing of its parts until their alert has closed."""
    world = build_world_with_page(components=PARTS)
    fail_while_asking(world, ["payOrder"])
    incident = world.incident
    world.carry_out("reject", incident=incident.id)
    world.send_command("accept", incident=incident.id)
    world.pass_time(5 * MINUTE)

    assert read_parts(world) == {"Ordering": "unknown", "Catalogue": "working", "Shop": "working"}
    assert "The status is not known." in read_page(world)
    assert "All parts work." not in read_page(world)

    world.alert(state="closed")
    world.pass_time(MINUTE)

    assert set(read_parts(world).values()) == {"working"}
    assert "All parts work." in read_page(world)


def test_an_alert_that_joins_adds_its_part() -> None:
    """What fails further is on the next page, while the rollback waits for a person."""
    world = build_world_with_page(components=PARTS)
    fail_while_asking(world, ["payOrder"])
    assert read_parts(world) == {"Ordering": "down", "Catalogue": "working", "Shop": "working"}

    world.alert("0.def", signal="critical_path_blocked")
    world.pass_time(MINUTE)

    assert read_parts(world)["Catalogue"] == "down"


def test_users_read_once_that_a_further_part_is_affected() -> None:
    """The incident has the same severity, and its first notice named one part."""
    world = build_world_with_page(components=PARTS)
    people = Channel("users", ChannelKind.WEBHOOK, "https://users.example", audience=Audience.USERS)
    world = World(policy=replace(world.policy, channels=(people,), contacts=(), on_call=()))
    world.ports.pages = MemoryPages()
    fail_while_asking(world, ["payOrder"])
    make_function_fail(world, "renderShop")
    world.alert("0.def")

    world.pass_time(5 * MINUTE)

    first, further = (one.notice["body"] for one in world.sent_notices)
    assert "Ordering: not working" in first
    assert "Shop: not working since" in further
    assert read_parts(world) == {"Ordering": "down", "Catalogue": "working", "Shop": "down"}


def test_the_page_shows_no_failure_that_one_source_alone_sees() -> None:
    """It says at once that something is checked; an outage is shown once people are asked."""
    world = build_world_with_page()
    world.ports.counts.rates["getBook"] = 0.0  # no requests that it has answered since its release
    raise_probe_alarm(world)
    world.pass_time(MINUTE)
    assert "Under investigation. We are checking" in read_page(world)
    assert world.rollback.status is RollbackStatus.DECIDING

    world.pass_time(4 * MINUTE)

    assert "Some parts do not work." in read_page(world)
    assert world.rollbacks()[0].status is RollbackStatus.PARKED


def list_notices(world: World) -> list[list[str]]:
    """Return the event and the channel of each notice."""
    return [sent.key.split(":")[1:] for sent in world.sent_notices]


def raise_alarm_without_change(world: World) -> None:
    """Own probes alone see a failure, and nothing has changed lately that could explain it."""
    world.ports.prober.down = lambda probe: probe == "book"
    world.alert("probe:bookshop:1", resource=ABOUT_GET_BOOK)
    world.pass_time(MINUTE)


def test_an_escalation_waits_for_a_second_source() -> None:
    """People are called, and the page shows an outage, once the time to decide is over."""
    people = Channel("users", ChannelKind.WEBHOOK, "https://users.example", audience=Audience.USERS)
    world = World(policy=replace(BOOKSHOP, channels=(*BOOKSHOP.channels, people)))
    world.ports.pages = MemoryPages()
    world.ports.counts.rates["getBook"] = 0.0
    raise_alarm_without_change(world)
    incident = world.incident
    assert (incident.status, incident.is_unconfirmed) == (IncidentStatus.DETECTED, True)
    assert "Under investigation. We are checking a report" in read_page(world)
    assert ["detected", "users"] not in list_notices(world)
    assert ["rollback.escalated", "night-shift"] not in list_notices(world)
    assert disruption_spans(read_public_state(world), world.now) == []

    world.pass_time(4 * MINUTE)

    late = world.incident
    assert (late.status, late.is_unconfirmed) == (IncidentStatus.ESCALATED, False)
    assert [turn.word for turn in public_status_changes(late)] == ["detected", "investigating"]
    assert ["detected", "users"] in list_notices(world)
    assert ["rollback.escalated", "night-shift"] in list_notices(world)
    [(began, _)] = disruption_spans(read_public_state(world), world.now)
    assert began == late.onset_at
    assert "Some parts do not work." in read_page(world)


@pytest.mark.parametrize("by", ["alert", "counts", "person"])
def test_a_failure_is_shown_once_it_is_confirmed(by: str) -> None:
    """An alert of another source confirms it, a check that counts requests, or a person."""
    hour = dict.fromkeys(Severity, HOUR)
    policy = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, decide_within=hour))
    world = World(policy=policy)
    world.ports.pages = MemoryPages()
    raise_alarm_without_change(world)
    incident = world.incident
    assert incident.is_unconfirmed
    if by == "alert":
        world.alert("0.abc", resource=ABOUT_GET_BOOK)
    elif by == "counts":
        make_function_fail(world, "getBook")
        world.pass_time(6 * MINUTE)
    else:
        world.send_command("publish", incident=incident.id)
    world.pass_time(MINUTE)

    assert not world.incident.is_unconfirmed
    assert "Some parts do not work." in read_page(world)


def test_what_fails_beside_an_alert_that_is_over_is_shown_in_time() -> None:
    """Automation only observes; the alert was about a function that works again."""
    world = World(promoted=False)
    world.ports.pages = MemoryPages()
    world.deploy_bad(["getBook"], rate=0.0)
    make_function_fail(world, "searchBooks")
    world.ports.prober.down = lambda probe: probe == "book"
    world.alert("probe:bookshop:1", resource=ABOUT_GET_BOOK)
    world.settle()
    world.ports.prober.down = lambda _: False
    world.alert("probe:bookshop:1", "closed", resource=ABOUT_GET_BOOK)
    world.advance_clock(2 * MINUTE)
    world.pass_time(10 * MINUTE)

    incident = world.incident
    assert (incident.failing, incident.is_unconfirmed) == (("searchBooks",), False)
    assert "Some parts do not work." in read_page(world)


@pytest.mark.parametrize("joined", [False, True], ids=["one alert", "another of the same source joins"])
def test_an_escalated_false_alarm_is_no_outage(joined: bool) -> None:
    """It was over before a second source saw it; a further alert does not extend its time."""
    ten_minutes = dict.fromkeys(Severity, 10 * MINUTE)
    gates = replace(BOOKSHOP.gates, decide_within=ten_minutes)
    world = World(policy=replace(BOOKSHOP, gates=gates, status_page=StatusPage()))
    world.ports.pages = MemoryPages()
    world.carry_out("promote", mode="ask")
    raise_probe_alarm(world)
    world.pass_time(MINUTE)
    world.carry_out("reject", incident=world.incident.id)
    rejected = world.incident
    assert (rejected.status, rejected.is_unconfirmed) == (IncidentStatus.ESCALATED, True)
    if joined:
        world.alert("probe:bookshop:2", resource=ABOUT_GET_BOOK)
        world.pass_time(MINUTE)
        again = world.incident
        assert (again.rollbacks, again.status) == (2, IncidentStatus.DETECTED)
        assert "decision.held" in world.events(world.rollbacks()[1])
        assert again.unconfirmed_until == rejected.unconfirmed_until
    world.ports.prober.down = lambda _: False
    for number in (1, 2)[: 1 + joined]:
        world.alert(f"probe:bookshop:{number}", "closed", resource=ABOUT_GET_BOOK)
    world.pass_time(5 * MINUTE)

    incident = world.incident
    assert incident.status is IncidentStatus.RESOLVED
    assert {turn.word for turn in public_status_changes(incident)} == {"checking a report", "resolved"}
    assert "All parts work." in read_page(world)


def test_a_false_alarm_that_comes_again_is_no_outage() -> None:
    """Its first alert was over before a second source saw it, and so is the next."""
    world = build_world_with_page()
    world.platform.deploy(["getBook"])
    world.advance_clock(3 * MINUTE)
    for number in (1, 2):
        world.ports.counts.rates["getBook"] = 0.0  # no requests that it has answered since its release
        world.ports.prober.down = lambda probe: probe == "book"
        world.alert(f"probe:bookshop:{number}", resource=ABOUT_GET_BOOK)
        world.pass_time(MINUTE)
        assert "Under investigation. We are checking a report" in read_page(world)
        world.ports.prober.down = lambda _: False
        world.ports.counts.rates.clear()
        world.alert(f"probe:bookshop:{number}", "closed", resource=ABOUT_GET_BOOK)
        world.pass_time(4 * MINUTE)
        assert "All parts work." in read_page(world)

    incident = world.incident
    assert (incident.status, incident.rollbacks) == (IncidentStatus.RESOLVED, 2)
    assert {turn.word for turn in public_status_changes(incident)} == {"checking a report", "resolved"}


def test_no_part_is_called_working_until_it_is_known_which_functions_fail() -> None:
    """No request is counted: an alert about all functions affects each part that has functions."""
    world = build_world_with_page(components=PARTS)
    world.carry_out("promote", mode="ask")
    world.deploy_bad(["payOrder"])
    world.ports.prober.down = lambda probe: probe == "shop"  # the second source
    counted = world.ports.counts.rates
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)
    world.alert()
    world.pass_time(MINUTE)
    assert read_parts(world) == {"Ordering": "down", "Catalogue": "down", "Shop": "down"}

    world.ports.counts.rates = counted
    world.pass_time(2 * MINUTE)

    assert read_parts(world) == {"Ordering": "down", "Catalogue": "working", "Shop": "working"}


@pytest.mark.parametrize(
    ("signal", "state"), [("function_failure_rate", "working"), ("slow_response", "down")]
)
def test_a_part_recovers_before_its_incident(signal: str, state: str) -> None:
    """Its functions are observed to work while others fail; a count tells nothing of slowness."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(["renderShop", "listBooks"])
    world.carry_out("promote", mode="observe")
    world.alert()
    labels = {"project_id": world.policy.project, "service_name": "rendershop"}
    resource = {"type": "cloud_run_revision", "labels": labels}
    world.alert("0.def", signal=signal, resource=resource)
    world.pass_time(2 * MINUTE)
    assert read_parts(world) == {"Ordering": "down", "Catalogue": "down", "Shop": "down"}

    for revision in world.live["renderShop"]:
        world.platform.set_failure_rate("renderShop", revision, 0.0)
    world.pass_time(8 * MINUTE)

    assert read_parts(world) == {"Ordering": "down", "Catalogue": "down", "Shop": state}


def test_a_part_that_fails_after_the_recovery_of_another_is_not_said_to_work() -> None:
    """No alert tells of it; the recovered incident waits for a person, and is checked."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(["renderShop"])
    world.alert(resource=of_function(world, "renderShop"))
    world.pass_time(3 * MINUTE)
    world.send_command("cancel", incident=world.incident.id)
    world.alert(state="closed", resource=of_function(world, "renderShop"))
    world.pass_time(5 * MINUTE)
    assert (world.incident.status, read_parts(world)["Ordering"]) == ("RECOVERED", "watched")

    make_function_fail(world, "listBooks")
    world.pass_time(8 * MINUTE)

    assert read_parts(world)["Catalogue"] == "down"
    assert "work again" not in read_page(world)
    assert "We are looking for the cause." in read_page(world)

    for revision in world.live["listBooks"]:
        world.platform.set_failure_rate("listBooks", revision, 0.0)
    world.pass_time(8 * MINUTE)

    [about] = [
        one for one in json.loads(read_page(world, JSON))["_status"]["parts"] if one["name"] == "Catalogue"
    ]
    assert about["state"] == "watched"
    assert about["uptime"] < 1


@pytest.mark.parametrize("published", [False, True])
def test_an_order_is_private_unless_the_policy_publishes_it(*, published: bool) -> None:
    """It proves no trouble; where it is shown, the parts of its functions are checked."""
    times = {Severity.CRITICAL: timedelta(0)} if published else {}
    world = build_world_with_page(components=PARTS, publish_orders_after=times)
    world.deploy_bad(["renderShop"], rate=0.0)
    world.send_command("rollback", functions=["renderShop"])
    world.command(command="pause")
    world.pass_time(MINUTE)
    assert (world.incident.id in read_page(world)) is published
    assert read_parts(world)["Shop"] == ("checked" if published else "working")
    assert read_parts(world)["Catalogue"] == "working"


def test_an_order_is_public_once_a_failure_is_observed() -> None:
    """No alert tells of it, no shift succeeds, and no policy publishes orders."""
    users = Channel("users", ChannelKind.WEBHOOK, "https://u.example", audience=Audience.USERS)
    world = World(
        policy=replace(
            BOOKSHOP, channels=(*BOOKSHOP.channels, users), status_page=StatusPage(components=PARTS)
        )
    )
    world.ports.pages = MemoryPages()
    world.deploy_bad()

    def fail_shifts(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            for function in world.policy.functions:
                world.platform.fail_late(function, "no capacity")

    world.platform.hook = fail_shifts
    world.send_command("rollback")
    world.pass_time(20 * MINUTE)
    [incident], [rollback] = world.incidents(), world.rollbacks()
    times = measure_recovery(
        world.policy, incident, [rollback], StateReader(world.store).status_page_record(incident)
    )

    assert incident.failure_observed_at is not None
    assert read_parts(world) == {"Ordering": "working", "Catalogue": "down", "Shop": "down"}
    assert "No incident." not in read_page(world)
    assert times.status_page_due_at == incident.failure_observed_at + MINUTE
    assert [sent for sent in world.sent_notices if ":users" in sent.key]


def test_an_unpin_is_public_once_a_failure_is_observed() -> None:
    """The newest revision fails, and no alert tells of it."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(["renderShop"])
    world.send_command("rollback", functions=["renderShop"])
    world.pass_time(HOUR)
    assert set(read_parts(world).values()) == {"working"}

    world.send_command("unpin", functions=["renderShop"])
    world.pass_time(5 * MINUTE)

    assert world.newest_incident.failure_observed_at is not None
    assert read_parts(world) == {"Ordering": "working", "Catalogue": "working", "Shop": "troubled"}


def test_a_part_without_counted_requests_is_not_called_working() -> None:
    """An alert is about all functions, and a check observes only those of other parts to fail."""
    world = build_world_with_page(components=(*PARTS, Component("Checkout", groups=("checkout",))))
    world.carry_out("promote", mode="observe")
    world.deploy_bad(["listBooks", "payOrder"])
    for function in world.policy.groups["checkout"].functions:
        world.ports.counts.rates[function] = 0.0
    world.alert()
    world.pass_time(5 * MINUTE)
    assert read_parts(world)["Checkout"] == "unknown"
    assert "The status is not known." in read_page(world)

    world.ports.counts.rates.clear()
    for revision in world.live["payOrder"]:
        world.platform.set_failure_rate("payOrder", revision, 0.0)
    world.pass_time(6 * MINUTE)

    assert read_parts(world)["Checkout"] == "working"


def test_a_part_without_counted_requests_is_corrected_when_the_last_alert_closes() -> None:
    """It closes hours after a person accepted the incident; the affected part had recovered."""
    checkout = Component("Checkout", groups=("checkout",))
    world = build_world_with_page(components=(PARTS[1], checkout))
    for function in world.policy.groups["checkout"].functions:
        world.ports.counts.rates[function] = 0.0
    make_function_fail(world, "getBook")
    make_function_fail(world, "renderShop")
    world.pass_time(5 * MINUTE)
    world.alert()
    world.pass_time(5 * MINUTE)
    [revision] = world.live["getBook"]
    world.platform.set_failure_rate("getBook", revision, 0.0)
    world.pass_time(16 * MINUTE)
    world.send_command("accept", incident=world.incident.id)
    world.pass_time(2 * HOUR)
    assert read_parts(world) == {"Catalogue": "working", "Checkout": "unknown"}

    world.ports.counts.rates.clear()
    [revision] = world.live["renderShop"]
    world.platform.set_failure_rate("renderShop", revision, 0.0)
    world.alert(state="closed")
    world.pass_time(MINUTE)

    assert read_parts(world) == {"Catalogue": "working", "Checkout": "working"}


@pytest.mark.parametrize(
    ("reached", "status"),
    [("started_at", IncidentStatus.ROLLING_BACK), ("shifted_at", IncidentStatus.VERIFYING)],
)
def test_the_severity_rises_before_the_rollback_is_verified(reached: str, status: IncidentStatus) -> None:
    """A worse alert that joins is shown on the page and to people at once."""
    world = build_world_with_page()
    world.platform.operation_latency = 90 * SECOND
    world.deploy_bad()
    joined: list[datetime] = []

    def join(verb: str, side: str) -> None:
        documents = world.documents.items()
        running = [path for path, one in documents if path.startswith("rollbacks/") and one.get(reached)]
        if (verb, side) == ("store.commit", "after") and running and not joined:
            joined.append(world.now)
            world.alert("0.def")
            [message] = [one for one in world.waiting() if one.topic == topics.ALERTS]
            assert world.deliver(message)

    world.store.hook = join
    world.alert(signal="critical_path_blocked")
    world.pass_time(10 * MINUTE)

    incident = world.incident
    told = [moment for moment in incident.timeline if "CRITICAL" in moment.note]
    assert incident.severity is Severity.CRITICAL
    assert [moment.status for moment in told] == [status]
    assert told[0].at - joined[0] <= MINUTE


def test_a_paused_rollback_is_shown_as_paused_until_it_continues() -> None:
    """The page and the business are corrected when the pause is lifted."""
    board = Channel("board", ChannelKind.WEBHOOK, "https://y.example", audience=Audience.STAKEHOLDERS)
    world = World(policy=replace(BOOKSHOP, channels=(*BOOKSHOP.channels, board)))
    world.ports.pages = MemoryPages()
    world.deploy_bad()
    publish_after_second_shift(world, "pause", system="bookshop", actor="anna")
    world.alert()
    world.pass_time(2 * MINUTE)
    words = "We have paused the restoration of a previous version."

    paused, heard = read_page(world), read_summaries(world)
    world.carry_out("resume", actor="anna")
    later = read_summaries(world)[len(heard) :]
    world.pass_time(MINUTE)

    assert words in paused
    assert words in heard[-1]
    assert "handled automatically" not in heard[-1]
    assert "anna" not in paused + heard[-1]
    assert "We are restoring a previous version." in later[0]
    assert words not in read_page(world) + "".join(later)


def test_a_failed_check_of_the_monitoring_is_shown_until_one_passes() -> None:
    """Whoever makes the second check may die: the page does not say until then that it works."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(["listBooks", "getBook", "searchBooks"])
    world.alert()
    world.pass_time(5 * MINUTE)
    world.alert(state="closed")
    world.settle()
    assert "It works again. We are monitoring it." in read_page(world)
    [record] = [StateReader(world.store).status_page_record(one) for one in world.incidents()]
    assert record is not None
    before, parts, uptime = read_parts(world), record.parts, read_uptimes(world)

    make_function_fail(world, "getBook")
    while world.rollback.ill_since is None:
        world.pass_time(5 * SECOND)
    world.pass_time(25 * SECOND)
    failed = read_page(world)

    assert "Under investigation. A check failed. We are checking again." in failed
    assert "All parts work again" not in failed
    assert read_parts(world) == {"Ordering": "working", "Catalogue": "checked", "Shop": "working"}
    assert all(map(ge, read_uptimes(world), uptime))
    [serving] = world.live["getBook"]
    world.platform.set_failure_rate("getBook", serving, 0.0)
    world.pass_time(2 * MINUTE)

    assert world.incident.status is IncidentStatus.WATCHING
    assert read_parts(world) == before
    assert "A check failed" not in read_page(world)
    assert all(map(ge, read_uptimes(world), uptime))
    [record] = [StateReader(world.store).status_page_record(one) for one in world.incidents()]
    assert record is not None
    assert record.parts == parts


def read_uptimes(world: World) -> list[float]:
    """The share of the time in which each part worked."""
    return [one["uptime"] for one in json.loads(read_page(world, JSON))["_status"]["parts"]]


def read_summaries(world: World) -> list[str]:
    """What the business has read, in order."""
    return [one.notice["body"] for one in world.sent_notices if one.channel == "board"]


def test_nothing_personal_or_internal_is_on_it() -> None:
    """No name of a person, no reason, no function, no cause: only the prepared words."""
    world = build_world_with_page()
    world.deploy_bad()
    world.send_command("rollback", actor="anna@example.com", reason="ring +49 30 1234567")
    world.pass_time(5 * MINUTE)

    for name in (PAGE, ATOM, JSON):
        assert not re.search(r"anna|\bring\b|1234567|payOrder|function|ordered", read_page(world, name))


def test_what_the_policy_holds_back_a_person_publishes() -> None:
    """Until then nothing of it is on the page; from then on it is, and a second word is refused."""
    world = build_world_with_page(publish_after={})
    world.deploy_bad()
    world.alert()
    world.pass_time(2 * MINUTE)
    incident = world.incident
    assert incident.id not in read_page(world)

    about = {"command": "publish", "system": "bookshop", "incident": incident.id}
    world.command(**about)
    world.command(**about)
    world.pass_time(MINUTE)

    assert incident.id in read_page(world)
    assert "INC-20260302-001:published:record" in {one.key for one in world.sent_notices}
    [letter] = world.ports.bus.take(topics.DEAD_LETTERS)
    assert "was published by" in letter.attributes["reason"]


def test_a_false_alarm_that_was_over_in_time_is_never_shown() -> None:
    """The policy waits, and finds that there is nothing to say."""
    world = build_world_with_page(publish_after={Severity.CRITICAL: 10 * MINUTE})
    world.alert()
    world.alert(state="closed")
    world.pass_time(15 * MINUTE)

    incident = world.incident
    assert incident.ended_at is not None
    assert incident.id not in read_page(world)


def test_a_dead_bucket_delays_nothing() -> None:
    """The rollback ends in its time; the page is right again half a minute after the bucket is."""
    world = build_world_with_page()
    pages = world.ports.pages
    assert pages is not None

    def refuse(verb: str, side: str) -> None:
        del side
        raise ConnectionError(verb)

    stable = world.live
    pages.hook = refuse
    world.deploy_bad()
    world.alert()
    with pytest.raises(ConnectionError):
        world.pass_time(MINUTE)
    pages.hook = no_hook
    world.pass_time(5 * MINUTE)

    assert world.live == stable
    assert "We are monitoring them" in read_page(world)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("verb", ["store.commit", "pages.generation", "pages.put"])
def test_a_writer_that_dies_anywhere(verb: str, side: str) -> None:
    """Its redelivery writes the page, and the time since when is watched stays what it was."""

    class Died(BaseException):
        pass

    world = build_world_with_page()
    pages, deaths = world.ports.pages, [verb]
    assert pages is not None

    def die(asked: str, at: str) -> None:
        if deaths and (asked, at) == (verb, side):
            deaths.clear()
            raise Died

    due = [*world.waiting()]
    now = world.now
    publish_work_item(world.ports.bus, STATUS_PAGE, "bookshop", now)
    [message] = [one for one in world.waiting() if one not in due]
    pages.hook = world.store.hook = die
    with pytest.raises(Died):
        world.deliver(message)
    pages.hook = world.store.hook = no_hook
    world.start_instances()
    world.advance_clock(10 * SECOND)

    assert world.deliver(message)
    assert "All parts work." in read_page(world)
    since = world.documents["pages/bookshop"]["since"]
    assert since == now + (10 * SECOND if (verb, side) in LOST else timedelta(0))


LOST = {("store.commit", "before"), ("pages.generation", "before"), ("pages.generation", "after")}


def test_a_slow_writer_does_not_undo_a_newer_page() -> None:
    """What was read before the other's write is not put in its place."""
    world = build_world_with_page()
    pages = world.ports.pages
    assert pages is not None
    publish_work_item(world.ports.bus, STATUS_PAGE, "bookshop", world.now)
    [message] = world.waiting()
    slow = [True]

    def overtake(verb: str, side: str) -> None:
        if slow and (verb, side) == ("pages.put", "before"):
            slow.clear()
            world.advance_clock(MINUTE)
            assert world.deliver(message)

    pages.hook = overtake
    assert world.deliver(message)

    assert f'Written at <time datetime="{START + MINUTE:%Y-%m-%dT%H:%M}' in read_page(world)


@pytest.mark.parametrize(("late", "written"), [(5 * MINUTE, True), (5 * MINUTE + SECOND, False)])
def test_a_request_for_a_page_that_comes_late(late: timedelta, written: bool) -> None:
    """Later ones have asked for it again: a storm of old ones writes nothing."""
    world = build_world_with_page()
    publish_work_item(world.ports.bus, STATUS_PAGE, "bookshop", world.now - late)

    world.settle()

    assert world.ports.pages is not None
    assert bool(world.ports.pages.kept) is written


@pytest.mark.parametrize("attack", [*ATTACKS.values(), "<img src=x onerror=alert(1)>\x1b\x00"])
def test_what_a_person_has_written_for_the_public_is_text(attack: str) -> None:
    """On the page and in both feeds, whatever it is."""
    told = build_public_state(Severity.CRITICAL, START, ("resolved", HOUR), ended=HOUR, cause=attack)

    made = render_objects(build_status_page(BOOKSHOP, [told], BACK_SINCE, START + HOUR), ADDRESS)

    page = made[PAGE].content.decode()
    assert not re.search(r"<(script|img|iframe)|\son\w+=\"", page.partition("</head>")[2])
    feed = ElementTree.fromstring(made[ATOM].content)  # noqa: S314 - our own
    text = feed.findtext("a:entry/a:content", namespaces=ATOM_SPACE) or ""
    [item] = json.loads(made[JSON].content)["items"]
    for said in (text, item["content_text"]):
        assert one_line(attack) in said
        assert len(said.strip().splitlines()) == 3


def test_a_part_that_fails_while_a_rollback_of_another_is_monitored() -> None:
    """The page says so after the next check, and calls the part working again when it works."""
    parts = (Component("Catalogue", groups=("catalogue",)), Component("Payment", functions=("payOrder",)))
    world = build_world_with_page(components=parts)
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(6 * MINUTE)
    assert "All parts work again. We are monitoring them." in read_page(world)

    make_function_fail(world, "payOrder")
    world.pass_time(3 * MINUTE)
    assert read_parts(world)["Payment"] == "down"

    world.platform.set_failure_rate("payOrder", "payorder-00001", 0.0)
    world.pass_time(6 * MINUTE)
    assert "All parts work again. We are monitoring them." in read_page(world)


def test_an_undo_is_shown_as_an_undo() -> None:
    """Nobody reads that a version is restored, nor that a part fails before that is observed."""
    world = build_world_with_page()
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    world.carry_out("cancel", incident=world.incident.id)
    assert world.incident.status is IncidentStatus.RECOVERED
    world.platform.operation_latency = 50 * SECOND
    world.send_command("undo", incident=world.incident.id)
    pages: list[str] = []

    def keep(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            state = read_public_state(world)
            pages.append(state.word)

    world.platform.hook = keep
    world.settle()

    assert set(pages) == {"undoing"}
    words = [turn.word for turn in public_status_changes(world.incident)]
    assert words[-4:] == ["rolling back (monitoring)", "undo requested", "undoing", "investigating"]
    assert world.incidents()[0].status is IncidentStatus.ESCALATED


def test_an_undo_that_has_not_begun_is_not_shown_as_an_undo() -> None:
    """Nobody reads that a change is undone while its order waits."""
    world = build_world_with_page()
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    incident = world.incident.id
    world.carry_out("cancel", incident=incident)
    world.send_command("pause")
    world.send_command("undo", incident=incident)
    world.pass_time(2 * MINUTE)

    assert world.incident.status is IncidentStatus.UNDO_REQUESTED
    assert "undoing" not in read_page(world)
    assert "We are checking or changing some parts." in read_page(world)


def build_ordered_later() -> World:
    """Nobody acts on what fails for 20 minutes; then a person orders all functions back."""
    world = build_world_with_page(components=PARTS)
    world.deploy_bad(["renderShop"])
    world.carry_out("promote", mode="observe")
    labels = {"project_id": world.policy.project, "service_name": "rendershop"}
    world.alert(resource={"type": "cloud_run_revision", "labels": labels})
    world.pass_time(20 * MINUTE)
    world.send_command("rollback", "ada", severity="MEDIUM", supersede=True)
    return world


def test_an_order_continues_the_failure_that_it_repairs() -> None:
    """Detection, onset, severity and what the public sees are those of the incident before it."""
    world = build_ordered_later()
    world.pass_time(MINUTE)

    old, new = world.incidents()
    assert (new.detected_at, new.onset_at, new.severity) == (old.detected_at, old.onset_at, old.severity)
    assert new.timeline[0].at - old.detected_at >= 20 * MINUTE
    assert new.id in read_page(world)
    assert "We are restoring a previous version." in read_page(world)
    assert read_parts(world)["Catalogue"] == "working"
    world.pass_time(10 * MINUTE)
    new = world.incidents()[1]
    times = measure_recovery(world.policy, new, world.rollbacks()[1:])
    [_, recovered] = recovery_lines(times, world.now)
    assert re.match(r"recovered 2\d min .* after detection; the target is 10 min .* late", recovered)
