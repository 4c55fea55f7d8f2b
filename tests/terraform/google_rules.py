"""What Google refuses and no provider knows: rules over planned resources, a line for each."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from local.services.iam.permissions import read_permissions

_FUNCTION = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_LABEL = r"[a-z0-9_-]{0,63}"
NAMES = {
    ("google_artifact_registry_repository", "repository_id"): r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    ("google_cloud_scheduler_job", "name"): r"[A-Za-z0-9_-]{1,500}",
    ("google_cloudfunctions2_function", "name"): _FUNCTION,
    ("google_firestore_database", "name"): r"\(default\)|[a-z][-a-z0-9]{2,61}[a-z0-9]",
    ("google_logging_metric", "name"): r"[A-Za-z0-9_./-]{1,100}",
    ("google_logging_project_sink", "name"): r"[A-Za-z0-9_.-]{1,100}",
    ("google_monitoring_custom_service", "service_id"): r"[a-z0-9-]+",
    ("google_monitoring_slo", "slo_id"): r"[A-Za-z0-9_:.-]+",
    ("google_project_iam_custom_role", "role_id"): r"[A-Za-z0-9_.]{3,64}",
    ("google_project_iam_custom_role", "title"): r".{1,100}",
    ("google_pubsub_schema", "name"): r"[A-Za-z][A-Za-z0-9_.~+%-]{2,254}",
    ("google_pubsub_subscription", "name"): r"(?!goog)[A-Za-z][A-Za-z0-9_.~+%-]{2,254}",
    ("google_pubsub_topic", "name"): r"(?!goog)[A-Za-z][A-Za-z0-9_.~+%-]{2,254}",
    ("google_scc_v2_project_notification_config", "config_id"): r"[A-Za-z0-9-_]{1,128}",
    ("google_secret_manager_secret", "secret_id"): r"[A-Za-z0-9_-]{1,255}",
    ("google_service_account", "account_id"): r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
    ("google_service_account", "description"): r".{0,256}",
    ("google_service_account", "display_name"): r".{0,100}",
    ("google_storage_bucket", "name"): r"(?!goog)[a-z0-9][-a-z0-9_]{1,61}[a-z0-9]",
}
"""The names that Google takes, by type and argument (its documentation, read 2026-11)."""
MOST = {
    "google_cloud_scheduler_job": 500,
    "google_firestore_field": 500,
    "google_firestore_index": 200,
    "google_logging_metric": 500,
    "google_monitoring_alert_policy": 2000,
    "google_monitoring_dashboard": 1000,
    "google_monitoring_uptime_check_config": 100,
    "google_project_iam_custom_role": 300,
    "google_service_account": 100,
}
"""How many of a type a project takes by default (quota pages, read 2026-11)."""


class Planned(NamedTuple):
    """A resource as it is planned: a block is a list of what stands in it."""

    address: str
    type: str
    values: Mapping[str, Any]


def breaches(resources: Iterable[Planned]) -> list[str]:
    """Return everything that Google refuses."""
    every = [*resources]
    found = [f"{one.address}: {why}" for one in every for rule in RULES for why in rule(one)]
    counts = Counter((one.type, str(one.values.get("project"))) for one in every)
    found += [
        f"{project}: {count} of {kind}, at most {MOST[kind]}"
        for (kind, project), count in counts.items()
        if count > MOST.get(kind, count)
    ]
    return found


def _names(one: Planned) -> Iterator[str]:
    for (kind, argument), pattern in NAMES.items():
        said = one.values.get(argument)
        if kind == one.type and isinstance(said, str) and not re.fullmatch(pattern, said):
            yield f"{argument} {said!r}"


def _labels(one: Planned) -> Iterator[str]:
    for argument in ("labels", "user_labels"):
        labels = one.values.get(argument) or {}
        if argument == "labels" and one.type == "google_monitoring_notification_channel":
            continue  # settings of its type
        if len(labels) > 64:
            yield f"{len(labels)} {argument}"
        for key, value in labels.items():
            if not re.fullmatch("[a-z]" + _LABEL, key) or not re.fullmatch(_LABEL, str(value)):
                yield f"{argument} {key}={value!r}"


def _schema(one: Planned) -> Iterator[str]:
    if one.type == "google_pubsub_schema":
        messages = re.findall(r"^message (\w+)", one.values["definition"], re.M)
        if len(messages) != 1:
            yield f"a schema has one message at the top, not {', '.join(messages)}"


def _permissions(one: Planned) -> Iterator[str]:
    if one.type == "google_project_iam_custom_role":
        if unknown := {*one.values["permissions"]} - read_permissions():
            yield f"no role of Google's has {', '.join(sorted(unknown))}"
        if len(one.values["permissions"]) > 3000:
            yield "more than 3000 permissions"


def _conditions(one: Planned) -> Iterator[str]:
    for condition in one.values.get("condition") or [] if "_iam_" in one.type else []:
        if len(re.findall(r"&&|\|\|", condition["expression"])) > 12:
            yield "a condition has at most 12 logical operators"
        if len(condition["title"]) > 100 or len(condition.get("description") or "") > 256:
            yield "a condition's title has at most 100 characters, its description 256"


def _members(one: Planned) -> Iterator[str]:
    members = one.values.get("members") or []
    for binding in json.loads(one.values.get("policy_data") or "{}").get("bindings", []):
        members = [*members, *binding["members"]]
    if len(members) > 1500:
        yield f"{len(members)} members, at most 1500"


def _alerts(one: Planned) -> Iterator[str]:
    if one.type != "google_monitoring_alert_policy":
        return
    if not 1 <= len(one.values["conditions"]) <= 6:
        yield f"{len(one.values['conditions'])} conditions"
    for condition in one.values["conditions"]:
        for kind in ("condition_threshold", "condition_absent"):
            for block in condition.get(kind) or []:
                if len(block.get("filter", "")) > 2048:  # unknown where it names an uptime check
                    yield f"a filter of {len(block['filter'])} characters"
    if len(one.values["documentation"][0]["content"]) > 8192:
        yield "its documentation is too long"


def _filters(one: Planned) -> Iterator[str]:
    if one.type in ("google_logging_metric", "google_logging_project_sink"):
        if len(one.values["filter"]) > 20_000:
            yield f"a filter of {len(one.values['filter'])} characters"
        if len(one.values.get("description") or "") > 8000:
            yield "its description is too long"


def _functions(one: Planned) -> Iterator[str]:
    if one.type == "google_cloudfunctions2_function":
        [service] = one.values["service_config"]
        if service["timeout_seconds"] > 3600 or service["max_instance_count"] > 1000:
            yield "its time-out or number of instances is too large"
        if (
            sum(len(f"{key}{value}") for key, value in (service["environment_variables"] or {}).items())
            > 32_768
        ):
            yield "its environment has more than 32 KiB"


RULES = (_names, _labels, _schema, _permissions, _conditions, _members, _alerts, _filters, _functions)
