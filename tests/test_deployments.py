"""The life of deployments: found by looking, whoever tells of them or does not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import topics
from shared.deployment import Deployment, Status, record_path, returnable
from shared.documents import decode
from shared.errors import Unavailable
from shared.inventory import AccountState, HostingSite, SecretUse, SecretVersion, configured
from shared.resources import Resources
from shared.stock import Stock, unpacked
from shared.stock import decode as decode_stock
from shared.system import System
from shared.traffic import LATEST, TrafficTarget
from tests.fakes.clock import START
from tests.test_alerts import dead_letters
from tests.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
SHOP = replace(BOOKSHOP, resources=Resources(hosting_sites=("shop",), secrets=""))


def recorded(world: World) -> dict[str, Deployment]:
    """Every deployment, by id."""
    return {
        path.partition(":")[2]: decode(Deployment, fields)
        for path, fields in world.ports.store.documents.items()
        if path.startswith("deployments/") and path.count("/") == 1
    }


def others(world: World) -> list[Deployment]:
    """Those beside the first one, the oldest first."""
    found = [one for one in recorded(world).values() if one.id != "v1"]
    return sorted(found, key=lambda one: one.at)


def stock(world: World) -> Stock:
    return decode_stock(world.ports.store.documents["inventory/bookshop"])


def system(world: World) -> System:
    return decode(System, world.ports.store.documents["systems/bookshop"])


def told(world: World) -> list[str]:
    """The names of the events outside rollbacks, in order."""
    found = [
        fields
        for path, fields in world.ports.store.documents.items()
        if path.startswith("systems/bookshop/audit/")
    ]
    return [one["name"] for one in sorted(found, key=lambda one: str(one["at"]))]


def hint(world: World, at: datetime | None = None, **changes: Any) -> None:
    """The audit log tells of a change."""
    moment = at or world.ports.clock.now()
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "cloudfunctions.googleapis.com",
        "methodName": "google.cloud.functions.v2.FunctionService.UpdateFunction",
        "resourceName": f"projects/{BOOKSHOP.project}/locations/l/functions/getBook",
        "authenticationInfo": {"principalEmail": "ci@example.com"},
        **changes,
    }
    entry = {
        "insertId": "1",
        "logName": f"projects/{BOOKSHOP.project}/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": moment.isoformat(),
        "protoPayload": payload,
    }
    world.publish(topics.DEPLOYMENTS, entry)


def deploy(world: World, *functions: str) -> None:
    world.ports.clock.advance(MINUTE)
    world.ports.world.deploy(functions or None)


def test_an_announcement_names_what_the_inventory_shows() -> None:
    """The inventory is believed, not the message; what is announced has to settle as well."""
    world = World()
    deploy(world, "getBook")

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    [one] = others(world)
    assert (one.id, one.status, one.git_hash) == ("v2", Status.ROLLING_OUT, "a1b2c3")
    assert one.deployed == ("getBook",)
    assert one.functions["getBook"].revisions == world.live["getBook"]
    world.pass_time(3 * MINUTE)
    assert others(world)[0].status is Status.LIVE


def test_an_announcement_without_a_change_is_recorded_at_once() -> None:
    """What is live has another name now."""
    world = World()

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    [one] = others(world)
    assert (one.status, one.git_hash, one.changes) == (Status.LIVE, "a1b2c3", ())


def test_a_deployment_without_a_name_is_named_after_its_time() -> None:
    """The runbook's id, by the second."""
    world = World()

    world.announce("", stable=True)
    world.settle()

    assert "deploy_20260302_120000" in recorded(world)


def test_a_known_deployment_is_not_recorded_twice() -> None:
    """A redelivery changes nothing, whatever is live by then."""
    world = World()
    before = recorded(world)["v1"]
    world.ports.world.deploy()

    world.announce("v1", stable=True)
    world.settle()

    assert replace(recorded(world)["v1"], due_at=before.due_at) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "no announcement"),
        (b"[]", "not a JSON object"),
        ({"version": 2, "system": "bookshop"}, "$.version"),
        ({"version": 1, "system": "nowhere"}, "nowhere is not known"),
        ({"version": 1, "system": "bookshop", "typo": 1}, "typo"),
        ({"kind": "deployment", "id": "x"}, "no hand-over"),
        ({"kind": "inventory", "id": "nowhere", "due_at": "2026-03-02T12:00:00Z"}, "not known"),
        ({"protoPayload": "x"}, "$.protoPayload"),
        ({"logName": "x", "textPayload": "y"}, "$.protoPayload is missing"),
    ],
)
def test_what_tells_nothing_is_refused(content: dict[str, object] | bytes, reason: str) -> None:
    """Nothing is recorded, the message is kept."""
    world = World()

    world.publish(topics.DEPLOYMENTS, content)
    world.settle()

    assert reason in dead_letters(world)[0]["reason"]
    assert list(recorded(world)) == ["v1"]


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (
            {"version": 2, "system": "nowhere", "typo": 1, "at": "soon", "stable": "yes"},
            ["$.version", "nowhere", "'typo'", "$.at", "$.stable"],
        ),
        (
            {"timestamp": "soon", "protoPayload": {"serviceName": 1}},
            ["$.timestamp", "$.protoPayload.serviceName", "$.protoPayload.methodName is missing"],
        ),
    ],
)
def test_every_fault_of_a_message_is_told(content: dict[str, Any], faults: list[str]) -> None:
    """Whoever wrote it repairs all of it at once."""
    world = World()

    world.publish(topics.DEPLOYMENTS, content)
    world.settle()

    [letter] = dead_letters(world)
    assert [one for one in faults if one not in letter["reason"]] == []


def test_a_barrier_asks_a_person() -> None:
    """Past a deployment with a barrier nobody goes back by machine."""
    world = World()
    world.deploy_bad()
    world.announce("v2", barrier="database migrated")
    world.settle()

    world.alert()
    world.settle()

    [one] = world.rollbacks()
    assert one.status == "PARKED"
    assert world.ports.world.applied_shifts == []


def test_the_first_look_is_the_baseline_and_the_next_change_the_first_deployment() -> None:
    """What was there when we came is no deployment; it is what the first one differs from."""
    world = World()
    assert list(recorded(world)) == ["v1"]
    assert stock(world).live.functions is not None

    deploy(world)
    hint(world)
    world.settle()

    [one] = others(world)
    assert one.id == f"deploy_{one.at:%Y%m%d_%H%M%S}"
    assert (one.status, set(one.deployed)) == (Status.ROLLING_OUT, set(BOOKSHOP.functions))


def test_a_deployment_of_which_no_hint_came_is_found_by_looking() -> None:
    """Lost audit entries cost five minutes at most; its time is that of its revision."""
    world = World()
    deploy(world, "getBook")
    made_at = world.ports.clock.now()

    world.pass_time(6 * MINUTE)

    [one] = others(world)
    assert (one.at, one.deployed) == (made_at, ("getBook",))
    assert one.backup_at is not None
    assert one.backup_at == made_at.replace(second=0) - MINUTE * (made_at.second == 0)


def test_a_deployment_settles_when_nothing_more_changes() -> None:
    """Two deploys inside one quiet window are one deployment; its record is whole."""
    world = World()
    deploy(world, "getBook")
    hint(world)
    world.settle()
    deploy(world, "payOrder")
    hint(world)
    world.settle()
    [rolling] = others(world)
    assert rolling.status is Status.ROLLING_OUT

    world.pass_time(3 * MINUTE)

    [one] = others(world)
    assert (one.id, one.status) == (rolling.id, Status.LIVE)
    assert one.deployed == ("getBook", "payOrder")
    assert one.functions["payOrder"].revisions == world.live["payOrder"]
    record = world.ports.store.documents[record_path("bookshop", one.id)]
    assert unpacked(record["live"]) == stock(world).live
    assert one.health["probe shop"].startswith("passed")
    assert one.restorable is not None
    assert one.restorable.faults == ()


def test_two_deploys_apart_are_two_deployments() -> None:
    """After the quiet window it is another one."""
    world = World()
    for function in ("getBook", "payOrder"):
        deploy(world, function)
        hint(world)
        world.pass_time(4 * MINUTE)

    assert [one.deployed for one in others(world)] == [("getBook",), ("payOrder",)]


@pytest.mark.parametrize(
    "changes",
    [
        {"serviceName": "compute.googleapis.com"},
        {"methodName": "google.cloud.functions.v2.FunctionService.GetFunction"},
        {"resourceName": "projects/another/locations/l/functions/getBook"},
        {"resourceName": ""},
    ],
)
def test_a_hint_that_concerns_nobody(changes: dict[str, str]) -> None:
    """It is no fault of anybody's: no look, no dead letter."""
    world = World()
    deploy(world, "getBook")

    hint(world, None, **changes)
    world.settle()

    assert (others(world), dead_letters(world)) == ([], [])


def test_hints_that_come_late_twice_and_in_any_order() -> None:
    """A hint means "look now": whatever it was about, there is one deployment."""
    world = World()
    deploy(world, "getBook")
    made_at = world.ports.clock.now()
    for late in (3, 1, 2, 1):
        world.ports.clock.advance(timedelta(seconds=20))
        hint(world, made_at + late * timedelta(seconds=1))
        world.settle()

    assert [one.deployed for one in others(world)] == [("getBook",)]


def test_a_hint_of_what_was_already_seen_costs_no_look() -> None:
    """What was logged before the last look is in it."""
    world = World()
    deploy(world, "getBook")
    made_at = world.ports.clock.now()
    world.ports.clock.advance(MINUTE)
    hint(world)
    world.settle()
    seen = stock(world)

    hint(world, made_at)
    world.settle()

    assert stock(world) == seen


@pytest.mark.parametrize(("seen", "when"), [(True, ""), (False, " before it was seen")])
def test_our_own_rollback_is_no_deployment(seen: bool, when: str) -> None:
    """What we led elsewhere ourselves is taken in; what went back is bad, seen before or not."""
    world = World()
    world.deploy_bad()
    served = world.live
    if seen:
        hint(world)
        world.settle()
    world.alert()
    world.pass_time(40 * MINUTE)

    [rollback] = world.rollbacks()
    assert rollback.status == "SUCCEEDED"
    [one] = others(world)
    assert (one.status, one.reason) == (Status.BAD, f"taken back by {rollback.id}{when}")
    assert {name: placed.revisions for name, placed in one.functions.items()} == served
    assert stock(world).wrote == dict.fromkeys(BOOKSHOP.functions, rollback.id)
    assert system(world).suspended == {}
    assert "inventory.ours" in told(world)


def test_who_leads_requests_away_from_where_we_led_them_is_a_person() -> None:
    """Their change is a deployment, and automation leaves that function to them for an hour."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(40 * MINUTE)

    world.ports.world.change_by_hand("getBook", (TrafficTarget(LATEST, 100),))
    world.pass_time(8 * MINUTE)  # until the next look, and quiet for long enough

    newest = others(world)[-1]
    assert (newest.deployed, newest.status) == (("getBook",), Status.LIVE)
    until = system(world).suspended["getBook"]
    assert set(system(world).suspended) == {"getBook"}
    assert newest.changed_at is not None  # when the look saw it, at whatever minute that was
    assert until == newest.changed_at + BOOKSHOP.deployments.human_first
    said = [one.notice["text"] for one in world.ports.sender.sent if ":suspended" in one.key]
    assert len(said) == 1
    assert "changed by hand: getBook" in said[0]


def test_a_function_that_is_deployed_during_an_incident_is_left_to_people() -> None:
    """Whoever repairs it forward is not disturbed."""
    world = World()
    world.command(command="promote", system="bookshop", mode="observe")
    world.settle()
    world.deploy_bad()
    world.command(command="promote", system="bookshop", mode="ask")
    world.settle()
    world.alert()
    world.settle()
    deploy(world, "payOrder")
    hint(world)
    world.settle()

    assert set(system(world).suspended) == {"payOrder"}


@pytest.mark.parametrize("hinted", [True, False], ids=["with hints", "before any hint"])
def test_a_roll_out_that_goes_on_when_its_alert_comes(hinted: bool) -> None:
    """What it reaches after the detection is nobody's cure: it goes back as well, on record."""
    world = World()
    stable = world.live
    world.pass_time(6 * MINUTE)
    for name in ("getBook", "listBooks"):
        world.ports.world.deploy([name], failure_rate=0.8)
        world.ports.clock.advance(MINUTE)
        if hinted:
            hint(world)
            world.settle()
    acts = iter(("renderShop", "payOrder"))

    def goes_on(verb: str, side: str) -> None:
        name = next(acts, None) if (verb, side) == ("platform.shift", "after") else None
        if name:
            world.ports.world.deploy([name], failure_rate=0.8)
            hint(world)

    world.ports.world.hook = goes_on
    world.alert()
    world.pass_time(40 * MINUTE)

    assert world.live == stable
    [one] = world.rollbacks()
    assert one.status == "SUCCEEDED"
    assert "plan.extended" in world.events(one)
    assert system(world).suspended == {}
    assert world.broken_laws() == []


def test_what_a_person_leads_elsewhere_is_no_part_of_a_roll_out_that_goes_on() -> None:
    """Nothing was deployed: whoever follows the roll-out leaves it, seen by a look or not."""
    world = World()
    canary = (TrafficTarget("payorder-00001", 100), TrafficTarget("payorder-00002", 0, "next"))
    world.ports.world.change_by_hand("payOrder", canary)
    world.ports.world.deploy(["payOrder"])
    world.pass_time(6 * MINUTE)
    world.ports.world.deploy(["getBook"], failure_rate=0.8)
    world.ports.clock.advance(2 * MINUTE)
    hint(world)
    world.settle()
    acts = iter(((TrafficTarget("payorder-00002", 100),),))

    def led(verb: str, side: str) -> None:
        traffic = next(acts, None) if (verb, side) == ("platform.shift", "after") else None
        if traffic is not None:
            world.ports.world.change_by_hand("payOrder", traffic)

    world.ports.world.hook = led
    world.alert()
    world.pass_time(40 * MINUTE)

    [one] = world.rollbacks()
    assert "shift getBook" in world.steps(one.id)
    assert world.live["payOrder"] == {"payorder-00002": 100}


def test_the_cause_of_an_incident_is_not_taken_for_its_cure() -> None:
    """What was deployed before the incident, and is seen only during it, suspends nothing."""
    world = World()
    world.command(command="promote", system="bookshop", mode="ask")
    world.settle()
    world.deploy_bad()
    world.alert()
    world.settle()

    hint(world)
    world.settle()

    assert others(world)[0].status is Status.ROLLING_OUT
    assert system(world).suspended == {}


def test_an_announcement_that_comes_after_the_deployment_was_found_names_it() -> None:
    """There is one deployment, by its announced name; the other document says so and expires."""
    world = World()
    deploy(world, "getBook")
    hint(world)
    world.pass_time(4 * MINUTE)
    [found] = others(world)

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    known = recorded(world)
    assert known[found.id].named == "v2"
    assert known[found.id].expires_at is not None
    assert (known["v2"].status, known["v2"].deployed) == (Status.LIVE, ("getBook",))
    assert record_path("bookshop", "v2") in world.ports.store.documents


def test_an_announcement_without_a_name_tells_more_of_what_was_found() -> None:
    """A barrier stands on the deployment that is live, not on one of its own."""
    world = World()
    deploy(world, "getBook")
    hint(world)
    world.settle()

    world.announce("", barrier="payments migrated")
    world.settle()

    assert [one.barrier for one in others(world)] == ["payments migrated"]


def test_a_part_that_gives_no_answer_changes_nothing_and_is_told() -> None:
    """Unknown is neither gone nor the same; what is known is compared all the same."""
    world = World(policy=SHOP)
    world.ports.beside.sites = {"shop": HostingSite("s1", START)}
    hint(world)
    world.pass_time(4 * MINUTE)

    def deaf(verb: str, side: str) -> None:
        if verb == "hosting.site":
            raise Unavailable("no answer")

    world.ports.beside.hook = deaf
    deploy(world, "getBook")
    hint(world)
    world.settle()

    assert stock(world).unknown == ("sites",)
    assert stock(world).live.sites == {"shop": HostingSite("s1", START)}
    assert [one.name for one in others(world)[-1].changes] == ["getBook"]
    assert "inventory.unknown" in told(world)


def test_time_requests_and_probes_make_a_deployment_stable() -> None:
    """Half an hour in peace with requests for what changed: then one may go back to it."""
    world = World()
    deploy(world, "getBook")
    hint(world)
    world.pass_time(40 * MINUTE)

    [one] = others(world)
    assert (one.status, one.untested) == (Status.STABLE, ())
    assert one.restorable is not None


def test_what_too_few_requests_have_reached_is_untested() -> None:
    """It stays LIVE, is looked at each hour, and after a day no more than it is proven."""
    gates = replace(BOOKSHOP.gates, minimum_requests=10**9)
    world = World(policy=replace(BOOKSHOP, gates=gates))
    deploy(world, "getBook")
    hint(world)
    world.pass_time(40 * MINUTE)
    [one] = others(world)
    assert (one.status, one.untested) == (Status.LIVE, ("getBook",))
    assert one.due_at is not None

    for _ in range(30):
        world.ports.clock.advance(timedelta(hours=1))
        world.pass_time(MINUTE)

    [one] = others(world)
    assert (one.status, one.untested) == (Status.LIVE, ("getBook",))
    assert one.restorable is not None
    assert one.due_at == one.restorable.checked_at + timedelta(days=1)


def test_a_target_that_cannot_be_gone_back_to_is_told_once() -> None:
    """Proven at each deployment and daily; the same faults are said once, their end too."""
    world = World(policy=SHOP)
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = configured({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    hint(world)
    world.pass_time(40 * MINUTE)
    assert others(world)[-1].status is Status.STABLE

    world.ports.beside.kept = {"PAY": {"1": SecretVersion("DISABLED", START)}}
    world.pass_time(20 * MINUTE)

    proof = next(one for one in others(world) if one.deployed == ("getBook",)).restorable
    assert proof is not None
    assert proof.faults == ("getBook: secret PAY/1 is DISABLED",)
    target = next(one.id for one in others(world) if one.deployed == ("getBook",))
    said = [one for one in world.ports.sender.sent if f"{target}-bookshop:restorable" in one.key]
    assert len(said) == 1
    assert "deployment.unrestorable" in told(world)


def test_another_deployment_that_cannot_be_gone_back_to() -> None:
    """Every kept one is looked at daily; to whom it matters less, it is told less loudly."""
    world = World()
    deploy(world, "getBook")
    hint(world)
    world.pass_time(40 * MINUTE)
    world.ports.world.delete_revision("getBook", "getbook-00001")

    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)

    proof = recorded(world)["v1"].restorable
    assert proof is not None
    assert proof.faults == ("getBook: revision getbook-00001 is gone",)
    said = [one for one in world.ports.sender.sent if "v1-bookshop:restorable" in one.key]
    assert [one.notice["severity"] for one in said] == ["LOW"]


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (AccountState.DISABLED, "account runtime@demo is disabled"),
        (AccountState.GONE, "account runtime@demo is gone"),
    ],
)
def test_the_account_that_the_target_runs_as_is_out_of_use(state: AccountState, fault: str) -> None:
    """Nothing that starts as it reaches anything: people are told within a day."""
    world = World()
    world.ports.beside.account_states["runtime@demo"] = state

    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)

    proof = recorded(world)["v1"].restorable
    assert proof is not None
    assert proof.faults == (fault,)
    said = [one for one in world.ports.sender.sent if "v1-bookshop:restorable" in one.key]
    assert [one.notice["severity"] for one in said] == ["HIGH"]


def test_an_account_that_gives_no_answer_is_no_fault() -> None:
    """It is said that it could not be looked at, and nobody is woken by it."""
    world = World()

    def mute(verb: str, side: str) -> None:
        if verb == "accounts.state":
            raise Unavailable("no answer")

    world.ports.beside.hook = mute
    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)

    proof = recorded(world)["v1"].restorable
    assert proof is not None
    assert (proof.faults, proof.unknown) == ((), ("account runtime@demo", "images"))


def test_a_secret_of_a_kept_deployment_that_is_disabled() -> None:
    """Told at the next look, though nobody has called that deployment stable."""
    gates = replace(SHOP.gates, minimum_requests=10**9)
    world = World(policy=replace(SHOP, gates=gates))
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = configured({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    hint(world)
    world.pass_time(10 * MINUTE)
    [kept] = others(world)

    world.ports.beside.kept = {"PAY": {"1": SecretVersion("DISABLED", START)}}
    world.pass_time(20 * MINUTE)

    assert recorded(world)[kept.id].status is Status.LIVE
    proof = recorded(world)[kept.id].restorable
    assert proof is not None
    assert proof.faults == ("getBook: secret PAY/1 is DISABLED",)


def test_a_target_whose_secret_is_disabled_is_not_shifted_to() -> None:
    """Its revision is Ready, and would not start: people are told which secret it lacks."""
    world = World(policy=SHOP)
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = configured({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    hint(world)
    world.pass_time(40 * MINUTE)
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("DISABLED", START)}}
    world.pass_time(6 * MINUTE)

    world.ports.world.deploy(["getBook"], failure_rate=0.8)
    world.ports.clock.advance(3 * MINUTE)
    world.alert()
    world.pass_time(6 * MINUTE)

    [one] = world.rollbacks()
    assert one.outcome.startswith("restorable: what would not start again")
    assert "getBook: secret PAY/1 is DISABLED" in one.outcome
    assert world.ports.world.applied_shifts == []


@pytest.mark.parametrize(
    ("statuses", "most", "kept"),
    [
        ("SLL", 3, "SLL"),
        ("SLL", 2, "SLL"),  # the newest stable one, however old
        ("SSL", 2, "SL"),
        ("SBL", 2, "SL"),
        ("SLR", 3, "SL"),
        ("", 3, ""),
    ],
)
def test_what_is_kept_to_be_gone_back_to(statuses: str, most: int, kept: str) -> None:
    """The newest ones that are neither bad nor rolling out, and the way back of automation."""
    words = {"S": Status.STABLE, "L": Status.LIVE, "B": Status.BAD, "R": Status.ROLLING_OUT}
    known = [
        Deployment(str(place), "shop", START + place * MINUTE, words[one], {}, settled_at=START)
        for place, one in enumerate(statuses)
    ]

    found = returnable(known, most)

    letters = {status: letter for letter, status in words.items()}
    assert "".join(letters[one.status] for one in reversed(found)) == kept


def test_the_oldest_deployments_expire_but_for_what_is_marked() -> None:
    """The newest are kept, and every place that one may go back to."""
    kept = replace(BOOKSHOP.deployments, kept=3)
    world = World(policy=replace(BOOKSHOP, deployments=kept))

    for number in range(2, 8):
        world.ports.clock.advance(MINUTE)
        world.announce(f"v{number}")
        world.settle()

    expiring = {name for name, one in recorded(world).items() if one.expires_at is not None}
    assert expiring == {"v2", "v3", "v4"}


def test_a_duplicate_of_a_hand_over_does_nothing() -> None:
    """What is not due any more was done."""
    world = World()
    world.pass_time(6 * MINUTE)
    before = world.ports.store.documents
    due_at = before["inventory/bookshop"]["due_at"] - 5 * MINUTE

    for kind, key in (("inventory", "bookshop"), ("deployment", "bookshop:v1")):
        again = {"kind": kind, "id": key, "due_at": due_at.isoformat()}
        world.publish(topics.DEPLOYMENTS, json.dumps(again).encode())
    world.settle()

    assert world.ports.store.documents == before


def test_a_secret_that_nobody_renews_is_told_once() -> None:
    """When it grows too old; and again only when it is renewed and grows old again."""
    world = World(policy=SHOP)
    age = SHOP.deployments.secrets_renewed_within
    created = START - age + 10 * MINUTE
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", created)}}
    uses = iter([SecretUse("KEY", "PAY", "latest")])
    world.ports.world.deploy(configuration=configured({}, uses))
    world.settle()
    assert "secrets.old" not in told(world)

    world.pass_time(30 * MINUTE)

    assert told(world).count("secrets.old") == 1
    assert stock(world).old_secrets == ("PAY",)
    texts = [one["text"] for path, one in world.ports.store.documents.items() if "notices/" in path]
    assert sum("not renewed for 365 days: PAY" in text for text in texts) == 1
