"""What doctor says of what it saw."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.doctor import installation
from cli.doctor import system as systems
from cli.doctor.facts import Facts, StoreTime, function
from cli.doctor.finding import CHECKS, CLAIMS, ESSENTIAL, Finding, Verdict, exit_code
from cli.doctor.installation import CODE_LABEL, POLICY_LABEL
from cli.doctor.messaging import DETACHED, MONITORING
from shared import topics
from shared.deployment import Deployment, Live, Status, placements
from shared.errors import Unavailable
from shared.health import ProbeAnswer, Requests
from shared.installation import Deployed, Subscription
from shared.inventory import FunctionState, Generation, HostingSite, WholeInventory
from shared.looks import Look
from shared.policy import Group, Mode, Policy, Probe, Resources, ScenarioName, Severity, Signal
from shared.probing import Record
from shared.system import Controls, Freeze, Pause, System
from shared.traffic import Revision, Service, TrafficTarget

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPS = "rollback-operations"
SILENT = Unavailable("no answer")
PUBLISHER = "roles/pubsub.publisher"
AGENT = f"serviceAccount:service-1{MONITORING}"
WELL, DOUBTFUL, WRONG, UNKNOWN = Verdict


def push(topic: str) -> Subscription:
    """The push of a topic, as it should be."""
    [entry_point] = [name for name, several in topics.ENTRY_POINTS.items() if topic in several]
    uri = f"https://{function(entry_point)}-x.a.run.app"
    return Subscription(
        name=f"{topic}-push",
        topic=f"projects/{OPS}/topics/{topic}",
        endpoint=f"{uri}/projects/{OPS}/topics/{topic}",
        account="rollback-push@x.iam.gserviceaccount.com",
        audience=uri,
        ack_deadline=topics.ACK_DEADLINE,
        kept_for=timedelta(days=7),
        backoff=topics.backoff(topic),
        dead_letters=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
        attempts=topics.LIMIT_ATTEMPTS,
    )


PUSHES = tuple(push(topic) for topic in topics.ALL if topic != topics.DEAD_LETTERS)
KEPT = Subscription(
    name=topics.LETTERS_KEPT,
    topic=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
    kept_for=topics.LETTERS_KEPT_FOR,
)
LABELS = {CODE_LABEL: "code", f"{POLICY_LABEL}shop": "policy"}
FUNCTIONS = tuple(
    Deployed(function(name), name, True, f"https://{function(name)}-x.a.run.app", LABELS)
    for name in topics.ENTRY_POINTS
)
HEALTHY = Facts(
    project=OPS,
    is_local=False,
    now=NOON,
    code="code",
    policies={"shop": "policy"},
    state=StoreTime(NOON, NOON, NOON),
    topics=topics.ALL,
    subscriptions=(*PUSHES, KEPT),
    grants={topic: {PUBLISHER: (AGENT,) if topic == topics.ALERTS else ()} for topic in topics.ALL},
    functions=FUNCTIONS,
    ticks={"ticks/20260301T1159-1": True, "ticks/20260301T1159-0": True},
    due_since={"rollback": NOON - timedelta(minutes=2), "notice": None, "command": None},
)
"""An installation on Google, as Terraform makes it."""


def amiss(facts: Facts) -> list[tuple[str, str, Verdict]]:
    """Check, thing and verdict of whatever is not well."""
    return [
        (one.check, one.what, one.verdict)
        for one in installation.examined(facts)
        if one.verdict is not WELL
    ]


def test_a_healthy_installation_is_well() -> None:
    """All but what Pub/Sub does not show."""
    assert amiss(HEALTHY) == [("dead-letters", topics.LETTERS_KEPT, UNKNOWN)]


def delivered(of: str, /, **changes: Any) -> dict[str, Any]:
    """A change of the push of one topic."""
    wanted = f"{of}-push"
    found = tuple(replace(one, **changes) if one.name == wanted else one for one in PUSHES)
    return {"subscriptions": (*found, KEPT)}


def granted(topic: str, *members: str, role: str = PUBLISHER) -> dict[str, Any]:
    """A change of who has a role on one topic."""
    return {"grants": {**HEALTHY.grants, topic: {role: members}}}


def functions(**changes: Any) -> dict[str, Any]:
    """A change of one function."""
    first, *others = FUNCTIONS
    return {"functions": (replace(first, **changes), *others)}


CLOCK, WORK, ALERTS = f"{topics.CLOCK}-push", f"{topics.WORK}-push", f"{topics.ALERTS}-push"
HALVES = tuple(HEALTHY.ticks)
INSTALLATIONS: tuple[tuple[str, dict[str, Any], str, str, Verdict], ...] = (
    ("no state", {"state": SILENT}, "state", "state database", UNKNOWN),
    (
        "clocks apart",
        {"state": StoreTime(NOON, NOON + timedelta(seconds=5.1), NOON)},
        *("state", "state database", DOUBTFUL),
    ),
    ("a topic gone", {"topics": topics.ALL[1:]}, "topics", topics.ALL[0], WRONG),
    ("topics unseen", {"topics": SILENT}, "topics", "topics", UNKNOWN),
    ("no push", {"subscriptions": (*PUSHES[1:], KEPT)}, "subscriptions", PUSHES[0].name, WRONG),
    (
        "two pushes",
        {"subscriptions": (*PUSHES, replace(PUSHES[0], name="again"), KEPT)},
        *("subscriptions", topics.ALERTS, WRONG),
    ),
    ("detached", delivered(topics.WORK, detached=True), "subscriptions", WORK, WRONG),
    ("cut off", delivered(topics.WORK, topic=DETACHED), "subscriptions", WORK, WRONG),
    ("overheard", delivered(topics.WORK, endpoint=""), "subscriptions", WORK, WRONG),
    ("no letters", delivered(topics.WORK, dead_letters=""), "subscriptions", WORK, WRONG),
    ("few attempts", delivered(topics.CLOCK, attempts=5), "subscriptions", CLOCK, DOUBTFUL),
    ("expires", delivered(topics.CLOCK, expires=True), "subscriptions", CLOCK, WRONG),
    ("no backoff", delivered(topics.CLOCK, backoff=None), "subscriptions", CLOCK, DOUBTFUL),
    (
        "impatient",
        delivered(topics.CLOCK, ack_deadline=timedelta(seconds=10)),
        *("subscriptions", CLOCK, DOUBTFUL),
    ),
    ("no token", delivered(topics.ALERTS, account=""), "subscriptions", ALERTS, WRONG),
    ("wrong audience", delivered(topics.ALERTS, audience=""), "subscriptions", ALERTS, WRONG),
    (
        "another's address",
        delivered(
            topics.ALERTS, endpoint=f"https://x.example/projects/{OPS}/topics/rollback-alerts"
        ),
        *("subscriptions", ALERTS, WRONG),
    ),
    (
        "no topic in the address",
        delivered(topics.ALERTS, endpoint=f"{FUNCTIONS[0].uri}/"),
        *("subscriptions", ALERTS, WRONG),
    ),
    ("none kept", {"subscriptions": PUSHES}, "letters-kept", topics.LETTERS_KEPT, WRONG),
    (
        "kept until idle",
        {"subscriptions": (*PUSHES, replace(KEPT, expires=True))},
        *("letters-kept", topics.LETTERS_KEPT, WRONG),
    ),
    (
        "kept a day",
        {"subscriptions": (*PUSHES, replace(KEPT, kept_for=timedelta(days=1)))},
        *("letters-kept", topics.LETTERS_KEPT, DOUBTFUL),
    ),
    ("everybody", granted(topics.WORK, "allUsers"), "publishers", topics.WORK, WRONG),
    (
        "an override is open",
        granted(topics.OVERRIDE, "user:a@example.com"),
        *("publishers", topics.OVERRIDE, DOUBTFUL),
    ),
    (
        "a role of one's own",
        granted(topics.OVERRIDE, "user:a@example.com", role="projects/x/roles/y"),
        *("publishers", topics.OVERRIDE, DOUBTFUL),
    ),
    ("no agent", granted(topics.ALERTS), "publishers", topics.ALERTS, WRONG),
    (
        "others beside the agent",
        granted(topics.ALERTS, AGENT, "user:a@example.com"),
        *("publishers", topics.ALERTS, DOUBTFUL),
    ),
    ("functions unseen", {"functions": SILENT}, "deployed", "functions", UNKNOWN),
    ("a function gone", {"functions": FUNCTIONS[1:]}, "deployed", FUNCTIONS[0].name, WRONG),
    ("not active", functions(active=False), "deployed", FUNCTIONS[0].name, WRONG),
    ("another entry", functions(entry_point="on_x"), "deployed", FUNCTIONS[0].name, WRONG),
    ("other code", {"code": "newer"}, "code", CODE_LABEL, DOUBTFUL),
    ("half deployed", functions(labels={}), "code", CODE_LABEL, DOUBTFUL),
    ("silent", {"ticks": dict.fromkeys(HALVES, False)}, "clock", topics.CLOCK, WRONG),
    ("one missed", {"ticks": {**HEALTHY.ticks, HALVES[0]: False}}, "clock", topics.CLOCK, DOUBTFUL),
    (
        "clock unseen",
        {"ticks": {**HEALTHY.ticks, HALVES[0]: SILENT}},
        "clock",
        topics.CLOCK,
        UNKNOWN,
    ),
    (
        "overdue",
        {"due_since": {"notice": NOON - timedelta(minutes=2, seconds=1)}},
        *("overdue", "notices", WRONG),
    ),
    ("due unseen", {"due_since": {"notice": SILENT}}, "overdue", "notices", UNKNOWN),
)
"""What is so, what changes for it in a healthy installation, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "what", "verdict"),
    [row[1:] for row in INSTALLATIONS],
    ids=[row[0] for row in INSTALLATIONS],
)
def test_what_is_amiss_with_an_installation_is_told(
    changes: dict[str, Any], check: str, what: str, verdict: Verdict
) -> None:
    """By a row of its own."""
    assert (check, what, verdict) in amiss(replace(HEALTHY, **changes))


def test_whoever_may_only_read_publishes_nothing() -> None:
    """A viewer of the override topic is no news."""
    seen = granted(topics.OVERRIDE, "user:a@example.com", role="roles/pubsub.viewer")

    assert amiss(replace(HEALTHY, **seen)) == amiss(HEALTHY)


def test_on_this_machine_nobody_is_asked_who_pushes() -> None:
    """An embedded cloud needs neither tokens nor agents, and has the functions beside it."""
    bare = delivered(topics.ALERTS, account="", audience="")
    local = replace(HEALTHY, is_local=True, functions=(), **bare, **granted(topics.ALERTS))

    assert {verdict for _, _, verdict in amiss(local)} == {UNKNOWN}


SHOP = Policy(
    "shop",
    "shop-prod",
    "europe-west1",
    {"all": Group(("placeOrder",))},
    {"frontend_unavailable": Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)},
    {},
    probes=(Probe("shop", "https://shop.example/", signal="frontend_unavailable"),),
    resources=Resources(hosting_sites=("shop",)),
)
SERVICE = Service(
    name="projects/shop-prod/locations/europe-west1/services/placeorder",
    etag="1",
    latest_created="placeorder-2",
    latest_ready="placeorder-2",
    traffic=(TrafficTarget("placeorder-1", 100),),
    serving=(TrafficTarget("placeorder-1", 100),),
    reconciling=False,
    ready=True,
)
FIRST = Revision("placeorder-1", SERVICE.name, NOON, ready=True)
LIVE = Live("placeOrder", SERVICE, (replace(FIRST, name="placeorder-2"), FIRST))
FOUND = FunctionState(
    "placeOrder",
    Generation.SECOND,
    service=SERVICE.name,
    traffic=SERVICE.traffic,
    latest=SERVICE.latest_ready,
)
STABLE = Deployment("v1", "shop", NOON, Status.STABLE, placements({"placeOrder": FOUND}))
HEALTHY_SHOP = systems.Facts(
    policy=SHOP,
    now=NOON,
    system=System("shop"),
    controls=Controls(),
    deployments=(STABLE,),
    inventory={"placeOrder": LIVE},
    requests={"placeorder": Requests(7, 0)},
    probes={"shop": ProbeAnswer(passed=True, status=200)},
    looks=Record("shop", NOON, {"shop": (Look(NOON, NOON, passed=True, seconds=0.1, status=200),)}),
    rest=WholeInventory(sites={"shop": HostingSite("v1")}),
)


def ill(facts: systems.Facts) -> list[tuple[str, Verdict]]:
    """Check and verdict of whatever is not well with a system."""
    found = systems.examined(facts)
    return [(one.check, one.verdict) for one in found if one.verdict is not WELL]


def test_a_healthy_system_is_well() -> None:
    """All but the quota, which nothing reads."""
    assert ill(HEALTHY_SHOP) == [("write-quota", UNKNOWN)]


PAUSE = Pause("anna", NOON, "we look")
FREEZE = Freeze("anna", NOON, "the sale", NOON, NOON + timedelta(hours=1))


def live(**changes: Any) -> dict[str, Any]:
    """A change of the only function's service."""
    return {"inventory": {"placeOrder": replace(LIVE, service=replace(SERVICE, **changes))}}


SYSTEMS: tuple[tuple[str, dict[str, Any], str, Verdict], ...] = (
    ("paused", {"system": System("shop", pause=PAUSE)}, "mode", DOUBTFUL),
    ("all paused", {"controls": Controls(pause=PAUSE)}, "mode", DOUBTFUL),
    ("frozen", {"system": System("shop", freezes=(FREEZE,))}, "mode", DOUBTFUL),
    ("switches unseen", {"controls": SILENT}, "mode", UNKNOWN),
    ("nothing stable", {"deployments": ()}, "stable", WRONG),
    ("only bad", {"deployments": (replace(STABLE, status=Status.BAD),)}, "stable", WRONG),
    ("deployments unseen", {"deployments": SILENT}, "stable", UNKNOWN),
    ("revision gone", {"inventory": {"placeOrder": replace(LIVE, revisions=())}}, "stable", WRONG),
    (
        "revision broken",
        {"inventory": {"placeOrder": replace(LIVE, revisions=(replace(FIRST, ready=False),))}},
        *("stable", WRONG),
    ),
    ("a function gone", {"inventory": {}}, "functions", WRONG),
    ("one too many", {"inventory": {"placeOrder": LIVE, "x": LIVE}}, "functions", DOUBTFUL),
    ("functions unseen", {"inventory": SILENT}, "functions", UNKNOWN),
    ("another name", live(name=f"{SERVICE.name}-1"), "services", DOUBTFUL),
    (
        "list cut",
        {"inventory": {"placeOrder": replace(LIVE, revisions=(FIRST,))}},
        "revisions",
        WRONG,
    ),
    ("routed elsewhere", live(serving=()), "routers", DOUBTFUL),
    ("no request", {"requests": {}}, "metrics", DOUBTFUL),
    ("metrics unseen", {"requests": SILENT}, "metrics", UNKNOWN),
    ("probe fails", {"probes": {"shop": ProbeAnswer(passed=False, status=500)}}, "probes", WRONG),
    ("probe unseen", {"probes": {"shop": SILENT}}, "probes", UNKNOWN),
    ("looks stale", {"now": NOON + timedelta(seconds=61)}, "looks", DOUBTFUL),
    ("looks unseen", {"looks": SILENT}, "looks", UNKNOWN),
    ("no such site", {"rest": WholeInventory(sites={})}, "hosting", WRONG),
    ("sites unseen", {"rest": WholeInventory()}, "hosting", UNKNOWN),
)
"""What is so, what changes for it in a healthy system, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [row[1:] for row in SYSTEMS],
    ids=[row[0] for row in SYSTEMS],
)
def test_what_is_amiss_with_a_system_is_told(
    changes: dict[str, Any], check: str, verdict: Verdict
) -> None:
    """By a row of its own."""
    assert (check, verdict) in ill(replace(HEALTHY_SHOP, **changes))


def test_a_service_on_its_way_is_not_judged() -> None:
    """Routers follow later than what they are asked."""
    moving = replace(HEALTHY_SHOP, **live(serving=(), reconciling=True))

    assert ("routers", DOUBTFUL) not in ill(moving)


def row(check: str, verdict: Verdict) -> Finding:
    return Finding(check, "", verdict, "")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([row("mode", DOUBTFUL), row("code", UNKNOWN)], 0),
        ([row("topics", UNKNOWN)], 3),
        ([row("topics", UNKNOWN), row("probes", WRONG)], 1),
    ],
)
def test_the_exit_code(findings: list[Finding], code: int) -> None:
    """Wrong outweighs unknown; unknown counts where it is essential; doubts do not."""
    assert exit_code(findings) == code


def test_every_row_is_of_a_known_check_and_every_error_is_told() -> None:
    """In the order of CHECKS, whatever could not be seen."""
    blind = replace(
        HEALTHY,
        **dict.fromkeys(("state", "topics", "subscriptions", "functions"), SILENT),
        grants=dict.fromkeys(topics.ALL, SILENT),
        ticks=dict.fromkeys(HALVES, SILENT),
        due_since={"notice": SILENT},
    )
    checks = [one.check for one in installation.examined(blind)]

    assert checks == sorted(checks, key=list(CHECKS).index)
    seen = {one.check for one in installation.examined(blind) if one.verdict is WELL}
    assert seen == {"settings"}
    assert {*CHECKS} > ESSENTIAL


def test_the_page_names_the_checks_that_look_at_its_claims() -> None:
    """Each row of unverified.md names a check, or none; each check that looks has a row."""
    page = (Path(__file__).parent.parent / "docs" / "unverified.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    named = [re.search(r"\| (?:\u2013|`([a-z-]+)`) \|$", line) for line in rows]

    assert [line for line, found in zip(rows, named, strict=True) if found is None] == []
    assert {found[1] for found in named if found} - {None} == CLAIMS
    assert {*CHECKS} > CLAIMS
