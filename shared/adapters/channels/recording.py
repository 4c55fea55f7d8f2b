"""A channel that is a record only: the document of the notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.adapters.channels.base import ChannelClients
from shared.domain.policy.channels import Channel


def send(clients: ChannelClients, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
    """Send nothing: the document of the notice is the record."""
