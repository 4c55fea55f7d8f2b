"""Every kind of plain resource keeps the same contract, as Google's REST APIs do."""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from local.application.names import project_number
from local.cloud import Cloud
from local.services.iam.roles import ID_RELEASE_PERIOD
from tests.local.support.rest import Product

NUMBER = project_number("shop")
V1, V3 = "/v1/projects/shop", "/v3/projects/shop"
PLACE = f"{V1}/locations/europe-west1"
THRESHOLD = {"filter": 'metric.type="run.googleapis.com/request_count"', "comparison": "COMPARISON_GT"}


class Example(NamedTuple):
    """One kind: how a resource is made, and one field that changes."""

    host: str
    path: str
    body: dict[str, Any]
    field: str
    """Text of the client's."""
    name: str = ""
    """How its full name begins; else as the path."""
    query: str = ""
    wrapper: str = ""
    """Where the body of a creation holds the resource."""
    wraps_change: bool = False
    verb: str = "PATCH"
    listed_as: str = ""


EXAMPLES = {
    "secret": Example(
        "secretmanager.googleapis.com",
        f"{V1}/secrets",
        {"replication": {"automatic": {}}, "labels": {"a": "b"}, "ttl": "60s"},
        "ttl",
        f"projects/{NUMBER}/secrets/",
        "secretId=S-1",
    ),
    "job": Example(
        "cloudscheduler.googleapis.com",
        f"{PLACE}/jobs",
        {
            "name": "projects/shop/locations/europe-west1/jobs/tick",
            "schedule": "* * * * *",
            "pubsubTarget": {"topicName": "projects/shop/topics/t", "data": "dA=="},
        },
        "description",
    ),
    "account": Example(
        "iam.googleapis.com",
        f"{V1}/serviceAccounts",
        {"accountId": "shop-worker", "serviceAccount": {"displayName": "Worker"}},
        "description",
        wrapper="serviceAccount",
        wraps_change=True,
        listed_as="accounts",
    ),
    "role": Example(
        "iam.googleapis.com",
        f"{V1}/roles",
        {"roleId": "reader_1", "role": {"title": "Reader", "includedPermissions": ["storage.objects.get"]}},
        "title",
        wrapper="role",
    ),
    "sink": Example(
        "logging.googleapis.com",
        "/v2/projects/shop/sinks",
        {"name": "changes", "destination": "pubsub.googleapis.com/projects/shop/topics/t", "filter": "a=b"},
        "filter",
        "changes",
    ),
    "exclusion": Example(
        "logging.googleapis.com",
        "/v2/projects/shop/exclusions",
        {"name": "noise", "filter": "severity<ERROR"},
        "description",
        "noise",
    ),
    "log metric": Example(
        "logging.googleapis.com",
        "/v2/projects/shop/metrics",
        {"name": "errors", "filter": "severity>=ERROR"},
        "filter",
        "errors",
        verb="PUT",
    ),
    "alert policy": Example(
        "monitoring.googleapis.com",
        f"{V3}/alertPolicies",
        {
            "displayName": "slow",
            "combiner": "OR",
            "conditions": [{"displayName": "slow", "conditionThreshold": THRESHOLD}],
        },
        "displayName",
    ),
    "channel": Example(
        "monitoring.googleapis.com",
        f"{V3}/notificationChannels",
        {"type": "email", "displayName": "on call", "labels": {"email_address": "a@example.com"}},
        "displayName",
    ),
    "uptime check": Example(
        "monitoring.googleapis.com",
        f"{V3}/uptimeCheckConfigs",
        {"displayName": "site", "timeout": "10s", "httpCheck": {"path": "/"}, "period": "60s"},
        "period",
    ),
    "service": Example(
        "monitoring.googleapis.com",
        f"{V3}/services",
        {"displayName": "shop", "custom": {}},
        "displayName",
        f"projects/{NUMBER}/services/",
        "serviceId=shop",
    ),
    "dashboard": Example(
        "monitoring.googleapis.com",
        f"{V1}/dashboards",
        {"displayName": "Health", "mosaicLayout": {"columns": 48, "tiles": [{"width": 16, "height": 12}]}},
        "displayName",
        f"projects/{NUMBER}/dashboards/",
    ),
    "repository": Example(
        "artifactregistry.googleapis.com",
        f"{PLACE}/repositories",
        {"format": "DOCKER", "labels": {"a": "b"}},
        "description",
        query="repository_id=images",
    ),
    "budget": Example(
        "billingbudgets.googleapis.com",
        "/v1/billingAccounts/000000-000000-000000/budgets",
        {"displayName": "all", "amount": {"specifiedAmount": {"units": "100"}}},
        "displayName",
        "billingAccounts/000000-000000-000000/budgets/",
    ),
    "findings": Example(
        "securitycenter.googleapis.com",
        "/v2/projects/shop/locations/global/notificationConfigs",
        {"pubsubTopic": "projects/shop/topics/t", "streamingConfig": {"filter": 'severity="HIGH"'}},
        "description",
        query="configId=breach",
    ),
}

NAMED = [name for name, one in EXAMPLES.items() if one.query or {"name", "accountId", "roleId"} & {*one.body}]


class Scene:
    """One kind's resources; each test leaves none behind."""

    def __init__(self, cloud: Cloud, example: Example) -> None:
        self.example = example
        self.clock = cloud.clock
        self.product = Product(cloud, example.host)
        self.collection = example.path
        self.creation = f"{example.path}?{example.query}" if example.query else example.path

    def create(self, **more: Any) -> Any:
        """Return the resource as it was made."""
        answer = self.product.done("POST", self.creation, self.stated(**more))
        made = answer["response"] if "done" in answer else answer
        return {key: it for key, it in made.items() if key != "@type"}

    def stated(self, **more: Any) -> dict[str, Any]:
        """The body of a creation with more fields."""
        body = deepcopy(self.example.body)
        (body[self.example.wrapper] if self.example.wrapper else body).update(more)
        return body

    def one(self, made: Any) -> str:
        return f"{self.collection}/{made['name'].rpartition('/')[2]}"

    def changed(self, made: Any, **fields: Any) -> tuple[str, dict[str, Any]]:
        """Path and body of a change of some fields, by a mask where there is one."""
        if self.example.verb == "PUT":
            return self.one(made), {**self.example.body, **fields}
        mask = ",".join(fields)
        if self.example.wraps_change:
            return self.one(made), {self.example.wrapper: fields, "updateMask": mask}
        return f"{self.one(made)}?updateMask={mask}", fields

    def change(self, made: Any, **fields: Any) -> Any:
        path, body = self.changed(made, **fields)
        return self.product.done(self.example.verb, path, body)

    def listed(self) -> list[str]:
        answer = self.product.get(self.collection)
        field = self.example.listed_as or self.collection.rpartition("/")[2]
        return [one["name"] for one in answer.get(field, [])]


@pytest.fixture(params=EXAMPLES)
def scene(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Scene]:
    cloud.clock.advance(ID_RELEASE_PERIOD)  # the id of a role that another test has deleted is free
    scene = Scene(cloud, EXAMPLES[request.param])
    before = {*scene.listed()}
    yield scene
    for name in {*scene.listed()} - before:
        scene.product.done("DELETE", scene.one({"name": name}))


def test_a_resource_is_read_as_it_was_created(scene: Scene) -> None:
    """Each field that was sent is there, the name is Google's, and a list has it once."""
    made = scene.create()

    stated = scene.stated()
    sent = stated[scene.example.wrapper] if scene.example.wrapper else stated
    fields = {key: it for key, it in sent.items() if key != "name"}
    assert holds(made, fields)
    assert made["name"].startswith(scene.example.name or f"{scene.example.path.split('/', 2)[2]}/")
    assert scene.product.get(scene.one(made)) == made
    assert scene.listed().count(made["name"]) == 1


def test_one_field_changes_and_the_rest_stays(scene: Scene) -> None:
    """A mask names what changes; the same again changes nothing, not even the etag."""
    made = scene.create()

    changed = scene.change(made, **{scene.example.field: "120s"})

    assert changed[scene.example.field] == "120s"
    own = {*scene.stated(), *scene.stated().get(scene.example.wrapper, {})} - {scene.example.field}
    assert {key: changed[key] for key in own & {*made}} == {key: made[key] for key in own & {*made}}
    assert scene.product.get(scene.one(made)) == changed
    scene.clock.advance(timedelta(seconds=1))
    assert scene.change(changed, **{scene.example.field: "120s"}) == changed


def test_a_deleted_resource_is_gone(scene: Scene) -> None:
    """It is in no list, cannot be changed, and its id can be used once more."""
    made = scene.create()
    path, body = scene.changed(made, **{scene.example.field: "x"})

    scene.product.done("DELETE", scene.one(made))

    assert made["name"] not in scene.listed()
    if scene.example.wrapper == "role":  # it stays readable for some days
        return
    assert scene.product.refused("GET", scene.one(made)) == "NOT_FOUND"
    assert scene.product.refused("DELETE", scene.one(made)) == "NOT_FOUND"
    if scene.example.verb == "PATCH":
        assert scene.product.refused("PATCH", path, body) == "NOT_FOUND"
    scene.create()


def test_an_unknown_field_is_refused_by_its_name(scene: Scene) -> None:
    """Nothing is dropped in silence: at a creation, at a change, in a mask, in the query."""
    refused = scene.product.ask("POST", scene.creation, scene.stated(colour="red"))
    assert (refused.status_code, '"colour"' in json.dumps(refused.json()).replace("\\", "")) == (400, True)
    assert not [name for name in scene.listed() if name.endswith(("S-1", "tick", "reader_1"))]

    made = scene.create()
    path, body = scene.changed(made, colour="red")
    assert scene.product.refused(scene.example.verb, path, body) == "INVALID_ARGUMENT"
    separator = "&" if "?" in scene.creation else "?"
    query = f"{scene.creation}{separator}colour=red"
    assert scene.product.refused("POST", query, scene.stated()) == "INVALID_ARGUMENT"
    assert scene.product.get(scene.one(made)) == made


@pytest.mark.parametrize("scene", ["secret", "job"], indirect=True)
def test_a_required_field_that_is_missing_is_refused(scene: Scene) -> None:
    """Nothing is assumed in its place."""
    required = {"replication", "schedule"}
    stated = {name: value for name, value in scene.stated().items() if name not in required}

    assert scene.product.refused("POST", scene.creation, stated) == "INVALID_ARGUMENT"


def test_a_field_of_another_type_is_refused(scene: Scene) -> None:
    """A number is no text."""
    body = scene.stated(**{scene.example.field: 7})

    assert scene.product.refused("POST", scene.creation, body) == "INVALID_ARGUMENT"


CONDITION = {"displayName": "slow", "conditionThreshold": THRESHOLD}
TILES = {"columns": 48, "tiles": [{"width": 16, "widget": {"text": {"content": "a"}}}]}


@pytest.mark.parametrize(
    ("scene", "field", "good", "bad"),
    [
        ("secret", "replication", {"automatic": {}}, {"automatic": {"colour": "red"}}),
        ("secret", "replication", {"userManaged": {"replicas": []}}, {"userManaged": {"replicas": {}}}),
        ("job", "retryConfig", {"retryCount": 3, "maxDoublings": "5"}, {"retryCount": 1.5}),
        ("job", "pubsubTarget", {"topicName": "projects/shop/topics/t"}, {"topicName": ["t"]}),
        ("sink", "bigqueryOptions", {"usePartitionedTables": True}, {"usePartitionedTables": "yes"}),
        ("log metric", "bucketOptions", {"explicitBuckets": {"bounds": [0, 1.5]}}, {"explicitBuckets": [1]}),
        ("alert policy", "conditions", [CONDITION], [{**CONDITION, "colour": "red"}]),
        (
            "alert policy",
            "alertStrategy",
            {"notificationPrompts": ["OPENED"]},
            {"notificationPrompts": ["X"]},
        ),
        ("alert policy", "documentation", {"content": "a"}, {"content": 5}),
        ("uptime check", "httpCheck", {"headers": {"a": "b"}}, {"headers": {"a": 5}}),
        ("dashboard", "mosaicLayout", TILES, {**TILES, "tiles": [{"widget": {"colour": {}}}]}),
        ("repository", "dockerConfig", {"immutableTags": True}, {"colour": True}),
        ("budget", "amount", {"specifiedAmount": {"units": 5}}, {"specifiedAmount": {"units": "many"}}),
        ("findings", "streamingConfig", {"filter": "a"}, {"filters": "a"}),
    ],
    indirect=["scene"],
)
def test_an_object_in_a_field_is_google_s(scene: Scene, field: str, good: object, bad: object) -> None:
    """Each field in it is Google's and has its type, at a creation and at a change."""
    answer = scene.product.ask("POST", scene.creation, scene.stated(**{field: bad}))
    error = answer.json()["error"]

    assert (answer.status_code, error["status"], field in error["message"]) == (400, "INVALID_ARGUMENT", True)
    made = scene.create(**{field: good})
    assert holds(made[field], good)
    path, body = scene.changed(made, **{field: bad})
    assert scene.product.refused(scene.example.verb, path, body) == "INVALID_ARGUMENT"
    assert scene.product.get(scene.one(made)) == made


@pytest.mark.parametrize("scene", ["budget"], indirect=True)
def test_a_budget_names_projects_by_number(scene: Scene) -> None:
    """However they were sent: Terraform compares them."""
    for sent in ("shop", NUMBER):
        made = scene.create(budgetFilter={"projects": [f"projects/{sent}"], "calendarPeriod": "MONTH"})
        assert made["budgetFilter"]["projects"] == [f"projects/{NUMBER}"]


def test_a_duplicate_is_refused(scene: Scene) -> None:
    """What a client names is there once; what the service names has another name each time."""
    first = scene.create()
    if scene.example in map(EXAMPLES.get, NAMED):
        assert scene.product.refused("POST", scene.creation, scene.stated()) == "ALREADY_EXISTS"
    else:
        assert scene.create()["name"] != first["name"]


@pytest.mark.parametrize("scene", ["secret", "account", "role", "dashboard", "budget"], indirect=True)
def test_an_old_etag_is_refused(scene: Scene) -> None:
    """Whoever has read another state decides again."""
    made = scene.create()
    changed = scene.change(made, **{scene.example.field: "120s"})
    path, body = scene.changed(changed, **{scene.example.field: "180s"})
    (body[scene.example.wrapper] if scene.example.wraps_change else body)["etag"] = made["etag"]

    assert changed["etag"] != made["etag"]
    assert scene.product.refused("PATCH", path, body) == "ABORTED"
    assert scene.product.get(scene.one(made)) == changed


@pytest.mark.parametrize(
    ("scene", "status"),
    [("secret", "ABORTED"), ("role", "ABORTED"), ("dashboard", "INVALID_ARGUMENT")],
    indirect=["scene"],
)
def test_a_deletion_at_an_old_etag_is_refused(scene: Scene, status: str) -> None:
    """Or by the name of the parameter, where Google's deletion has none."""
    made = scene.create()

    assert scene.product.refused("DELETE", f"{scene.one(made)}?etag=old") == status
    assert scene.product.get(scene.one(made)) == made


def test_a_list_comes_in_pages(scene: Scene) -> None:
    """The token of a page leads to the rest."""
    scene.create()
    if scene.example not in map(EXAMPLES.get, NAMED):
        scene.create()
    whole = scene.listed()
    field = scene.example.listed_as or scene.collection.rpartition("/")[2]

    names, token = [], ""
    while True:
        page = scene.product.get(f"{scene.collection}?pageSize=1&pageToken={token}")
        names += [one["name"] for one in page[field]]
        token = page.get("nextPageToken", "")
        if not token:
            break

    assert names == whole


def test_a_project_s_number_is_its_id(scene: Scene) -> None:
    """A name with the number leads to the same resource."""
    made = scene.create()
    path = scene.one(made).replace("/projects/shop/", f"/projects/{NUMBER}/")

    assert scene.product.get(path) == made


def holds(whole: Any, part: Any) -> bool:
    """Whether all of a value is there; the service may add to objects."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], it) for key, it in part.items()
        )
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize("scene", ["secret", "account", "service"], indirect=True)
@pytest.mark.parametrize("path", ["colour", "displayName.colour", "ttl.seconds"])
def test_a_mask_of_a_field_that_is_not_there_is_refused(scene: Scene, path: str) -> None:
    """Nor has text parts of its own."""
    made = scene.create()
    fields = {"labels": {"a": "c"}} if scene.example.field == "ttl" else {scene.example.field: "x"}
    body = {scene.example.wrapper: fields, "updateMask": path} if scene.example.wraps_change else fields
    query = "" if scene.example.wraps_change else f"?updateMask={path}"

    assert scene.product.refused("PATCH", f"{scene.one(made)}{query}", body) == "INVALID_ARGUMENT"
    assert scene.product.get(scene.one(made)) == made


@pytest.mark.parametrize("scene", NAMED, indirect=True)
@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 600])
def test_a_name_against_google_s_rules_is_refused(scene: Scene, name: str) -> None:
    """No name, a space, a letter beyond ASCII, and a name without end."""
    path, body = scene.collection, scene.stated()
    if scene.example.query:
        path = f"{path}?{scene.example.query.partition('=')[0]}={quote(name)}"
    else:
        (field,) = {"name", "accountId", "roleId"} & {*body}
        body[field] = str(body[field]).rpartition("/")[0] + "/" + name if "/" in body[field] else name

    assert scene.product.refused("POST", path, body) == "INVALID_ARGUMENT"
