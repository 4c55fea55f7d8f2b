"""Schemas of topics: what one may be, and what it lets through."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.local.support.rest import Product, product_at, running

PROJECT = "projects/shop"
SCHEMA = f"{PROJECT}/schemas/orders"
TOPIC = f"/v1/{PROJECT}/topics/typed"
ORDER = 'syntax = "proto3"; message Order { string id = 1; int32 count = 2; }'
ASKED = {"type": "PROTOCOL_BUFFER", "definition": ORDER}
RESPONDERS = Path(__file__).parents[4] / "terraform" / "schemas" / "command.proto"


pubsub = product_at("pubsub.googleapis.com")


def create(pubsub: Product, asked: Any = ASKED) -> Any:
    return pubsub.done("POST", f"/v1/{PROJECT}/schemas?schemaId=orders", asked)


def publish(pubsub: Product, data: str) -> int:
    return pubsub.ask("POST", f"{TOPIC}:publish", {"messages": [{"data": data}]}).status_code


def test_a_schema_comes_and_goes(pubsub: Product) -> None:
    """It has a revision, is listed by its name and type, and takes another revision."""
    made = create(pubsub)

    assert made == {
        **ASKED,
        "name": SCHEMA,
        **{key: made[key] for key in ("revisionId", "revisionCreateTime")},
    }
    assert pubsub.get(f"/v1/{SCHEMA}") == made
    assert "definition" not in pubsub.get(f"/v1/{SCHEMA}?view=BASIC")
    [listed] = pubsub.get(f"/v1/{PROJECT}/schemas")["schemas"]
    assert (listed["name"], "definition" in listed) == (SCHEMA, False)
    path = f"/v1/{PROJECT}/schemas?schemaId=orders"
    assert pubsub.refused("POST", path, ASKED) == "ALREADY_EXISTS"

    more = {**ASKED, "definition": ORDER.replace("count = 2;", "count = 2; bool paid = 3;")}
    changed = pubsub.done("POST", f"/v1/{SCHEMA}:commit", {"schema": {**more, "name": SCHEMA}})
    assert changed["revisionId"] != made["revisionId"]
    assert pubsub.get(f"/v1/{SCHEMA}")["definition"] == more["definition"]

    pubsub.done("DELETE", f"/v1/{SCHEMA}")
    assert pubsub.refused("GET", f"/v1/{SCHEMA}") == "NOT_FOUND"


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "no schema",
        'syntax = "proto3";',
        'syntax = "proto3"; message A { string a = 1; } message B { string b = 1; }',
        'syntax = "proto3"; message A { string a = 1; } enum E { NONE = 0; }',
        'syntax = "proto3"; import "b.proto"; message A { string a = 1; }',
        'syntax = "proto3"; message A { B b = 1; }',
        'syntax = "proto3"; message A { string a = 1;',
        'syntax = "proto3"; message A { string a = one; }',
        'syntax = "proto3"; message A { string a = 1; string b = 1; }',
    ],
)
def test_a_definition_that_cannot_be(pubsub: Product, definition: str) -> None:
    """It has exactly one message at the top, with everything that it names."""
    asked = {"type": "PROTOCOL_BUFFER", "definition": definition}

    assert pubsub.refused("POST", f"/v1/{PROJECT}/schemas?schemaId=a1234", asked) == "INVALID_ARGUMENT"
    assert pubsub.refused("POST", f"/v1/{PROJECT}/schemas:validate", {"schema": asked}) == "INVALID_ARGUMENT"


def test_what_a_message_may_hold(pubsub: Product) -> None:
    """Nested types, choices, reserved numbers and options are read; Avro is not served."""
    definition = """
        syntax = "proto3";
        package shop;  // of the orders
        message Order {
          /* The state; */
          enum State { option allow_alias = true; NONE = 0; OPEN = 1; DRAFT = -1; }
          message Item { string name = 1 [deprecated = true]; reserved 2, 3; }
          oneof payer { string person = 1; int64 account = 2; }
          repeated Item items = 4;
          State state = 5;
        }
    """
    asked = {"schema": {"type": "PROTOCOL_BUFFER", "definition": definition}}
    assert pubsub.done("POST", f"/v1/{PROJECT}/schemas:validate", asked) == {}

    message = '{"person": "ada", "items": [{"name": "book"}], "state": "OPEN"}'
    told = {**asked, "message": encode(message), "encoding": "JSON"}
    assert pubsub.done("POST", f"/v1/{PROJECT}/schemas:validateMessage", told) == {}
    both = {**told, "message": encode('{"person": "ada", "account": "1"}')}
    assert pubsub.refused("POST", f"/v1/{PROJECT}/schemas:validateMessage", both) == "INVALID_ARGUMENT"
    avro = {"schema": {"type": "AVRO", "definition": "{}"}}
    assert pubsub.refused("POST", f"/v1/{PROJECT}/schemas:validate", avro) == "UNIMPLEMENTED"


def test_the_schema_of_the_responders(pubsub: Product) -> None:
    """The one that Terraform applies, and a command that an operator publishes."""
    create(pubsub, {"type": "PROTOCOL_BUFFER", "definition": RESPONDERS.read_text()})
    command = '{"command": "pause", "operator": {"uid": "u1"}, "auto_confirm": false}'

    told = {"name": SCHEMA, "message": encode(command), "encoding": "JSON"}

    assert pubsub.done("POST", f"/v1/{PROJECT}/schemas:validateMessage", told) == {}


def test_a_topic_with_a_schema(pubsub: Product) -> None:
    """It takes what its schema lets through, and nothing once that is gone."""
    settings = {"schema": SCHEMA, "encoding": "JSON"}
    assert pubsub.refused("PUT", TOPIC, {"schemaSettings": settings}) == "NOT_FOUND"
    create(pubsub)
    assert pubsub.refused("PUT", TOPIC, {"schemaSettings": {"schema": SCHEMA}}) == "INVALID_ARGUMENT"
    pubsub.done("PUT", TOPIC, {"schemaSettings": settings})

    assert publish(pubsub, encode('{"id": "1", "count": 2}')) == 200
    assert publish(pubsub, encode('{"id": "1", "colour": "red"}')) == 400
    assert publish(pubsub, encode("no JSON")) == 400
    pubsub.done("DELETE", f"/v1/{SCHEMA}")

    assert pubsub.get(TOPIC)["schemaSettings"]["schema"] == "_deleted-schema_"
    assert publish(pubsub, encode('{"id": "1"}')) == 400


def test_a_schema_outlives_a_restart(tmp_path: Path) -> None:
    """With its policy."""
    policy = {"bindings": [{"role": "roles/pubsub.viewer", "members": ["user:ada@example.com"]}]}
    with running(tmp_path) as cloud:
        made = create(Product(cloud, "pubsub.googleapis.com"))
        Product(cloud, "pubsub.googleapis.com").done("POST", f"/v1/{SCHEMA}:setIamPolicy", {"policy": policy})

    with running(tmp_path) as cloud:
        assert Product(cloud, "pubsub.googleapis.com").get(f"/v1/{SCHEMA}") == made
        kept = Product(cloud, "pubsub.googleapis.com").get(f"/v1/{SCHEMA}:getIamPolicy")
        assert kept["bindings"] == policy["bindings"]


def encode(text: str) -> str:
    """As JSON has bytes."""
    return base64.b64encode(text.encode()).decode()
