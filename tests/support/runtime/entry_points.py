"""Requests to the entry points of main.py as it stands, over a world of fakes."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import flask
import pytest

import main
from shared.core import topics
from shared.core.pubsub_message import PushIdentity
from shared.domain.policy.system_policy import Policy
from tests.support.runtime.world import BOOKSHOP, FakePorts

ENTRY_POINTS = {name: topic for name, (topic,) in topics.ENTRY_POINTS.items()}
"""The topic of each entry point."""
APP = flask.Flask("posting")
PUSH_ACCOUNT = "rollback-push@bookshop-prod.iam.gserviceaccount.com"
PUSH_AUDIENCE = "https://{function}-77.europe-west1.run.app"
ANY_SUBSCRIPTION = b"projects/p/subscriptions/s"
"""What `build_push` writes, and `post_to_entry_point` replaces by the entry point's own."""


class EntryPointPorts(FakePorts):
    """The wiring of main.py, over fakes."""

    push_identity = PushIdentity((BOOKSHOP.project,), PUSH_ACCOUNT, PUSH_AUDIENCE, deployed=False)

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.policies: Mapping[str, Policy] = {policy.system: policy}

    def push_token(self, entry_point: str, **changes: Any) -> str:
        """Return the token that Pub/Sub adds to a push to an entry point."""
        audience = PUSH_AUDIENCE.replace("{function}", topics.deployed_function(entry_point))
        return self.sign_in.service(**{"audience": audience, "email": PUSH_ACCOUNT, **changes})


@contextmanager
def start_instance(monkeypatch: pytest.MonkeyPatch, policy: Policy = BOOKSHOP) -> Iterator[EntryPointPorts]:
    """A fresh instance of main.py in a world of its own."""
    ports = EntryPointPorts(policy)
    monkeypatch.setattr(main, "_wiring", lambda: ports)
    main._trigger.cache_clear()
    try:
        yield ports
    finally:
        main._trigger.cache_clear()


def post_to_entry_point(
    entry_point: str, body: bytes, headers: Mapping[str, str] | None = None, topic: str = ""
) -> int:
    """The status that an entry point answers to a push from its own subscription.

    Headers of the same name take the place of Pub/Sub's own.
    """
    name = topic or ENTRY_POINTS[entry_point]
    body = name_subscription(body, name)
    ports = cast("EntryPointPorts", main._wiring())
    own = {"Authorization": f"Bearer {ports.push_token(entry_point)}", **(headers or {})}
    path = f"/projects/{BOOKSHOP.project}/topics/{name}"
    with APP.test_request_context(path, method="POST", data=body, headers=own):
        answer: tuple[str, int] = getattr(main, entry_point)(flask.request)
    return answer[1]


def name_subscription(body: bytes, topic: str) -> bytes:
    """Return the push with the subscription of that topic."""
    return body.replace(ANY_SUBSCRIPTION, f"projects/{BOOKSHOP.project}/subscriptions/{topic}-push".encode())


def build_push(data: bytes, name: str = "77") -> bytes:
    """A message as a push subscription sends it."""
    message = {"data": base64.b64encode(data).decode(), "messageId": name}
    return json.dumps({"message": message, "subscription": ANY_SUBSCRIPTION.decode()}).encode()


def build_alert_push(ports: EntryPointPorts) -> bytes:
    """Trouble of which Cloud Monitoring tells now."""
    resource = {"type": "cloud_run_revision", "labels": {"project_id": BOOKSHOP.project}}
    labels = {"rollback_system": BOOKSHOP.system, "rollback_signal": "function_failure_rate"}
    notification = {
        "version": "1.2",
        "incident": {
            "incident_id": "0.real",
            "state": "open",
            "started_at": int(ports.clock.now().timestamp()) - 60,
            "resource": resource,
            "policy_user_labels": labels,
        },
    }
    return build_push(json.dumps(notification).encode(), "real")
