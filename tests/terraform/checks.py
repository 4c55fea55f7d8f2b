"""What must hold of an evaluated configuration, each as a list of findings; none: it holds."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from shared.core.topics import ALERTS, CONSOLE_ENTRY_POINT, OVERRIDE
from tests.terraform.evaluator.evaluator import Configuration, Resource

BASIC_ROLES = frozenset({"roles/browser", "roles/editor", "roles/owner", "roles/viewer"})
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
PUBLISHER = "roles/pubsub.publisher"
PREDEFINED = {
    PUBLISHER: {"pubsub.topics.publish"},
    "roles/iam.serviceAccountOpenIdTokenCreator": {"iam.serviceAccounts.getOpenIdToken"},
    "roles/iam.serviceAccountUser": {"iam.serviceAccounts.actAs"},
    "roles/secretmanager.secretAccessor": {"secretmanager.versions.access"},
    "roles/storage.legacyObjectReader": {"storage.objects.get"},
}
"""What is used of the roles of Google's that a responder has; any other must be one of our own
(cloud.google.com/iam/docs/roles-permissions, read 2026-11)."""


def agent(configuration: Configuration, service: str) -> str:
    """Google's agent of a service in the operations project, as a member."""
    number = f"number-of-{operations_project(configuration)}"
    return f"serviceAccount:service-{number}@gcp-sa-{service}.iam.gserviceaccount.com"


def operations_project(configuration: Configuration) -> str:
    """Where the functions are."""
    return str(functions(configuration)["on_work"]["project"])


def functions(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """Each function's arguments, by entry point."""
    return {
        one.values["build_config"][0]["entry_point"]: one.values
        for one in configuration.of("google_cloudfunctions2_function")
    }


def account_of(function: Mapping[str, Any]) -> str:
    """The email address that a function runs as."""
    return str(function["service_config"][0]["service_account_email"])


def grants(configuration: Configuration) -> list[Resource]:
    """Whatever gives somebody a role; the policy of a bucket is one grant for each role."""
    several = [grant for grant in configuration.resources if re.search(r"_iam_(member|binding)$", grant.type)]
    for policy in configuration.of("google_storage_bucket_iam_policy"):
        for binding in json.loads(policy.values["policy_data"])["bindings"]:
            several.append(replace(policy, values={"bucket": policy.values["bucket"], **binding}))
    return several


def custom_roles(configuration: Configuration) -> dict[str, set[str]]:
    """The permissions of our own roles, by full name."""
    return {
        f"projects/{role.values['project']}/roles/{role.values['role_id']}": {*role.values["permissions"]}
        for role in configuration.of("google_project_iam_custom_role")
    }


def members(grant: Resource) -> list[str]:
    """Who is given the role."""
    return grant.values.get("members") or [grant.values["member"]]


def publishers(configuration: Configuration) -> dict[str, set[str]]:
    """Who may publish, by topic."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in configuration.of("google_pubsub_topic_iam_member", "google_pubsub_topic_iam_binding"):
        if one.values["role"] == PUBLISHER or one.values["role"].endswith("/roles/rollback_hints"):
            found[one.values["topic"]] |= {*members(one)}
    return found


def topic_without_publisher(configuration: Configuration) -> list[str]:
    """Nobody can speak on it.

    Who notifies of alerts comes with its channel; an override is nobody's until an admin says so.
    """
    known = publishers(configuration)
    return [
        f"{one.values['name']}: nobody may publish"
        for one in configuration.of("google_pubsub_topic")
        if one.values["name"] not in (ALERTS, OVERRIDE) and not known[one.values["name"]]
    ]


def source_without_grant(configuration: Configuration) -> list[str]:
    """A sink, a job or a channel whose messages would be refused by their topic."""
    known, found = publishers(configuration), []
    for sink in configuration.of("google_logging_project_sink"):
        topic = sink.values["destination"].rpartition("/")[2]
        if f"serviceAccount:sink-of-{sink.values['project']}" not in known[topic]:
            found.append(f"{sink.address}: its writer may not publish on {topic}")
    for job in configuration.of("google_cloud_scheduler_job"):
        for target in job.values.get("pubsub_target", []):
            topic = target["topic_name"].rpartition("/")[2]
            if agent(configuration, "cloudscheduler") not in known[topic]:
                found.append(f"{job.address}: Scheduler's agent may not publish on {topic}")
    for channel in configuration.of("google_monitoring_notification_channel"):
        if channel.values["type"] == "pubsub":
            topic = channel.values["labels"]["topic"].rpartition("/")[2]
            if not any("gcp-sa-monitoring-notification" in one for one in known[topic]):
                found.append(f"{channel.address}: Monitoring's agent may not publish on {topic}")
    return found


def subscription_that_loses(configuration: Configuration) -> list[str]:
    """A subscription that expires, or a push that gives up without a dead letter that is kept."""
    found = []
    subscriptions = configuration.of("google_pubsub_subscription")
    kept = {one.values["topic"] for one in subscriptions if "push_config" not in one.values}
    for one in subscriptions:
        if [block.get("ttl") for block in one.values.get("expiration_policy", [])] != [""]:
            found.append(f"{one.address}: expires when it was idle for a month")
        if "push_config" not in one.values:
            continue
        letters = [block["dead_letter_topic"] for block in one.values.get("dead_letter_policy", [])]
        if not letters:
            found.append(f"{one.address}: what it gives up is lost")
        elif letters[0] not in kept:
            found.append(f"{one.address}: no subscription keeps {letters[0]}")
    return found


def letters_that_cannot_move(configuration: Configuration) -> list[str]:
    """Pub/Sub's agent publishes the dead letter, and acknowledges what became one."""
    pubsub, found = agent(configuration, "pubsub"), []
    subscribers = {
        one.values["subscription"]
        for one in configuration.of("google_pubsub_subscription_iam_member")
        if one.values["member"] == pubsub and one.values["role"] == "roles/pubsub.subscriber"
    }
    for one in configuration.of("google_pubsub_subscription"):
        for policy in one.values.get("dead_letter_policy", []):
            topic = policy["dead_letter_topic"].rpartition("/")[2]
            if pubsub not in publishers(configuration)[topic]:
                found.append(f"{one.address}: Pub/Sub's agent may not publish on {topic}")
            if one.values["name"] not in subscribers:
                found.append(f"{one.address}: Pub/Sub's agent may not acknowledge")
    return found


def push_that_is_refused(configuration: Configuration) -> list[str]:
    """A push goes to a function, with the token that it accepts, of whom may invoke it."""
    found, uris = [], {}
    for entry_point, function in functions(configuration).items():
        uris[f"https://{function['name']}-{function['location']}.a.run.app"] = entry_point
    invokers = {
        one.values["name"]: one.values["member"]
        for one in configuration.of("google_cloud_run_v2_service_iam_member")
        if one.values["role"] == "roles/run.invoker"
    }
    for one in configuration.of("google_pubsub_subscription"):
        for push in one.values.get("push_config", []):
            [token] = push.get("oidc_token", [{}])
            uri = str(push["push_endpoint"]).removesuffix(f"/{one.values['topic']}")
            if uri == push["push_endpoint"] or uri not in uris:
                found.append(f"{one.address}: pushes to no function, or without its topic's name")
                continue
            function = functions(configuration)[uris[uri]]
            service = function["name"]
            accepts = function["service_config"][0]["environment_variables"]
            audience = accepts["ROLLBACK_PUSH_AUDIENCE"].replace("{function}", service)
            account = accepts["ROLLBACK_PUSH_ACCOUNT"]
            if (token.get("service_account_email"), token.get("audience")) != (account, audience):
                found.append(f"{one.address}: {service} accepts {account} for {audience} alone")
            elif invokers.get(service) != f"serviceAccount:{token['service_account_email']}":
                found.append(f"{one.address}: {service} does not let it in")
    return found


def sink_of_our_own_changes(configuration: Configuration) -> list[str]:
    """A rollback would be told as a deployment: the reason of the next one."""
    found = []
    for sink in configuration.of("google_logging_project_sink"):
        excluded = " ".join(one["filter"] for one in sink.values.get("exclusions", []))
        for function in functions(configuration).values():
            if f'"{account_of(function)}"' not in excluded:
                found.append(f"{sink.address}: tells of what {account_of(function)} does")
            if f'"/{function["name"]}"' not in excluded:
                found.append(f"{sink.address}: tells of deployments of {function['name']}")
    return found


def schema_on_what_google_writes(configuration: Configuration) -> list[str]:
    """Notifications of Monitoring and entries of the audit log have forms of their own."""
    theirs = {ALERTS} | {
        sink.values["destination"].rpartition("/")[2]
        for sink in configuration.of("google_logging_project_sink")
    }
    return [
        f"{one.address}: its schema would refuse what Google publishes"
        for one in configuration.of("google_pubsub_topic")
        if one.values["name"] in theirs and one.values.get("schema_settings")
    ]


def basic_role(configuration: Configuration) -> list[str]:
    """A role over everything."""
    return [
        f"{one.address}: {one.values['role']}"
        for one in grants(configuration)
        if one.values["role"] in BASIC_ROLES
    ]


def open_to_everybody(configuration: Configuration) -> list[str]:
    """Only the bucket of the status pages may be, and nobody can list it."""
    found = []
    for one in grants(configuration):
        public = (
            str(one.values.get("bucket", "")).endswith("-rollback-status")
            and one.values["role"] == "roles/storage.legacyObjectReader"
        )
        if EVERYBODY & {*members(one)} and not public:
            found.append(f"{one.address}: open to everybody")
    for bucket in configuration.of("google_storage_bucket"):
        enforced = bucket.values.get("public_access_prevention") == "enforced"
        if not enforced and not bucket.values["name"].endswith("-rollback-status"):
            found.append(f"{bucket.address}: could be made public")
        if not bucket.values.get("uniform_bucket_level_access"):
            found.append(f"{bucket.address}: objects may have rights of their own")
    for entry_point, function in functions(configuration).items():
        ingress = function["service_config"][0]["ingress_settings"]
        if ingress != "ALLOW_INTERNAL_ONLY" and entry_point != CONSOLE_ENTRY_POINT:  # browsers are outside
            found.append(f"{entry_point}: reachable from anywhere")
    return found


def readable_by_the_project(configuration: Configuration) -> list[str]:
    """No bucket is anything for whoever may view or edit the project.

    Cloud Storage gives them roles with each new bucket; only a policy takes them away
    (cloud.google.com/storage/docs/access-control/iam-roles, read 2026-11).
    """
    policies = {one.values["bucket"] for one in configuration.of("google_storage_bucket_iam_policy")}
    return [
        f"{bucket.address}: has what Cloud Storage gives with a bucket"
        for bucket in configuration.of("google_storage_bucket")
        if bucket.values["name"] not in policies
    ] + [
        f"{one.address}: viewers or editors of the project have {one.values['role']}"
        for one in grants(configuration)
        if any(member.startswith(("projectEditor:", "projectViewer:")) for member in members(one))
    ]


def shared_account(configuration: Configuration) -> list[str]:
    """What one responder may, another would."""
    used: dict[str, list[str]] = defaultdict(list)
    for entry_point, function in functions(configuration).items():
        used[account_of(function)].append(entry_point)
    made = {
        f"{one.values['account_id']}@{one.values['project']}.iam.gserviceaccount.com"
        for one in configuration.of("google_service_account")
    }
    several = [f"{', '.join(by)} run as {who}" for who, by in used.items() if len(by) > 1]
    strange = [f"{', '.join(by)}: {who} is not ours" for who, by in used.items() if who not in made]
    return several + strange


def too_much_at_once(configuration: Configuration) -> list[str]:
    """The worker takes one request at a time; sharing an instance needs a whole CPU."""
    found = []
    for entry_point, function in functions(configuration).items():
        [service] = function["service_config"]
        concurrency = service["max_instance_request_concurrency"]
        if entry_point == "on_work" and concurrency != 1:
            found.append(f"on_work: {concurrency} requests at a time")
        if concurrency > 1 and float(service["available_cpu"]) < 1:
            found.append(f"{entry_point}: {concurrency} requests on less than a CPU")
        if service["timeout_seconds"] > 600:
            found.append(f"{entry_point}: runs on when Pub/Sub has given it up")
    return found


def key_without_grant(configuration: Configuration) -> list[str]:
    """Google's agent must be able to use a key before anything is encrypted with it."""
    found = []
    may = {
        (one.values["crypto_key_id"], one.values["member"]): f"{one.type}.{one.name}"
        for one in configuration.of("google_kms_crypto_key_iam_member")
    }
    project = operations_project(configuration)
    storage = f"serviceAccount:storage-agent@{project}.iam.gserviceaccount.com"
    wanted = [
        (one, block["default_kms_key_name"], storage)
        for one in configuration.of("google_storage_bucket")
        for block in one.values.get("encryption", [])
    ] + [
        (one, block["kms_key_name"], agent(configuration, "firestore"))
        for one in configuration.of("google_firestore_database")
        for block in one.values.get("cmek_config", [])
    ]
    for one, key, member in wanted:
        grant = may.get((key, member))
        if grant is None:
            found.append(f"{one.address}: {member} may not use {key}")
        elif grant not in one.depends_on:
            found.append(f"{one.address}: may be made before {grant}")
    return found


def stop_that_is_lifted(configuration: Configuration) -> list[str]:
    """What a person did to stop everything is left alone by an apply."""
    accounts = configuration.of("google_service_account")
    own = {account_of(one).partition("@")[0] for one in functions(configuration).values()}
    pushes = [one for one in configuration.of("google_pubsub_subscription") if "push_config" in one.values]
    return [
        f"{one.address}: an apply enables it again"
        for one in accounts
        if one.values["account_id"] in own and "disabled" not in one.ignored
    ] + [f"{one.address}: an apply attaches it again" for one in pushes if "topic" not in one.ignored]


def application_that_is_managed(configuration: Configuration) -> list[str]:
    """What a rollback changes belongs to the application: an apply would undo it."""
    own = r"google_cloudfunctions2_function\.(responders|console)\["
    theirs = r"google_(cloudfunctions|cloud_run_(v2_)?service\.|firebase|identity_platform_config)"
    return [
        f"{one.address}: an apply would undo its rollback"
        for one in configuration.resources
        if re.match(theirs, one.address) and not re.match(own, one.address)
    ]


def permissions(configuration: Configuration, entry_point: str) -> dict[str, set[str]]:
    """What a responder may, by project, bucket or secret: by roles of ours and of Google's.

    Raises: KeyError for a role that is neither ours nor in PREDEFINED.
    """
    roles = custom_roles(configuration)
    member = f"serviceAccount:{account_of(functions(configuration)[entry_point])}"
    found: dict[str, set[str]] = defaultdict(set)
    for grant in grants(configuration):
        if member not in members(grant):
            continue
        of_account = str(grant.values.get("service_account_id", ""))
        narrow = grant.values.get("bucket") or grant.values.get("secret_id")
        place = of_account.split("/")[1] if of_account else narrow
        found[place or grant.values["project"]] |= {**roles, **PREDEFINED}[grant.values["role"]]
    return dict(found)


def unconfined_state(configuration: Configuration) -> list[str]:
    """Where both share a project, the application's database must stay out of reach."""
    databases = {
        f"projects/{one.values['project']}/databases/{one.values['name']}"
        for one in configuration.of("google_firestore_database", name="state")
    }
    wanted = {f'resource.name == "{one}"' for one in databases}
    return [
        f"{one.address}: reaches every database"
        for one in configuration.of("google_project_iam_binding")
        if str(one.values["role"]).endswith("/roles/rollback_state")
        and {block["expression"] for block in one.values.get("condition", [])} != wanted
    ]


CHECKS: tuple[Callable[[Configuration], Iterable[str]], ...] = (
    topic_without_publisher,
    source_without_grant,
    subscription_that_loses,
    letters_that_cannot_move,
    push_that_is_refused,
    sink_of_our_own_changes,
    schema_on_what_google_writes,
    basic_role,
    open_to_everybody,
    readable_by_the_project,
    shared_account,
    too_much_at_once,
    key_without_grant,
    stop_that_is_lifted,
    application_that_is_managed,
    unconfined_state,
)


def findings(configuration: Configuration) -> list[str]:
    """Everything that does not hold."""
    return [f"{check.__name__}: {one}" for check in CHECKS for one in check(configuration)]
