"""What makes a deployment one to go back to, and what keeps it from being one."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Unavailable
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, rollback_targets
from shared.domain.deployments.inventory.inventory_parts import (
    AccountState,
    SecretUse,
    SecretVersion,
    build_configuration,
)
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.deployments import (
    MINUTE,
    SHOP,
    deploy_release,
    later_deployments,
    publish_audit_hint,
    read_deployments,
    read_stock,
)
from tests.support.rollbacks.rebuild_shop import roll_back
from tests.support.runtime.world import BOOKSHOP, World


def test_time_requests_and_probes_make_a_deployment_stable() -> None:
    """Half an hour in peace with requests for what changed: then one may go back to it."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.pass_time(40 * MINUTE)

    [one] = later_deployments(world)
    assert (one.status, one.untested) == (DeploymentStatus.STABLE, ())
    assert one.restorable is not None


def said_now(world: World, verb: str) -> None:
    """A person says it of the newest incident, and it is heard at once."""
    world.command(command=verb, system="bookshop", incident=world.incidents()[-1].id)
    world.deliver_newest()


def test_what_a_called_off_rollback_has_led_away_from_never_becomes_stable() -> None:
    """Nobody knows whether it is good: it is not what serves while its time in peace passes."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.pass_time(5 * MINUTE)
    world.ports.world.hook = run_once("platform.shift", "after", lambda: said_now(world, "cancel"))
    world.command(command="rollback", system="bookshop", functions=["getBook"])
    world.pass_time(MINUTE)
    assert world.rollbacks()[-1].status == "CANCELLED"
    assert world.live["getBook"] == {"getbook-00001": 100}

    said_now(world, "accept")
    world.pass_time(90 * MINUTE)

    [one] = later_deployments(world)
    assert (one.status, one.reason) == (DeploymentStatus.LIVE, "something else is live since")


def test_what_too_few_requests_have_reached_is_untested() -> None:
    """It stays LIVE, is looked at each hour, and after a day no more than it is proven."""
    gates = replace(BOOKSHOP.gates, minimum_requests=10**9)
    world = World(policy=replace(BOOKSHOP, gates=gates))
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.pass_time(40 * MINUTE)
    [one] = later_deployments(world)
    assert (one.status, one.untested) == (DeploymentStatus.LIVE, ("getBook",))
    assert one.due_at is not None

    for _ in range(30):
        world.ports.clock.advance(timedelta(hours=1))
        world.pass_time(MINUTE)

    [one] = later_deployments(world)
    assert (one.status, one.untested) == (DeploymentStatus.LIVE, ("getBook",))
    assert one.restorable is not None
    assert one.due_at == one.restorable.checked_at + timedelta(days=1)


def test_a_target_that_cannot_be_gone_back_to_is_told_once() -> None:
    """Proven at each deployment and daily; the same faults are said once, their end too."""
    world = World(policy=SHOP)
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = build_configuration({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    publish_audit_hint(world)
    world.pass_time(40 * MINUTE)
    assert later_deployments(world)[-1].status is DeploymentStatus.STABLE

    world.ports.beside.kept = {"PAY": {"1": SecretVersion("DISABLED", START)}}
    world.pass_time(20 * MINUTE)

    proof = next(one for one in later_deployments(world) if one.changed_functions == ("getBook",)).restorable
    assert proof is not None
    assert proof.faults == ("getBook: secret PAY/1 is DISABLED",)
    target = next(one.id for one in later_deployments(world) if one.changed_functions == ("getBook",))
    said = [one for one in world.ports.sender.sent if f"{target}-bookshop:restorable" in one.key]
    assert len(said) == 1
    assert "deployment.unrestorable" in system_event_names(world)


def test_another_deployment_that_cannot_be_gone_back_to() -> None:
    """Every kept one is looked at daily; to whom it matters less, it is told less loudly."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.pass_time(40 * MINUTE)
    world.ports.world.delete_revision("getBook", "getbook-00001")

    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)

    proof = read_deployments(world)["v1"].restorable
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

    proof = read_deployments(world)["v1"].restorable
    assert proof is not None
    assert proof.faults == tuple(sorted(f"{one}: {fault}" for one in world.policy.functions))
    said = [one for one in world.ports.sender.sent if "v1-bookshop:restorable" in one.key]
    assert [one.notice["severity"] for one in said] == ["HIGH"]


def test_a_plan_and_its_gate_name_what_the_proof_found_missing() -> None:
    """They name it per function, with when that was; it stops nothing, for it may be a day old."""
    world = World()
    world.ports.beside.account_states["runtime@demo"] = AccountState.DISABLED
    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)
    proof = read_deployments(world)["v1"].restorable
    assert proof is not None
    world.deploy_bad()

    rollback = roll_back(world)

    seen_at = f"as of {proof.checked_at:%Y-%m-%d %H:%M} UTC"
    lines = [f"{one}: account runtime@demo is disabled ({seen_at})" for one in sorted(world.live)]
    assert rollback.plan is not None
    assert [one for one in rollback.plan.reported if "runtime@demo" in one] == lines
    (reason,) = [one["reason"] for one in rollback.gates if one["gate"] == "restorable"]
    assert reason == "; ".join((f"{len(lines)} functions", *lines[:5], f"and {len(lines) - 5} more"))
    assert rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)


def test_an_account_that_gives_no_answer_is_no_fault() -> None:
    """It is said that it could not be looked at, and nobody is woken by it."""
    world = World()

    def mute(verb: str, side: str) -> None:
        if verb == "accounts.state":
            raise Unavailable("no answer")

    world.ports.beside.hook = mute
    world.ports.clock.advance(timedelta(days=1))
    world.pass_time(MINUTE)

    proof = read_deployments(world)["v1"].restorable
    assert proof is not None
    assert (proof.faults, proof.unknown) == ((), ("account runtime@demo", "images"))


def test_a_secret_of_a_kept_deployment_that_is_disabled() -> None:
    """Told at the next look, though nobody has called that deployment stable."""
    gates = replace(SHOP.gates, minimum_requests=10**9)
    world = World(policy=replace(SHOP, gates=gates))
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = build_configuration({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    publish_audit_hint(world)
    world.pass_time(10 * MINUTE)
    [kept] = later_deployments(world)

    world.ports.beside.kept = {"PAY": {"1": SecretVersion("DISABLED", START)}}
    world.pass_time(20 * MINUTE)

    assert read_deployments(world)[kept.id].status is DeploymentStatus.LIVE
    proof = read_deployments(world)[kept.id].restorable
    assert proof is not None
    assert proof.faults == ("getBook: secret PAY/1 is DISABLED",)


def test_a_target_whose_secret_is_disabled_is_not_shifted_to() -> None:
    """Its revision is Ready, and would not start: people are told which secret it lacks."""
    world = World(policy=SHOP)
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", START)}}
    bound = build_configuration({}, iter([SecretUse("KEY", "PAY", "1")]))
    world.ports.world.deploy(["getBook"], configuration=bound)
    publish_audit_hint(world)
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
    words = {
        "S": DeploymentStatus.STABLE,
        "L": DeploymentStatus.LIVE,
        "B": DeploymentStatus.BAD,
        "R": DeploymentStatus.ROLLING_OUT,
    }
    known = [
        Deployment(str(place), "shop", START + place * MINUTE, words[one], {}, settled_at=START)
        for place, one in enumerate(statuses)
    ]

    found = rollback_targets(known, most)

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

    expiring = {name for name, one in read_deployments(world).items() if one.expires_at is not None}
    assert expiring == {"v2", "v3", "v4"}


def test_a_secret_that_nobody_renews_is_told_once() -> None:
    """When it grows too old; and again only when it is renewed and grows old again."""
    world = World(policy=SHOP)
    age = SHOP.deployments.secrets_renewed_within
    created = START - age + 10 * MINUTE
    world.ports.beside.kept = {"PAY": {"1": SecretVersion("ENABLED", created)}}
    uses = iter([SecretUse("KEY", "PAY", "latest")])
    world.ports.world.deploy(configuration=build_configuration({}, uses))
    world.settle()
    assert "secrets.old" not in system_event_names(world)

    world.pass_time(30 * MINUTE)

    assert system_event_names(world).count("secrets.old") == 1
    assert read_stock(world).old_secrets == ("PAY",)
    texts = [one["text"] for path, one in world.ports.store.documents.items() if "notices/" in path]
    assert sum("not renewed for 365 days: PAY" in text for text in texts) == 1
