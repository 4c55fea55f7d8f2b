"""A shop whose customers are told of what becomes of their documents."""

from typing import Any

from msgspec.structs import replace

from shared.domain.policy.channels import Addressees, Audience, Channel, ChannelKind
from tests.support.data.corrupted_bookshop import MINUTE, SHOP, CorruptedShop
from tests.support.fakes.sender import PushedMessage
from tests.support.notices.notices import read_notices as kept


def build_device_channel(at_most: int = 100) -> Channel:
    users = Addressees("customers", "device", at_most)
    return Channel("concerned", ChannelKind.PUSH, audience=Audience.CONCERNED, users=users)


TELLING = replace(
    SHOP, channels=(SHOP.channels[0], build_device_channel()), contacts=(), on_call=(), probes=()
)


def build_customer(name: str) -> dict[str, Any]:
    return {"email": f"{name}@example.com", "device": f"hush-{name}", "agrees": name != "bob"}


def build_mail_channel() -> Channel:
    users = Addressees("customers", address="email", consent="agrees")
    kind, audience = ChannelKind.TRIGGER_EMAIL, Audience.CONCERNED
    return Channel("concerned", kind, target="outbox", audience=audience, users=users)


def build_shop_with_devices(
    spoilt: dict[str, Any],
    before: dict[str, Any] | None = None,
    at_most: int = 100,
    channel: Channel | None = None,
) -> CorruptedShop:
    """A bookshop whose customers have devices; `before`: what else there was before the damage."""
    policy = replace(TELLING, channels=(TELLING.channels[0], channel or build_device_channel(at_most)))
    shop = CorruptedShop(policy, spoilt={})
    people = {f"customers/{name}": build_customer(name) for name in ("ada", "bob", "cleo")}
    shop.write(people | (before or {}))
    shop.pass_time(3 * MINUTE)
    shop.spoilt = spoilt
    shop.write(spoilt)
    shop.ports.clock.advance(15 * MINUTE)
    return shop


def pushed_messages(shop: CorruptedShop) -> list[PushedMessage]:
    return [one for one in shop.ports.sender.pushed if one.sent.channel == "concerned"]


def team_notices(shop: CorruptedShop) -> str:
    """What the team has heard of whom the notice has not reached."""
    return "".join(str(one["text"]) for name, one in kept(shop).items() if ":short." in name)


PAID = {"customer": "bob", "status": "paid", "amount": 3}
