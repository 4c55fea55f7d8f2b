"""Notices as they are kept, and a channel that takes them."""

from shared.domain.policy.channels import Channel, ChannelKind
from tests.support.runtime.world import World

HOOK = Channel("hook", ChannelKind.WEBHOOK, url="https://hooks.example/x")


def read_notices(world: World) -> dict[str, dict[str, object]]:
    return {
        path.removeprefix("notices/"): fields
        for path, fields in world.ports.store.documents.items()
        if path.startswith("notices/")
    }
