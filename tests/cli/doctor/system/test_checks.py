"""What doctor says of a protected system."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
import typer
from msgspec.structs import replace

from cli.app import app
from cli.doctor.finding import CheckVerdict, run_checks
from cli.doctor.installation.facts import deployed_responders
from cli.doctor.installation.metrics import Measured, check_alert_policies
from cli.doctor.system import checks as systems
from cli.doctor.system.facts import ChannelAnswer, SystemFacts, permissions_by_role
from cli.doctor.system.signals import SIGN_IN
from shared.adapters.gcp.permissions import GRANTS, ApplicationScope, Grant, application_roles
from shared.adapters.gcp.storage.public_pages import CACHE_CONTROL
from shared.core.errors import Rejected
from shared.domain.data.asset_protection import AssetProtectionStatus
from shared.domain.data.backups.export import ExportStatus, create_backup
from shared.domain.data.backups.native_backups import ManagedBackupStatus
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.integrity.scan import CollectionTally, ScanRun
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    LiveFunction,
    Restorability,
    placements,
)
from shared.domain.deployments.images import Cleanup, CleanupCondition, CleanupPolicy
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    Generation,
    HostingSite,
    SourceObject,
    WholeInventory,
)
from shared.domain.deployments.inventory.traffic import Revision, Service, TrafficTarget
from shared.domain.notices.notice import Notice
from shared.domain.policy.channels import Channel, ChannelKind
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.probes import Probe, VerificationCheck
from shared.domain.policy.resources import AssetRules, BackupRules, ProofRules, Resources
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.presentation.status_page_html import HTML_CONTENT_TYPE
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.signals.monitoring_notification import SIGNAL_LABEL, SYSTEM_LABEL
from shared.domain.signals.probe_history import ProbeResult
from shared.domain.signals.probe_signals import ProbeRecord
from shared.domain.system_record import Controls, Freeze, Pause, System
from shared.ports.operations_project import MetricQuery
from shared.ports.storage import PublicAccess
from tests.support.fakes.resources import FakeEstate
from tests.support.runtime.installation import (
    DOUBTFUL,
    FUNCTIONS,
    NOON,
    OPS,
    SILENT,
    UNKNOWN,
    WELL,
    WRONG,
    build_measured_policy,
)

SHOP = Policy(
    "shop",
    "shop-prod",
    "europe-west1",
    {"all": Group(("placeOrder",))},
    dict.fromkeys(
        ("frontend_unavailable", SIGN_IN), Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)
    ),
    {},
    probes=(Probe("shop", "https://shop.example/", signal="frontend_unavailable"),),
    resources=Resources(hosting_sites=("shop",), identity=True),
    backups=BackupRules(bucket="shop-exports", native=True, proof=ProofRules()),
    assets=AssetRules(replicated=("covers",)),
    collections={"orders": Collection()},
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
LIVE = LiveFunction("placeOrder", SERVICE, (replace(FIRST, name="placeorder-2"), FIRST))
FOUND = FunctionState(
    "placeOrder",
    Generation.SECOND,
    service=SERVICE.name,
    traffic=SERVICE.traffic,
    latest=SERVICE.latest_ready,
)
PROVEN = Restorability(NOON)
STABLE = Deployment(
    "v1", "shop", NOON, DeploymentStatus.STABLE, placements({"placeOrder": FOUND}), restorable=PROVEN
)
WHOLE = replace(
    create_backup(SHOP, NOON - 2 * SHOP.backups.every, NOON - 2 * SHOP.backups.every),
    status=ExportStatus.KEPT,
    is_over=True,
)
"""An export of as long ago as the newest may be."""
RESTORED = RestoreTest(
    id="shop-1",
    system="shop",
    backup=WHOLE.id,
    source=WHOLE.prefix,
    snapshot_at=WHOLE.snapshot_at,
    original="(default)",
    database="proof-shop-1",
    began_at=NOON - timedelta(days=2),
    is_over=True,
)
"""A proof of as long ago as the newest may be."""
BUILT = FunctionState(
    "placeOrder",
    Generation.SECOND,
    source=SourceObject("sources", "placeOrder.zip", 7),
    trigger="triggers/placeorder",
)
REGISTRY = "europe-west1-docker.pkg.dev/shop-prod/gcf-artifacts"
ONE_DAY = CleanupPolicy("DELETE", CleanupCondition(older_than="86400s"))
"""What `firebase deploy --force` sets."""
NEWEST = Cleanup(
    {
        "firebase-functions-cleanup": ONE_DAY,
        "newest": CleanupPolicy("KEEP", most_recent_versions=CleanupCondition(keep_count=30)),
    }
)
TOLD = build_measured_policy(
    MetricQuery("shop: x", {SYSTEM_LABEL: "shop", SIGNAL_LABEL: SIGN_IN}, channels=1),
    'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"',
    queries=('sum(run_googleapis_com:request_count{monitored_resource="cloud_run_revision"}) > 1',),
)
SEEN_DOWN = MetricQuery("shop: y", {SYSTEM_LABEL: "shop", SIGNAL_LABEL: "frontend_unavailable"}, channels=1)
TOLD = replace(TOLD, asked=[*TOLD.asked, SEEN_DOWN])
LOOKED_THROUGH = ScanRun("shop", "", NOON, NOON - 3 * SHOP.integrity.every, {}, ())


def roles_of(entry_point: str, grants: tuple[Grant, ...]) -> dict[str, frozenset[str]]:
    """The roles of an entry point in an application with a use for each, and what they permit."""
    own = entry_point.replace("override", "command").removeprefix("on_")
    found: dict[str, set[str]] = defaultdict(set)
    for one in grants:
        if isinstance(one.scope, ApplicationScope):
            found[f"projects/shop-prod/roles/rollback_{one.scope.role or own}"] |= {*one.permissions()} - {
                "iam.serviceAccounts.actAs"
            }
    return {role: frozenset(permitted) for role, permitted in found.items()}


HEALTHY_SHOP = SystemFacts(
    policy=SHOP,
    now=NOON,
    system=System("shop"),
    controls=Controls(),
    deployments=(STABLE,),
    inventory={"placeOrder": LIVE},
    requests={"placeorder": RouterRequests(7, 0)},
    probes={"shop": ProbeAnswer(passed=True, status=200)},
    looks=ProbeRecord(
        "shop", NOON, {"shop": (ProbeResult(NOON, NOON, passed=True, seconds=0.1, status=200),)}
    ),
    accounts={name: one.account for name, one in deployed_responders(FUNCTIONS).items()},
    granted={
        f"rollback-{name.replace('_', '-')}@{OPS}.iam.gserviceaccount.com": roles_of(name, grants)
        for name, grants in GRANTS.items()
    },
    read_back=True,
    writes=60,
    rest=WholeInventory(
        functions={"placeOrder": BUILT},
        sites={"shop": HostingSite("v1")},
        identity={"monitoring.requestLogging.enabled": True},
        invokers={"placeOrder": ("allUsers roles/run.invoker",)},
    ),
    exports=(replace(WHOLE, is_over=False), WHOLE),
    proofs=(replace(RESTORED, is_over=False), RESTORED),
    native=ManagedBackupStatus("shop", NOON),
    assets=AssetProtectionStatus("shop", NOON - timedelta(hours=25)),
    page=PublicAccess(200, HTML_CONTENT_TYPE, CACHE_CONTROL),
    push={},
    measured=TOLD,
    sign_ins=RouterRequests(9, 1),
    integrity=IntegrityRecord("shop", last=LOOKED_THROUGH),
    expiries=(TtlField("carts", ("meta", "until")),),
    triggers=(EventarcTrigger("triggers/bill", "workflow bill", {}),),
    cleanup={REGISTRY: NEWEST},
    spoken={},
)


def ill(facts: SystemFacts) -> list[tuple[str, CheckVerdict]]:
    """Check and verdict of whatever is not well with a system."""
    found = run_checks(systems.CHECKS, facts)
    return [(one.check, one.verdict) for one in found if one.verdict is not WELL]


def test_a_healthy_system_is_well() -> None:
    """Nothing is amiss."""
    assert ill(HEALTHY_SHOP) == []


def test_one_signal_with_an_alert_policy_is_counted_in_the_singular() -> None:
    """The other signals are named as having none."""
    low = {name: replace(one, severity=Severity.LOW) for name, one in HEALTHY_SHOP.policy.signals.items()}
    policy = replace(HEALTHY_SHOP.policy, signals=low)
    [found] = check_alert_policies(policy, replace(TOLD, asked=[TOLD.asked[0]]))
    assert found.why.startswith("1 signal has an alert policy; none for ")


def test_a_role_is_missed_where_the_policy_has_a_use_for_it() -> None:
    """Nobody pushes to users of a shop without a channel for that."""
    held = application_roles(SHOP)
    granted = {
        HEALTHY_SHOP.accounts[who]: {role: frozenset(permitted) for role, permitted in roles.items()}
        for who, roles in held.items()
    }
    pushing = replace(SHOP, channels=(Channel("users", ChannelKind.PUSH, target="outages"),))

    assert "on_notice" not in held
    assert ill(replace(HEALTHY_SHOP, granted=granted)) == []
    spoken = {"users": ChannelAnswer(sent=True, given_up=())}
    pushed = replace(HEALTHY_SHOP, granted=granted, policy=pushing, spoken=spoken)
    assert ill(pushed) == [("own-roles", WRONG)]


def test_a_permission_is_missed_in_a_role_that_is_there() -> None:
    """A policy that was published without an apply, or an edited role: the responder is refused."""
    assert isinstance(HEALTHY_SHOP.granted, dict)
    account, work = HEALTHY_SHOP.accounts["on_work"], "projects/shop-prod/roles/rollback_work"
    held = HEALTHY_SHOP.granted[account]
    edited = {**held, work: held[work] - {"run.services.update"}}

    found = run_checks(
        systems.CHECKS, replace(HEALTHY_SHOP, granted={**HEALTHY_SHOP.granted, account: edited})
    )

    [fault] = [one for one in found if one.verdict is not WELL]
    assert (fault.check, fault.verdict) == ("own-roles", WRONG)
    assert f"it lacks run.services.update in the role {work}" in fault.why


def test_what_roles_permit_is_read_of_the_projects_own() -> None:
    """Under a condition or not; of Google's own roles nobody needs it."""
    accounts = FakeEstate()
    role = "projects/shop-prod/roles/rollback_sources"
    accounts.granted = {"a@x": ("roles/viewer", f"{role} if resource.name == 'x'"), "b@x": ("roles/viewer",)}
    accounts.permitted = {role: frozenset({"storage.objects.get"})}

    found = permissions_by_role(accounts, SHOP)

    assert found == {"a@x": {role: frozenset({"storage.objects.get"})}, "b@x": {}}


PAUSE = Pause("anna", NOON, "we look")
FREEZE = Freeze("anna", NOON, "the sale", NOON, NOON + timedelta(hours=1))


def live(**changes: Any) -> dict[str, Any]:
    """A change of the only function's service."""
    return {"inventory": {"placeOrder": replace(LIVE, service=replace(SERVICE, **changes))}}


def beside(**parts: Any) -> dict[str, Any]:
    """A change of what was read beside services and revisions."""
    return {"rest": replace(HEALTHY_SHOP.rest, **parts)}


def built(**changes: Any) -> dict[str, Any]:
    """A change of what is shown of the only function."""
    return beside(functions={"placeOrder": replace(BUILT, **changes)})


def proven(**found: Any) -> dict[str, Any]:
    """What the proof of the only deployment has found."""
    return {"deployments": (replace(STABLE, restorable=replace(PROVEN, **found)),)}


def cleaned_up(**keeps: Any) -> Cleanup:
    """A repository whose images are deleted after a day, but for what another policy keeps."""
    kept = CleanupCondition(**keeps)
    by_number, by_age = (kept, CleanupCondition()) if kept.keep_count else (CleanupCondition(), kept)
    return Cleanup({"firebase-functions-cleanup": ONE_DAY, "keep": CleanupPolicy("KEEP", by_age, by_number)})


def of_alert(**changes: Any) -> Measured:
    """A change of the only alert policy."""
    return replace(TOLD, asked=[replace(TOLD.asked[0], **changes), SEEN_DOWN])


def spoke(*, sent: bool, given_up: int) -> dict[str, Any]:
    """What became of the notices of the only channel, a week ago at the longest."""
    notice = Notice(
        *("n", "i", "shop", "e", "users", None, "t"),
        created_at=NOON - timedelta(days=7) + timedelta(microseconds=1),
        due_at=None,
        since=NOON,
        lane="i:users",
        last_error="403",
    )
    return {"policy": PUSHING, "spoken": {"users": ChannelAnswer(sent, [notice] * given_up)}}


PUSHING = replace(SHOP, channels=(Channel("users", ChannelKind.PUSH, target="outages"),))
VERIFYING = replace(SHOP, verification={"sign-in": VerificationCheck(sign_in_failures=0.3)})
UNKNOWN_FILES = {"orders": CollectionTally(unknown=1)}
SYSTEMS: tuple[tuple[str, dict[str, Any], str, CheckVerdict], ...] = (
    ("paused", {"system": System("shop", pause=PAUSE)}, "mode", DOUBTFUL),
    ("a source unsaid", built(source=None), "sources", DOUBTFUL),
    ("a source that may be another", built(source=SourceObject("x", "y")), "sources", DOUBTFUL),
    ("functions unseen", beside(functions=None), "sources", UNKNOWN),
    ("fewer writes are admitted", {"writes": 59}, "write-quota", DOUBTFUL),
    ("more writes are admitted", {"writes": 61}, "write-quota", DOUBTFUL),
    ("no limit of writes is listed", {"writes": None}, "write-quota", UNKNOWN),
    ("the quota gives no answer", {"writes": SILENT}, "write-quota", UNKNOWN),
    ("all paused", {"controls": Controls(pause=PAUSE)}, "mode", DOUBTFUL),
    ("frozen", {"system": System("shop", freezes=(FREEZE,))}, "mode", DOUBTFUL),
    ("switches unseen", {"controls": SILENT}, "mode", UNKNOWN),
    ("nothing stable", {"deployments": ()}, "stable", WRONG),
    ("only bad", {"deployments": (replace(STABLE, status=DeploymentStatus.BAD),)}, "stable", WRONG),
    ("deployments unseen", {"deployments": SILENT}, "stable", UNKNOWN),
    ("proofs unseen", {"deployments": SILENT}, "proof", UNKNOWN),
    ("not proven", {"deployments": (replace(STABLE, restorable=None),)}, "proof", UNKNOWN),
    ("an index gone", proven(faults=("index a is gone",)), "proof", WRONG),
    ("a version unseen", proven(unknown=("version shop/v1",)), "proof", UNKNOWN),
    ("no copy", proven(rebuild=("placeOrder: no copy of its source",)), "kept", DOUBTFUL),
    ("images go soon", proven(images_until=NOON + timedelta(days=7)), "proof", DOUBTFUL),
    ("images gone", proven(rebuilt=3), "proof", DOUBTFUL),
    ("no clean-up policy", {"cleanup": {REGISTRY: Cleanup()}}, "image-cleanup", DOUBTFUL),
    ("kept 29", {"cleanup": {REGISTRY: cleaned_up(keep_count=29)}}, "image-cleanup", DOUBTFUL),
    ("policies unseen", {"cleanup": {REGISTRY: SILENT}}, "image-cleanup", UNKNOWN),
    ("revision gone", {"inventory": {"placeOrder": replace(LIVE, revisions=())}}, "stable", WRONG),
    (
        "revision broken",
        {"inventory": {"placeOrder": replace(LIVE, revisions=(replace(FIRST, ready=False),))}},
        *("stable", WRONG),
    ),
    ("a function gone", {"inventory": {}}, "functions", WRONG),
    ("one too many", {"inventory": {"placeOrder": LIVE, "x": LIVE}}, "functions", DOUBTFUL),
    ("functions unseen", {"inventory": SILENT}, "functions", UNKNOWN),
    (
        "one of the 1st generation too many",
        beside(functions={"placeOrder": BUILT, "old": replace(BUILT, name="old", service="")}),
        *("functions", DOUBTFUL),
    ),
    ("another name", live(name=f"{SERVICE.name}-1"), "services", DOUBTFUL),
    ("list cut", {"inventory": {"placeOrder": replace(LIVE, revisions=(FIRST,))}}, "revisions", WRONG),
    ("routed elsewhere", live(serving=()), "routers", DOUBTFUL),
    ("no request", {"requests": {}}, "metrics", DOUBTFUL),
    ("metrics unseen", {"requests": SILENT}, "metrics", UNKNOWN),
    ("probe fails", {"probes": {"shop": ProbeAnswer(passed=False, status=500)}}, "probes", WRONG),
    ("probe unseen", {"probes": {"shop": SILENT}}, "probes", UNKNOWN),
    ("a role gone", {"granted": {}}, "own-roles", WRONG),
    ("roles unseen", {"granted": SILENT}, "own-roles", UNKNOWN),
    ("accounts unknown", {"accounts": {}}, "own-roles", UNKNOWN),
    ("no alert yet", {"read_back": None}, "alert-ids", UNKNOWN),
    ("another id", {"read_back": Rejected("no such alert")}, "alert-ids", DOUBTFUL),
    ("alerts unseen", {"read_back": SILENT}, "alert-ids", UNKNOWN),
    ("log off", {"rest": WholeInventory(sites={}, identity={})}, "request-log", DOUBTFUL),
    ("looks stale", {"now": NOON + timedelta(seconds=61)}, "looks", DOUBTFUL),
    ("looks unseen", {"looks": SILENT}, "looks", UNKNOWN),
    ("no such site", {"rest": WholeInventory(sites={})}, "hosting", WRONG),
    ("sites unseen", {"rest": WholeInventory()}, "hosting", UNKNOWN),
    ("none over", {"exports": (replace(WHOLE, is_over=False),)}, "exports", UNKNOWN),
    ("failed", {"exports": (replace(WHOLE, status=ExportStatus.FAILED), WHOLE)}, "exports", WRONG),
    ("old", {"now": NOON + timedelta(microseconds=1)}, "exports", WRONG),
    ("exports unseen", {"exports": SILENT}, "exports", UNKNOWN),
    ("no proof over", {"proofs": (replace(RESTORED, is_over=False),)}, "backup-proof", UNKNOWN),
    ("unproven", {"proofs": (replace(RESTORED, faults=("lost",)),)}, "backup-proof", WRONG),
    ("proven long ago", {"now": NOON + timedelta(microseconds=1)}, "backup-proof", WRONG),
    ("backup proofs unseen", {"proofs": SILENT}, "backup-proof", UNKNOWN),
    ("no schedule", {"native": ManagedBackupStatus("shop", NOON, ("none",))}, "native-backups", WRONG),
    ("never watched", {"native": None}, "native-backups", UNKNOWN),
    (
        "watched long ago",
        {"native": ManagedBackupStatus("shop", NOON - timedelta(hours=2, microseconds=1))},
        *("native-backups", UNKNOWN),
    ),
    ("one place", {"assets": AssetProtectionStatus("shop", NOON, {"covers": "one place"})}, "assets", WRONG),
    (
        "a place unseen",
        {"assets": AssetProtectionStatus("shop", NOON, unseen=("covers",))},
        "assets",
        UNKNOWN,
    ),
    ("never inspected", {"assets": None}, "assets", UNKNOWN),
    (
        "inspected long ago",
        {"assets": AssetProtectionStatus("shop", NOON - timedelta(hours=25, microseconds=1))},
        *("assets", UNKNOWN),
    ),
    ("assets unseen", {"assets": SILENT}, "assets", UNKNOWN),
    ("no page", {"page": PublicAccess(404)}, "status-page", WRONG),
    ("a page as a file", {"page": PublicAccess(200, "", CACHE_CONTROL)}, "status-page", DOUBTFUL),
    ("a page of an hour ago", {"page": PublicAccess(200, HTML_CONTENT_TYPE)}, "status-page", DOUBTFUL),
    ("no bucket of pages named", {"page": None}, "status-page", UNKNOWN),
    ("the page unseen", {"page": SILENT}, "status-page", UNKNOWN),
    ("push off", {"push": {"shop-prod": True, OPS: False}}, "apis", WRONG),
    ("push off in the application", {"push": {"shop-prod": False, OPS: True}}, "apis", WRONG),
    ("push unseen", {"push": {"shop-prod": SILENT}}, "apis", UNKNOWN),
    ("alerts unseen", {"measured": SILENT}, "alert-policies", UNKNOWN),
    ("no alert", {"measured": build_measured_policy(MetricQuery("x"))}, "alert-policies", DOUBTFUL),
    ("an alert off", {"measured": of_alert(enabled=False)}, "alert-policies", WRONG),
    ("an alert to nobody", {"measured": of_alert(channels=0)}, "alert-policies", WRONG),
    ("no sign-in", {"policy": VERIFYING, "sign_ins": RouterRequests(0, 0)}, "sign-ins", DOUBTFUL),
    ("sign-ins unseen", {"policy": VERIFYING, "sign_ins": SILENT}, "sign-ins", UNKNOWN),
    ("callers unseen", beside(invokers=None), "invokers", UNKNOWN),
    (
        "a setting that is called a secret",
        beside(identity={"signIn.newVendor.signingKey": "x"}),
        *("secret-settings", DOUBTFUL),
    ),
    ("data never looked through", {"integrity": None}, "data", UNKNOWN),
    ("a first run under way", {"integrity": IntegrityRecord("shop")}, "data", UNKNOWN),
    (
        "data that cannot be looked through",
        {"integrity": IntegrityRecord("shop", failure="PERMISSION_DENIED", failed_at=NOON)},
        *("data", WRONG),
    ),
    (
        "files that cannot be looked at",
        {"integrity": IntegrityRecord("shop", last=replace(LOOKED_THROUGH, tallies=UNKNOWN_FILES))},
        *("data", UNKNOWN),
    ),
    ("looked through long ago", {"now": NOON + timedelta(microseconds=1)}, "data", WRONG),
    ("data unseen", {"integrity": SILENT}, "data", UNKNOWN),
    ("expiry unseen", {"expiries": SILENT}, "expiry", UNKNOWN),
    ("triggers unseen", {"triggers": SILENT}, "triggers", UNKNOWN),
    ("given up", spoke(sent=True, given_up=1), "channels", DOUBTFUL),
    ("never taken", spoke(sent=False, given_up=1), "channels", WRONG),
    ("nothing said", spoke(sent=False, given_up=0), "channels", UNKNOWN),
    ("a channel unseen", {"policy": PUSHING, "spoken": {"users": SILENT}}, "channels", UNKNOWN),
    ("moved", {"probes": {"shop": ProbeAnswer(passed=True, status=301)}}, "probes", DOUBTFUL),
    ("watching unseen", {"native": SILENT}, "native-backups", UNKNOWN),
)
"""What is so, what changes for it in a healthy system, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "verdict"), [row[1:] for row in SYSTEMS], ids=[row[0] for row in SYSTEMS]
)
def test_what_is_amiss_with_a_system_is_told(
    changes: dict[str, Any], check: str, verdict: CheckVerdict
) -> None:
    """By a row of its own."""
    assert (check, verdict) in ill(replace(HEALTHY_SHOP, **changes))


@pytest.mark.parametrize(
    ("check", "changes", "reasons"),
    [
        ("expiry", {}, ["carts by meta.until"]),
        ("expiry", {"expiries": ()}, ["the database has no TTL policy"]),
        ("expiry", {"policy": replace(SHOP, collections={}), "expiries": SILENT}, []),
        ("triggers", {}, ["read: 1"]),
        ("triggers", {"policy": replace(SHOP, collections={}), "triggers": SILENT}, []),
    ],
)
def test_what_acts_on_documents_is_looked_at(check: str, changes: dict[str, Any], reasons: list[str]) -> None:
    """By what they expire, and their triggers, where documents might be brought back."""
    findings = run_checks(systems.CHECKS, replace(HEALTHY_SHOP, **changes))
    assert [finding.why for finding in findings if finding.check == check] == reasons


def test_what_is_not_backed_up_is_not_judged() -> None:
    """A policy that asks for no backup, and declares no assets, has no row of either."""
    policy = replace(SHOP, backups=BackupRules(), assets=AssetRules())
    bare = replace(HEALTHY_SHOP, policy=policy, exports=SILENT)
    judged = {one.check for one in run_checks(systems.CHECKS, bare)}

    assert judged & {"exports", "backup-proof", "native-backups", "assets"} == set()


@pytest.mark.parametrize("part", ["secrets", "schedules"])
@pytest.mark.parametrize(("prefix", "rows"), [(None, 0), ("", 1), ("shop-", 1)])
def test_what_is_protected_by_a_prefix(part: str, prefix: str | None, rows: int) -> None:
    """An empty prefix means all of them."""
    policy = replace(SHOP, resources=replace(SHOP.resources, **{part: prefix}))
    found = run_checks(systems.CHECKS, replace(HEALTHY_SHOP, policy=policy))

    assert [one.verdict for one in found if one.check == part] == [UNKNOWN] * rows


def test_what_the_target_lacks_is_told_by_function() -> None:
    """Which revision of which function is gone, and what else its last proof found missing."""
    fault = "placeOrder: account run@shop is disabled"
    changes = {"inventory": {"placeOrder": replace(LIVE, revisions=())}, **proven(faults=(fault,))}
    facts = replace(HEALTHY_SHOP, **changes)
    found = {one.check: one.why for one in run_checks(systems.CHECKS, facts)}

    assert found["stable"] == "placeOrder: revision placeorder-1 is gone"
    assert found["proof"] == f"it cannot be restored completely: {fault}"


def test_a_service_on_its_way_is_not_judged() -> None:
    """Routers follow later than what they are asked."""
    moving = replace(HEALTHY_SHOP, **live(serving=(), reconciling=True))

    assert ("routers", DOUBTFUL) not in ill(moving)


def test_what_is_to_be_said_is_said_whole() -> None:
    """Each line of ours that a finding names is one that the prompt takes as it stands."""
    every = (replace(HEALTHY_SHOP, **changes) for _, changes, *_ in SYSTEMS)
    lines = {one.what_to_do.partition(";")[0] for facts in every for one in run_checks(systems.CHECKS, facts)}
    ours = sorted(one for one in lines if one.startswith("rollback "))
    verbs = typer.main.get_command(app)

    assert "rollback unfreeze --system shop --reason WHY" in ours
    assert "rollback resume --all --reason WHY" in ours
    for line in ours:
        assert "--system shop" in line or "--all" in line
        command, words = verbs, line.split()[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(line, words)


@pytest.mark.parametrize(
    "changes",
    [
        proven(images_until=NOON + timedelta(days=7, seconds=1)),
        {"cleanup": {REGISTRY: Cleanup(labels={"firebase-functions-cleanup-opted-out": "true"})}},
        {"cleanup": {REGISTRY: cleaned_up(newer_than="5184000s")}},
        {"cleanup": {}},
    ],
)
def test_images_that_stay(changes: dict[str, Any]) -> None:
    """For 60 days, for the last 30 deployments, or for ever: nothing is amiss."""
    assert ill(replace(HEALTHY_SHOP, **changes)) == []


@pytest.mark.parametrize(
    ("policies", "why", "to_do"),
    [
        ({}, "no clean-up policy: `firebase deploy` exits with 1, or with --force sets one of 1 day", ""),
        (
            {"firebase-functions-cleanup": ONE_DAY},
            "it deletes images after 1 d; older deployments are rebuilt",
            "",
        ),
        (
            {"delete-old": ONE_DAY},
            "it deletes images after 1 d; older deployments are rebuilt",
            "; then correct the policies delete-old",
        ),
    ],
)
def test_the_command_that_lets_images_stay(policies: dict[str, CleanupPolicy], why: str, to_do: str) -> None:
    """It stands beside what it repairs, with the place and the project."""
    seen = replace(HEALTHY_SHOP, cleanup={REGISTRY: Cleanup(policies)})

    [found] = systems.CHECKS["image-cleanup"](seen)

    keep = "firebase functions:artifacts:setpolicy --location europe-west1 --days 60 --project shop-prod"
    assert (found.verdict, found.why, found.what_to_do) == (DOUBTFUL, why, keep + to_do)
