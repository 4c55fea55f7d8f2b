"""Every trouble of the runbook in the embedded cloud: brought about, measured, alerted, ended."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from google.cloud import firestore
from msgspec.structs import replace

from local.cloud import Cloud
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from tests.local.support.run import MINUTE, ORIGIN, World, policy
from tests.local.support.subscription import Mailbox
from tests.support.runtime.embedded_cloud import embedded_cloud


def watched(threshold: float | None = None, duration: timedelta | None = None) -> Signal:
    return Signal(Severity.CRITICAL, ScenarioName.NONE, Mode.OBSERVE, threshold, duration)


SIGNALS = {
    "frontend_unavailable": watched(duration=timedelta(seconds=30)),
    "function_failure_rate": watched(0.5, 2 * MINUTE),
    "functions_failing_share": watched(0.25),
    "critical_path_blocked": watched(45),
    "performance_degraded": watched(0.5),
    "authentication_failure": watched(0.8, 5 * MINUTE),
    "database_connectivity": watched(10, MINUTE),
    "database_failure_rate": watched(0.5),
    "database_corruption": watched(0),
    "slow_response": watched(30),
    "error_rate": watched(0.1, 5 * MINUTE),
}


class Stage:
    """A cloud at a clock that is moved by hand, and its control plane as others use it."""

    def __init__(self, cloud: Cloud, http: httpx.Client) -> None:
        self.cloud = cloud
        self.application = cloud.application("bookshop")
        self._http = http

    def do(self, verb: str, **body: Any) -> Any:
        answer = self._http.post(f"/_cloud/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, verb: str, **body: Any) -> bool:
        return self._http.post(f"/_cloud/{verb}", json=body).status_code == 400

    def measures(self) -> Any:
        return self._http.get("/_cloud/measures").json()["bookshop"]

    def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.do("clock", advance=60)

    def status(self, url: str) -> int:
        host, _, path = url.removeprefix("https://").partition("/")
        return self._http.get(f"/{path}", headers={"Host": host}).status_code

    def open_signals(self) -> set[str]:
        incidents = self.cloud.alerter("bookshop").incidents
        return {one.signal for one in incidents if one.ended_at is None}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with (
        embedded_cloud(policy(SIGNALS), at=ORIGIN, alerter=True) as cloud,
        httpx.Client(base_url=f"http://{cloud.addresses['control']}") as http,
    ):
        yield Stage(cloud, http)


Change = tuple[str, dict[str, Any]]
TROUBLES: dict[str, tuple[Change, Change, set[str]]] = {
    "the site answers 503": (
        ("part", {"part": "site", "release": "r2", "failure_rate": 1.0}),
        ("part", {"part": "site", "release": "r1", "failure_rate": 0.0}),
        {"frontend_unavailable"},
    ),
    "the site does not answer in time": (
        ("part", {"part": "site", "latency_seconds": 600}),
        ("part", {"part": "site", "latency_seconds": 0.2}),
        {"frontend_unavailable"},
    ),
    "nobody can sign in": (
        ("part", {"part": "sign_ins", "failure_rate": 0.95}),
        ("part", {"part": "sign_ins", "failure_rate": 0.0}),
        {"authentication_failure"},
    ),
    "the database fails now and then": (
        ("part", {"part": "reads", "failure_rate": 0.05}),
        ("part", {"part": "reads", "failure_rate": 0.0}),
        {"database_connectivity"},
    ),
    "the database fails": (
        ("part", {"part": "reads", "failure_rate": 0.9}),
        ("part", {"part": "reads", "failure_rate": 0.0}),
        {"database_connectivity", "database_failure_rate"},
    ),
    "all functions fail": (
        ("deploy", {"release": "r2", "failure_rate": 1.0}),
        ("deploy", {"release": "r3"}),
        {"function_failure_rate", "functions_failing_share", "error_rate"},
    ),
    "a critical function hangs": (
        ("deploy", {"release": "r2", "functions": ["placeOrder"], "latency_seconds": 25}),
        ("deploy", {"release": "r3", "functions": ["placeOrder"]}),
        {"critical_path_blocked", "slow_response"},
    ),
    "another function is slow": (
        ("deploy", {"release": "r2", "functions": ["findBook"], "latency_seconds": 18}),
        ("deploy", {"release": "r3", "functions": ["findBook"]}),
        {"slow_response"},
    ),
    "everything is slower": (
        ("deploy", {"release": "r2", "latency_seconds": 0.1}),
        ("deploy", {"release": "r3"}),
        {"performance_degraded"},
    ),
    "a revision stops starting": (
        ("degrade", {"function": "placeOrder", "starts": False}),
        ("degrade", {"function": "placeOrder", "starts": True}),
        {"critical_path_blocked", "slow_response", "function_failure_rate", "error_rate"},
    ),
}


@pytest.mark.parametrize(("breaking", "mending", "signals"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_opens_its_signals_and_its_end_closes_them(
    stage: Stage, breaking: Change, mending: Change, signals: set[str]
) -> None:
    """These signals open and no other, and each closes once all is well again."""
    stage.pass_minutes(3)
    assert not stage.open_signals()

    stage.do(breaking[0], **breaking[1])
    stage.pass_minutes(8)
    assert stage.open_signals() == signals

    stage.do(mending[0], **mending[1])
    stage.pass_minutes(4)
    assert not stage.open_signals()


def test_notification_names_what_was_measured(stage: Stage) -> None:
    """An alert on the site says uptime checks, not requests of Cloud Run."""
    stage.pass_minutes(1)
    stage.do("part", part="site", failure_rate=1.0)
    alerts = Mailbox(stage.cloud, "rollback-alerts")
    stage.pass_minutes(3)

    (told,) = alerts.empty()
    alerts.close()
    incident = json.loads(told)["incident"]
    assert incident["policy_user_labels"]["rollback_signal"] == "frontend_unavailable"
    assert incident["metric"]["type"] == "monitoring.googleapis.com/uptime_check/check_passed"
    assert incident["resource"] == {"type": "uptime_url", "labels": {"project_id": "shop"}}


def test_broken_site_is_seen_from_outside(stage: Stage) -> None:
    """Its pages answer 503; its sign-ins and its functions do not."""
    stage.do("part", part="site", failure_rate=1.0)

    assert stage.status("https://shop.example/") == 503
    assert stage.status("https://shop.web.app/") == 503
    assert stage.status("https://shop.firebaseapp.com/__/auth/handler") == 200
    assert stage.status("https://shop.example/api/order") == 200
    stage.do("part", part="sign_ins", failure_rate=1.0)
    assert stage.status("https://shop.firebaseapp.com/__/auth/handler") == 503
    assert stage.status("https://shop.example/auth/status") == 503


def test_caller_fails_when_what_it_calls_fails(stage: Stage) -> None:
    """Through a chain of calls a failure reaches who depends on it, and leaves with its cause."""
    stage.do("calls", function="placeOrder", calls=[["payOrder"]])
    stage.do("calls", function="payOrder", calls=[["findBook"], ["reads"]])
    stage.do("deploy", release="r2", functions=["findBook"], failure_rate=1.0)
    stage.pass_minutes(1)
    failing = {name: one["failed"] for name, one in stage.measures()["functions"].items()}
    assert failing["placeOrder"] == stage.measures()["functions"]["placeOrder"]["requests"] > 0
    assert failing["payOrder"] > 0
    assert failing["bookCover"] == 0
    assert stage.status("https://europe-west1-shop.cloudfunctions.net/placeOrder") == 500

    stage.do("deploy", release="r3", functions=["findBook"])
    stage.pass_minutes(1)
    assert all(one["failed"] == 0 for one in stage.measures()["functions"].values())
    stage.do("part", part="reads", failure_rate=1.0)
    assert stage.status("https://europe-west1-shop.cloudfunctions.net/placeOrder") == 500


def test_calls_that_cannot_be_are_refused(stage: Stage) -> None:
    """Nothing calls itself, through others neither, and nothing calls what is not there."""
    stage.do("calls", function="placeOrder", calls=[["payOrder"]])

    assert stage.refused("calls", function="payOrder", calls=[["findBook", "placeOrder"]])
    assert stage.refused("calls", function="payOrder", calls=[["payOrder"]])
    assert stage.refused("calls", function="payOrder", calls=[["nothing"]])
    assert stage.refused("calls", function="nothing", calls=[])
    assert stage.application.calls("payOrder") == ()


def test_groups_call_those_that_come_after_them() -> None:
    """Clients go before what they call: the policy's order says who calls whom."""
    chosen = policy()
    orders, books = chosen.groups["orders"], chosen.groups["books"]
    called = replace(books, after=("orders",))
    world = World(replace(chosen, groups={"orders": orders, "books": called}))
    world.application.deploy(["findBook"], release="r2", failure_rate=1.0)
    world.advance(600)

    requests = world.application.requests("placeOrder", ORIGIN, ORIGIN + 10 * MINUTE)
    assert world.application.calls("placeOrder") == (("findBook", "bookCover"),)
    assert requests.failure_rate == pytest.approx(0.5, abs=0.01)


def test_errors_follow_the_age_of_a_release(stage: Stage) -> None:
    """A release that turns bad after three minutes, worse after six, is measured as such."""
    steps = [
        {"after_seconds": 180, "failure_rate": 0.2},
        {"after_seconds": 360, "failure_rate": 0.8},
        {"after_seconds": 540, "failure_rate": 0.0},
    ]
    stage.do("deploy", release="r2", functions=["placeOrder"], errors=steps)
    rates = []
    for _ in range(12):
        stage.pass_minutes(1)
        one = stage.measures()["functions"]["placeOrder"]
        rates.append(round(one["failed"] / one["requests"], 1))

    assert rates == [0.0] * 3 + [0.2] * 3 + [0.8] * 3 + [0.0] * 3


def test_one_leap_of_the_clock_measures_what_many_steps_do(stage: Stage) -> None:
    """Errors that came and went while nobody looked are counted all the same."""
    steps = [{"after_seconds": 60, "failure_rate": 1.0}, {"after_seconds": 120, "failure_rate": 0.0}]
    stage.do("deploy", release="r2", functions=["placeOrder"], errors=steps)
    stage.do("clock", advance=600)

    counted = stage.application.requests("placeOrder", ORIGIN, ORIGIN + 10 * MINUTE)
    within = stage.application.requests("placeOrder", ORIGIN + MINUTE, ORIGIN + 2 * MINUTE)
    assert counted.failed == within.total == within.failed > 0


def test_latencies_spread_around_the_median(stage: Stage) -> None:
    """Half of the requests take longer than the median, and few much longer."""
    stage.do("deploy", release="r2", functions=["placeOrder"], latency_seconds=1.0)
    stage.pass_minutes(2)
    measured = stage.measures()["functions"]["placeOrder"]
    address = ("europe-west1-shop.cloudfunctions.net", "/placeOrder")
    drawn = sorted(stage.application.answer(*address).latency for _ in range(2001))

    assert measured["p50_seconds"] == pytest.approx(1.0, rel=0.01)
    assert measured["p95_seconds"] == pytest.approx(2.28, rel=0.01)
    assert drawn[1000].total_seconds() == pytest.approx(measured["p50_seconds"], rel=0.1)
    assert drawn[1900].total_seconds() == pytest.approx(measured["p95_seconds"], rel=0.1)


def documents(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What an outsider reads in the application's own database."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", stage.cloud.addresses["firestore"])
    client = firestore.Client(project="shop")
    found = [document.to_dict() for document in client.collection("records").stream()]
    client.close()
    return found


def test_corrupting_release_damages_its_share_and_its_end_ends_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged documents come with the release, among good ones, and none after it."""
    stage.do("records", per_minute=10, function="payOrder")
    stage.pass_minutes(5)
    assert stage.measures()["records"] == {"written": 50, "damaged": 0}

    stage.do("deploy", release="r2", functions=["payOrder"], corruption=0.3)
    stage.pass_minutes(5)
    during = stage.measures()["records"]
    assert during["written"] == 100
    assert 10 <= during["damaged"] <= 15
    assert stage.open_signals() == {"database_corruption"}
    found = documents(stage, monkeypatch)
    assert sum(one["amount"] == "NaN" and "owner" not in one for one in found) == during["damaged"]

    stage.do("deploy", release="r3", functions=["payOrder"])
    stage.pass_minutes(2)
    assert stage.measures()["records"]["written"] == 120
    assert stage.measures()["records"]["damaged"] <= during["damaged"]

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", stage.cloud.addresses["firestore"])
    client = firestore.Client(project="shop")
    for document in (
        client.collection("records").where(filter=firestore.FieldFilter("amount", "==", "NaN")).stream()
    ):
        document.reference.delete()
    client.close()
    stage.pass_minutes(3)
    assert not stage.open_signals()


def test_writing_ends_when_it_is_told_to(stage: Stage) -> None:
    """A pace of nothing writes nothing, and an impossible one is refused."""
    stage.do("records", per_minute=10)
    stage.pass_minutes(2)
    stage.do("records", per_minute=0)
    stage.pass_minutes(5)

    assert stage.measures()["records"]["written"] == 20
    assert stage.refused("records", per_minute=501)
    assert stage.refused("records", per_minute=1, function="nothing")
