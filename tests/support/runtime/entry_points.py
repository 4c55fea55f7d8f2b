"""Requests to the entry points of main.py as it stands, over a world of fakes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask
import pytest

import main
from shared.core import topics
from shared.domain.policy.system_policy import Policy
from tests.support.runtime.world import BOOKSHOP, FakePorts

ENTRY_POINTS = {name: several[-1] for name, several in topics.ENTRY_POINTS.items()}
"""One topic of each entry point; of commands, the one that takes them without a token."""
APP = flask.Flask("posting")


class EntryPointPorts(FakePorts):
    """The wiring of main.py, over fakes."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.policies: Mapping[str, Policy] = {policy.system: policy}


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
    """The status that an entry point answers to a request."""
    path = f"/projects/{BOOKSHOP.project}/topics/{topic or ENTRY_POINTS[entry_point]}"
    with APP.test_request_context(path, method="POST", data=body, headers=headers or {}):
        answer: tuple[str, int] = getattr(main, entry_point)(flask.request)
    return answer[1]


def build_push(data: bytes, name: str = "77") -> bytes:
    """A message as a push subscription sends it."""
    message = {"data": base64.b64encode(data).decode(), "messageId": name}
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()


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
