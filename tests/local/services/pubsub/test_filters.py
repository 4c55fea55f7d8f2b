"""The filter language."""

import pytest

from local.core.grpc_services import StatusError
from local.services.pubsub.resources.filters import parse_filter
from tests.local.support.pubsub import SUBSCRIPTION, serving

COM = {"domain": "com", "iana.org/language_tag": "en"}


@pytest.mark.parametrize(
    ("text", "attributes", "wanted"),
    [
        ("", {}, True),
        ("attributes:domain", COM, True),
        ("attributes:domain", {}, False),
        ('attributes:"iana.org/language_tag"', COM, True),
        ('attributes.domain = "com"', COM, True),
        ('attributes.domain="com"', COM, True),
        ('attributes.domain = "COM"', COM, False),
        ('attributes.domain = "com"', {}, False),
        ('attributes."iana.org/language_tag" = "en"', COM, True),
        ('attributes.domain != "org"', COM, True),
        ('attributes.domain != "com"', COM, False),
        ('attributes.domain != "com"', {}, True),
        ('hasPrefix(attributes.domain, "co")', COM, True),
        ('hasPrefix(attributes.domain, "om")', COM, False),
        ('hasPrefix(attributes.domain, "")', {}, False),
        ("NOT attributes:domain", COM, False),
        ("-attributes:domain", {}, True),
        ('NOT hasPrefix(attributes.domain, "co")', {}, True),
        ('attributes:domain AND NOT attributes.domain = "com"', COM, False),
        ('attributes.domain = "org" OR attributes.domain = "com"', COM, True),
        ('attributes.domain = "org" OR attributes.domain = "net"', COM, False),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"c": ""}, False),
        ("NOT (attributes:a OR attributes:b)", {}, True),
        ("attributes:a AND attributes:b AND attributes:c", {"a": "", "b": ""}, False),
        (r'attributes.k = "say \"hi\" \\ \u0041"', {"k": 'say "hi" \\ A'}, True),
        ('attributes.k = "AND"', {"k": "AND"}, True),
        ("attributes:event-type", {"event-type": ""}, True),
    ],
)
def test_a_message_meets_a_filter(text: str, attributes: dict[str, str], wanted: bool) -> None:
    """The documented operators mean what is documented."""
    assert parse_filter(text)(attributes) is wanted


@pytest.mark.parametrize(
    "text",
    [
        "attributes",
        "attributes:",
        "attributes.k",
        "attributes.k = v",
        'attributes.k == "v"',
        'data = "v"',
        "attributes:a AND",
        "attributes:a and attributes:b",
        "attributes:a AND attributes:b OR attributes:c",
        "attributes:a OR attributes:b AND attributes:c",
        "(attributes:a",
        "attributes:a)",
        "NOT NOT attributes:a",
        'hasPrefix(attributes.k "v")',
        'hasSuffix(attributes.k, "v")',
        'attributes.k = "unfinished',
        r'attributes.k = "\x"',
        "attributes:a # comment",
        f'attributes.k = "{"x" * 256}"',
    ],
)
def test_a_filter_that_makes_no_sense(text: str) -> None:
    """It is refused."""
    with pytest.raises(StatusError, match="filter"):
        parse_filter(text)


def test_a_subscription_with_a_filter() -> None:
    """It gets the messages that it wants; the others are as good as acknowledged."""
    with serving() as world:
        world.create(filter='attributes.colour = "red"')
        world.publish("1", colour="red")
        world.publish("2", colour="blue")
        world.publish("3")

        assert world.pulled(SUBSCRIPTION) == ["1"]
