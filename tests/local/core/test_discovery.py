"""Fields and parameters are those of Google's discovery documents, or the page refuses them."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.core.resources import Kind
from local.core.rest import RestMethod
from local.services.storage.fields import BUCKET_ANSWERS, BUCKET_KINDS, OBJECT_ANSWERS, OBJECT_KINDS
from local.services.storage.requests import PARAMETERS, PARAMETERS_WITHOUT_EFFECT

DOCUMENTS = files("googleapiclient.discovery_cache") / "documents"
PAGE = (Path(__file__).parents[3] / "docs" / "embedded-cloud.md").read_text()
UNDISCOVERED = {"projects.locations.notificationConfigs": {"updateTime"}}
"""Fields of a version of an API that has no discovery document here."""
_PAGES = {"pageSize", "pageToken"}
_TEMPLATE = {"conditions", "etag", "parameterGroups", "parameters", "version"}
_NOTIFICATIONS = {"description", "name", "pubsubTopic", "serviceAccount", "streamingConfig", "updateTime"}
UNDISCOVERED_CALLS: dict[str, dict[str, set[str]]] = {
    "firebaseremoteconfig.googleapis.com": {
        "projects.getRemoteConfig": {"versionNumber"},
        "projects.updateRemoteConfig": {"validateOnly", *_TEMPLATE},
        "projects.remoteConfig.rollback": {"versionNumber"},
        "projects.remoteConfig.listVersions": {"endTime", "endVersionNumber", "startTime", *_PAGES},
    },
    "securitycenter.googleapis.com": {
        "projects.locations.notificationConfigs.create": {"configId", *_NOTIFICATIONS},
        "projects.locations.notificationConfigs.get": set(),
        "projects.locations.notificationConfigs.list": _PAGES,
        "projects.locations.notificationConfigs.patch": {"updateMask", *_NOTIFICATIONS},
        "projects.locations.notificationConfigs.delete": set(),
    },
    "workloadidentity.googleapis.com": {
        "projects.locations.serviceProducers.generateServiceAgents": {"parent"},
        "projects.locations.operations.get": set(),
    },
}
"""Fields and parameters of calls without a document of their version, from Google's references."""
MORE = {
    "projects.dashboards.patch": {"updateMask"},
    "projects.locations.repositories.setIamPolicy": {"updateMask"},
    "projects.getIamPolicy": {"options.requestedPolicyVersion"},
    "projects.serviceAccounts.getIamPolicy": {"options"},
}
"""What calls take beside what Google's do."""
JSON_TYPES = {"array": list, "boolean": bool, "integer": int, "number": float, "object": dict, "string": str}


@pytest.fixture(scope="module")
def kinds(cloud: Cloud) -> dict[str, Kind]:
    return {one.kind.calls: one.kind for one in collections(cloud)}


def collections(cloud: Cloud) -> Iterator[Any]:
    for held in cloud.surroundings.collections.values():
        yield from held
    yield from cloud.surroundings.monitoring.collections


@cache
def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return found


def properties(kind: Kind) -> dict[str, Any]:
    name, _, schema = kind.schema.rpartition(".")
    return dict(document(name)["schemas"][schema]["properties"])


def discovered(host: str, call: RestMethod) -> set[str]:
    """The fields and the parameters that a call of Google's has."""
    if host in UNDISCOVERED_CALLS:
        return UNDISCOVERED_CALLS[host][call.name]
    version = next(part for part in call.path.split("/") if re.fullmatch(r"v\d+\w*", part))
    fields, parameters = described(document(f"{host.partition('.')[0]}.{version}"), call.name)
    return fields | parameters


def described(found: dict[str, Any], call: str) -> tuple[set[str], set[str]]:
    """The fields and the parameters of a call in a document."""
    *path, verb = call.split(".")
    here = found
    while path:  # one resource is named `api.v1`
        taken = next(n for n in range(1, len(path) + 1) if ".".join(path[:n]) in here["resources"])
        here, path = here["resources"][".".join(path[:taken])], path[taken:]
    method = here["methods"][verb]
    reference = method.get("request", {}).get("$ref")
    fields = found["schemas"][reference].get("properties", {}) if reference else {}
    parameters = {name for name, it in method.get("parameters", {}).items() if it["location"] == "query"}
    return {*fields}, parameters


def refused_on_the_page(calls: str) -> set[str]:
    row = re.search(rf"^\| `{re.escape(calls)}` \| (.+) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row[1])) if row else set()


def refused_of_call(call: str) -> set[str]:
    """What the page says of a call, of its verb in every collection, and of its resource."""
    collection, _, verb = call.rpartition(".")
    return {name for key in (call, verb, collection) for name in refused_on_the_page(key)}


def test_each_field_of_google_s_is_stored_or_refused_on_the_page(kinds: dict[str, Kind]) -> None:
    """No other field is stored."""
    for calls, kind in kinds.items():
        known = {*kind.fields, *kind.answers, "name", *(["etag"] if kind.has_etag else [])}
        refused = refused_on_the_page(calls)

        assert known - UNDISCOVERED.get(calls, set()) | refused == {*properties(kind)}, calls
        assert not known & refused, calls


def test_each_field_has_google_s_type(kinds: dict[str, Kind]) -> None:
    """A message is an object, a time is text."""
    for calls, kind in kinds.items():
        google = properties(kind)
        for field, declared in kind.fields.items():
            wanted = JSON_TYPES[google[field].get("type", "object")]
            shown = getattr(declared, "__origin__", declared)
            is_text = wanted is str and (shown not in (list, dict, bool, int, float))
            assert shown is wanted or is_text, (calls, field)


def test_each_field_and_parameter_of_a_call_is_declared_or_refused_on_the_page(cloud: Cloud) -> None:
    """A new call is compared with Google's as well; none takes what Google's does not."""
    wrong = {}
    for host, calls in cloud.products.items():
        for call in calls:
            declared, google = {*call.fields, *call.parameters}, discovered(host, call)
            missing = google - declared - refused_of_call(call.name)
            more = declared - google - MORE.get(call.name, set())
            if missing or more or declared & refused_on_the_page(call.name):
                wrong[f"{host}/{call.name}"] = (sorted(missing), sorted(more))

    assert wrong == {}


@pytest.mark.parametrize("call", PARAMETERS)
def test_each_parameter_of_cloud_storage_is_read_or_refused_on_the_page(call: str) -> None:
    """What belongs to the protocol of uploads is in no list of a call."""
    declared = {*PARAMETERS[call]} - {"uploadType", "upload_id"}
    _, google = described(document("storage.v1"), call)

    assert google - declared - PARAMETERS_WITHOUT_EFFECT <= refused_of_call(call)
    assert declared <= google
    assert not declared & refused_on_the_page(call)


@pytest.mark.parametrize(
    ("schema", "known", "calls"),
    [
        ("Bucket", {*BUCKET_KINDS, *BUCKET_ANSWERS}, "buckets"),
        ("Object", {*OBJECT_KINDS, *OBJECT_ANSWERS}, "objects"),
    ],
)
def test_each_field_of_cloud_storage_is_stored_or_refused_on_the_page(
    schema: str, known: set[str], calls: str
) -> None:
    """Buckets and objects have Google's fields and no other."""
    google = {*document("storage.v1")["schemas"][schema]["properties"]}

    assert known | refused_on_the_page(calls) == google
    assert not known & refused_on_the_page(calls)
