"""Push delivery: each message as one HTTP POST, answered by its status.

https://cloud.google.com/pubsub/docs/push (read 2026-11).
"""

import base64
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.faults.hooks import FaultHooks
from local.services.pubsub.delivery.entries import DeliveryLease
from local.services.pubsub.delivery.push_tokens import TokenIssuer
from local.services.pubsub.messages import Subscription
from local.services.pubsub.resources.subscriptions import is_loopback

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
CONNECT_LIMIT_SECONDS = 5.0
"""Of wall time: loopback connects at once or never."""


class PushRequest:
    """One POST on a connection of its own, which another thread may cut off.

    It goes to loopback alone: to the endpoint itself, or to who plays its host there.
    """

    def __init__(self, endpoint: str, played: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        url = urlsplit(endpoint)
        host = url.hostname or ""
        self._asked = {"Host": host} if host in played else {}
        self._target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        here = urlsplit(f"http://{played[host]}") if host in played else url
        self._is_here = is_loopback(here.hostname or "")
        self._connection = HTTPConnection(here.hostname or "", here.port or 80, timeout=CONNECT_LIMIT_SECONDS)
        self._lock = threading.Lock()
        self._aborted = False

    def send(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer, waited for until `abort`.

        Raises: OSError, HTTPException.
        """
        if not self._is_here:
            raise ConnectionRefusedError("nobody plays this host")
        try:
            self._connection.connect()
            with self._lock:
                if self._aborted:
                    raise ConnectionAbortedError("cut off before it was sent")
                # The limit of the answer is the ack deadline, which the cloud's clock keeps.
                self._connection.sock.settimeout(None)
            self._connection.request("POST", self._target, body, {**self._asked, **headers})
            response = self._connection.getresponse()
            response.read()
            return response.status
        finally:
            with self._lock:
                self._connection.close()

    def abort(self) -> None:
        """Make `send` raise, now or when it comes to it."""
        with self._lock:
            self._aborted = True
            connected: socket.socket | None = self._connection.sock
            if connected is not None:
                # A connection that the endpoint has closed already cannot be shut down again.
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)


class PushSender:
    """Pushes leased messages to where their subscription says."""

    def __init__(
        self, clock: CloudClock, faults: FaultHooks, tokens: TokenIssuer, played: Mapping[str, str]
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._tokens = tokens
        self._played = played

    def push(self, endpoint: str) -> PushRequest:
        """A push that has not been sent."""
        return PushRequest(endpoint, self._played)

    def deliver(self, lease: DeliveryLease, spec: Subscription, push: PushRequest) -> bool:
        """Was the message acknowledged? A push that a fault drops was not."""
        try:
            with self._faults.around(f"push {spec.name}"):
                status = push.send(build_push_body(lease, spec), self._headers(spec))
        except (OSError, HTTPException, StatusError):
            return False
        return status in ACKNOWLEDGED

    def _headers(self, spec: Subscription) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "CloudPubSub-Google",
            "Connection": "close",
        }
        if spec.push_config.HasField("oidc_token"):
            oidc = spec.push_config.oidc_token
            audience = oidc.audience or spec.push_config.push_endpoint
            token = self._tokens.token(oidc.service_account_email, audience, self._clock.now())
            headers["Authorization"] = f"Bearer {token}"
        return headers


def build_push_body(lease: DeliveryLease, spec: Subscription) -> bytes:
    """The JSON of a wrapped push; `deliveryAttempt` only where dead letters are set up."""
    proto = lease.entry.message.proto
    published = lease.entry.message.published.astimezone(UTC)
    publish_time = published.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    message: dict[str, Any] = {
        "messageId": proto.message_id,
        "message_id": proto.message_id,
        "publishTime": publish_time,
        "publish_time": publish_time,
    }
    if proto.data:
        message["data"] = base64.b64encode(proto.data).decode()
    if proto.attributes:
        message["attributes"] = dict(proto.attributes)
    if proto.ordering_key:
        message["orderingKey"] = proto.ordering_key
    wrapped: dict[str, Any] = {"message": message, "subscription": spec.name}
    if spec.HasField("dead_letter_policy"):
        wrapped["deliveryAttempt"] = lease.attempt
    return json.dumps(wrapped).encode()
