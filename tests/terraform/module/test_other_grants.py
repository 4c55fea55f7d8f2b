"""Who else than a responder may do what, and that each grant has its reason."""

import re
from collections import Counter, defaultdict

import pytest

from shared.adapters.gcp.firebase import auth_config, hosting, remote_config, rules
from shared.adapters.gcp.firestore import backups, indexes, store
from shared.adapters.gcp.monitoring import configuration as monitoring
from shared.adapters.gcp.monitoring import metrics
from shared.adapters.gcp.project import operations_project as installation
from shared.adapters.gcp.project import quotas, scheduler, secret_manager, service_accounts
from shared.adapters.gcp.pubsub import eventarc_triggers
from shared.adapters.gcp.run import images, platform
from shared.adapters.gcp.storage import objects
from tests.terraform.checks import account_of, custom_roles, functions, grants, members, operations_project
from tests.terraform.conftest import TERRAFORM, configuration
from tests.terraform.evaluator.blocks import blocks_in
from tests.terraform.evaluator.evaluator import Configuration, Resource
from tests.terraform.pages.security_tables import reason_of, tables

BUILD = {
    "roles/artifactregistry.writer on rollback": 1,
    "roles/logging.logWriter on the project": 1,
    "roles/storage.objectViewer on the project, function-sources-only": 1,
    "roles/storage.objectViewer on -rollback-source": 1,
}
"""The build keeps an image and says what it does; it reads what it builds, and nothing else."""
PUBSUB = {
    "roles/iam.serviceAccountOpenIdTokenCreator on rollback-push": 1,
    "roles/pubsub.publisher on rollback-dead-letters": 1,
    "roles/pubsub.subscriber on a push subscription": 7,
}
BUCKETS = (
    *("audit", "exports-bookshop", "exports-bookshop-second", "policies"),
    *("quarantine", "source", "sources", "status", "values"),
)
ROLES = {
    "gcf-admin-robot.": {"roles/storage.legacyObjectReader on -rollback-sources": 2},
    "rollback-build@": BUILD,
    "rollback-push@": {"roles/run.invoker on a function": 7},
    "gcp-sa-cloudscheduler.": {"roles/pubsub.publisher on rollback-clock": 1},
    "gcp-sa-firestore.": {
        "roles/cloudkms.cryptoKeyEncrypterDecrypter on a key": 1,
        "roles/storage.admin on -rollback-exports-bookshop": 1,
    },
    "gcp-sa-monitoring-notification.": {"roles/pubsub.publisher on rollback-alerts": 2},
    "gcp-sa-pubsub.": PUBSUB,
    "projectOwner:": {
        f"roles/storage.legacy{role} on -rollback-{bucket}": 1
        for role in ("BucketOwner", "ObjectOwner", "ObjectReader")
        for bucket in BUCKETS
    },
    "sink-of-": {"projects/example-operations/roles/rollback_hints on rollback-deployments": 2},
    "storage-agent@": {"roles/cloudkms.cryptoKeyEncrypterDecrypter on a key": 5},
}
"""What machines that are no responders may, and how often, in the example of two projects."""


def place(grant: Resource, project: str) -> str:
    """Where a grant holds, in words that are the same in every project."""
    values = grant.values
    if grant.type == "google_pubsub_subscription_iam_member":
        return "a push subscription"
    if grant.type == "google_cloud_run_v2_service_iam_member":
        return "a function"
    if "crypto_key_id" in values:
        return "a key"
    if "service_account_id" in values:
        return str(values["service_account_id"]).rpartition("/")[2].partition("@")[0]
    narrow = values.get("topic") or values.get("bucket") or values.get("repository")
    if narrow:
        return str(narrow).removeprefix(project)
    [under] = [one["title"] for one in values.get("condition", [])] or [""]
    return f"the project, {under}" if under else "the project"


def test_machines_may_what_they_do_and_no_more(two_projects: Configuration) -> None:
    """Builds, pushes, sinks and Google's agents: role by role, place by place."""
    project = operations_project(two_projects)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for grant in grants(two_projects):
        for member in members(grant):
            known = [one for one in ROLES if one in member]
            if known:
                said = f"{grant.values['role']} on {place(grant, project)}"
                found[known[0]][said] += 1

    assert {who: dict(may) for who, may in found.items()} == ROLES


def test_nobody_else_may_anything(two_projects: Configuration) -> None:
    """Whoever is no responder, none of these machines and named by no variable has no grant."""
    own = {f"serviceAccount:{account_of(one)}" for one in functions(two_projects).values()}
    named = {
        "allUsers",
        "group:incident-commanders@example.com",
        "group:oncall@example.com",
        "serviceAccount:ci-deploy@example-operations.iam.gserviceaccount.com",
    }

    strange = {
        member
        for grant in grants(two_projects)
        for member in members(grant)
        if member not in own | named and not any(one in member for one in ROLES)
    }

    assert strange == set()


LOOKED_AT = (
    *service_accounts.PERMISSIONS,
    *service_accounts.ROLES_PERMISSIONS,
    *backups.PAST_PERMISSIONS,
    *hosting.PERMISSIONS,
    *auth_config.PERMISSIONS,
    *indexes.PERMISSIONS,
    *metrics.PERMISSIONS,
    *monitoring.PERMISSIONS,
    *images.PERMISSIONS,
    *platform.INVENTORY_PERMISSIONS,
    *platform.INVOKERS_PERMISSIONS,
    *quotas.PERMISSIONS,
    *quotas.APIS_PERMISSIONS,
    *remote_config.PERMISSIONS,
    *rules.PERMISSIONS,
    *scheduler.PERMISSIONS,
    *secret_manager.PERMISSIONS,
    *eventarc_triggers.PERMISSIONS,
)

INSTALLED = (
    *service_accounts.GRANTS_PERMISSIONS,
    *installation.PERMISSIONS,
    *monitoring.PERMISSIONS,
    *quotas.APIS_PERMISSIONS,
    *scheduler.RUNS_PERMISSIONS,
)


def roles_of(member: str, example: Configuration) -> dict[str, set[str]]:
    """The permissions of our own roles that somebody has, by project or bucket."""
    roles = custom_roles(example)
    found: dict[str, set[str]] = defaultdict(set)
    for one in grants(example):
        if member in members(one) and ("bucket" in one.values or one.type.startswith("google_project_")):
            found[one.values.get("bucket") or one.values["project"]] |= roles[one.values["role"]]
    return dict(found)


def test_whoever_looks_may_read_what_the_commands_read(two_projects: Configuration) -> None:
    """What the adapters behind doctor, status and audit declare, without a single change."""
    assert roles_of("group:oncall@example.com", two_projects) == {
        "bookshop-prod": {*LOOKED_AT},
        "cvplus": {*LOOKED_AT},
        "example-operations": {*INSTALLED, *store.READ_PERMISSIONS},
        "example-operations-rollback-audit": {*objects.READ_PERMISSIONS},
        "example-operations-rollback-policies": {*objects.READ_PERMISSIONS},
        "example-people": {*quotas.APIS_PERMISSIONS},
    }


def test_ci_reads_the_state_and_nothing_else(two_projects: Configuration) -> None:
    """It waits while a rollback is under way, and looks at no database but ours."""
    ci = "serviceAccount:ci-deploy@example-operations.iam.gserviceaccount.com"

    assert roles_of(ci, two_projects) == {"example-operations": {*store.READ_PERMISSIONS}}
    [readers] = two_projects.of("google_project_iam_binding", name="state_readers")
    assert readers.values["condition"][0]["expression"].endswith('/databases/rollback"')


def test_each_grant_has_its_reason(example: Configuration) -> None:
    """The addresses in the output are those of the grants, each with a sentence."""
    reasons = example.outputs["rollback"]["grants"]

    for one in [*grants(example), *example.of("google_project_iam_audit_config")]:
        for member in members(one) if "role" in one.values else [""]:
            assert reason_of(one, member, reasons).strip(), f"{one.address} {member}"


def test_the_page_for_reviewers_prints_roles_and_grants() -> None:
    """As `python -m tests.terraform.pages.security_tables` prints them."""
    page = (TERRAFORM.parent / "docs" / "security.md").read_text()

    assert [table for table in tables() if table not in page] == []


def test_no_reason_is_left_of_a_grant_that_is_gone() -> None:
    """Each is of a resource that is written somewhere."""
    written = {
        ".".join(one.labels)
        for one in blocks_in(TERRAFORM)
        if one.kind == "resource" and "_iam_" in one.labels[0]
    }
    reasons = configuration("two-projects").outputs["rollback"]["grants"]

    assert {re.split(r"[ \[]", one)[0] for one in reasons} <= written


@pytest.mark.parametrize("example_name", ["minimal", "one-project", "two-projects"])
def test_operators_can_record_the_baseline(example_name: str) -> None:
    """Whoever may command may speak on the topic of deployments too, or the first step fails."""
    may: dict[str, set[str]] = defaultdict(set)
    for one in configuration(example_name).of("google_pubsub_topic_iam_binding"):
        may[one.values["topic"]] = {one for one in members(one) if not one.startswith("serviceAccount:")}

    assert may["rollback-commands"] <= may["rollback-deployments"]
