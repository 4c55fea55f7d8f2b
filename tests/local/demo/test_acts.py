"""What the acts of the demo print: played in this process, by the responders and their fakes."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from rich.console import Console

from local.control.application_control import ApplicationControl
from local.demo.act import Scene
from local.demo.acts import repair
from local.demo.acts.bad_release import BadReleaseAct
from local.demo.acts.headings import Heading
from local.demo.acts.outcome import OutcomeAct
from local.demo.acts.response import ResponseAct
from local.demo.evidence import Evidence
from local.demo.screen import Screen
from local.demo.staging import documents, operators
from local.demo.staging.processes import DemoStage
from shared.domain.policy.scenario_names import ScenarioName
from tests.local.support.run import World as CloudWorld
from tests.support.data.corrupted_bookshop import HERE, SHOP
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.notices.status_page import build_world_with_page, read_page
from tests.support.runtime.world import World

T = TypeVar("T")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class PlayedStage:
    """The stage of a play whose responders work in this process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.policy, self.wiring, self.now = world.policy, world.ports, world.ports.clock.now

    def wait_for(self, what: str, condition: Callable[[], T | None]) -> T:
        for _ in range(600):
            if found := condition():
                return found
            self._world.pass_time(10 * SECOND)
        raise AssertionError(f"no answer: {what}")

    def skip_time(self, span: timedelta) -> None:
        self._world.pass_time(span)

    def scale(self) -> float:
        return 1.0


@contextmanager
def scene_of(world: World, scenario: ScenarioName) -> Iterator[tuple[Scene, io.StringIO]]:
    """A scene in a world, and what its screen shows."""
    stage, shown = cast(DemoStage, PlayedStage(world)), io.StringIO()
    wiring: Any = world.ports
    with closing(Evidence(wiring, world.policy, world.policy.project, "localhost:1")) as evidence:
        screen = Screen(Console(file=shown, width=200, highlight=False))
        yield Scene(stage, evidence, screen, scenario=scenario), shown


def test_the_database_demo_shows_its_alert_its_times_and_the_whole_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the detection to the verification, as the table has it."""
    shop = World(policy=SHOP)
    shop.ports.databases.hold_documents(HERE)
    shop.ports.pages = MemoryPages()

    def write(_: DemoStage, written: Any) -> None:
        shop.ports.kept.write(HERE, dict(written))

    def publish(_: DemoStage, content: Mapping[str, Any], email: str) -> None:
        shop.command(email, **content)
        shop.settle()

    monkeypatch.setattr(documents, "write_documents", write)
    monkeypatch.setattr(operators, "publish_command", publish)
    monkeypatch.setattr(repair, "DOCUMENTS", 20)
    with scene_of(shop, ScenarioName.DATABASE) as (scene, shown):
        holds = repair.RepairAct(scene).play()

    assert holds
    text = shown.getvalue()
    detected, times = text.partition(f"\n{Heading.DETECTED}\n")[2], text.partition(f"\n{Heading.TIMES}\n")[2]
    assert " 1 alert opened: database corruption\n" in detected
    assert re.search(
        r" CRITICAL: database corruption detected\n +status page: .* after detection\n", detected
    )
    assert re.search(r"\d\d:\d\d:\d\d  3 min 0 s from detection to verification\n", text)
    assert re.search(r" ✓  recovered \(database rollback\)  3 min 00 s  < 15 min 00 s\n", times)
    assert {"detection", "decision", "execution", "verification"} <= set(re.findall(r"  (\w+) {2,}\d", times))


def test_the_failure_rate_is_seen_to_rise_before_the_detection() -> None:
    """As the application of the embedded cloud counts it: every ten seconds, until the alert."""
    cloud, alerts = CloudWorld(), list[SimpleNamespace]()
    untouched: Any = SimpleNamespace(progress=None, damaged_documents=list)
    control = ApplicationControl({"shop": cloud.application}, {"shop": untouched}, cloud.clock)
    cloud.advance(600)
    cloud.application.deploy(release="r2", failure_rate=0.8)

    def wait_for(_: str, look: Callable[[], Any]) -> Any:
        for _second in range(60):
            cloud.advance(1)
            assert look() is None
        alerts.append(SimpleNamespace(incident="INC-1"))
        return look()

    stage: Any = SimpleNamespace(
        policy=cloud.application.policy,
        now=cloud.clock.now,
        measured=lambda: control.measures("shop")["shop"],
        wait_for=wait_for,
    )
    shown = io.StringIO()
    evidence: Any = SimpleNamespace(alerts=lambda: alerts)
    scene = Scene(stage, evidence, Screen(Console(file=shown, width=200, highlight=False)))

    assert BadReleaseAct(scene).first_alert() is cast(Any, alerts[0])
    rates = [int(one) for one in re.findall(r"application, last 60 s, .* (\d+)% failed\n", shown.getvalue())]
    assert len(rates) == 6
    assert rates == sorted({*rates})
    assert 0 < rates[0] < 20 < 60 < rates[-1]


def test_nothing_gets_worse_after_the_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of a later time tells of a failure, to the end of the demo."""
    world = build_world_with_page()
    world.deploy_bad()
    world.alert()
    world.pass_time(2 * HOUR)
    [rollback] = world.rollbacks()
    [incident] = world.incidents()
    verified_at = rollback.verified_at
    assert verified_at is not None
    with scene_of(world, ScenarioName.FUNCTIONS) as (scene, shown):
        monkeypatch.setattr(scene.evidence, "page", lambda: read_page(world))
        ResponseAct(scene).show_verification(rollback.id)
        OutcomeAct(scene).show_end(incident.id)

    lines = [line for line in shown.getvalue().splitlines() if line[:8] >= f"{verified_at:%H:%M:%S}"]
    assert [line for line in lines if " recovered " in line]
    assert [line for line in lines if f"{rollback.id} Succeeded: no regression during monitoring" in line]
    assert re.search(r" routers, minute of \d\d:\d\d: [\d,]+ requests, 0% failed", lines[-1])
    worse = re.compile(
        r"[1-9]\d*% failed|opened|not verified|worse|investigating|waiting|open ", re.IGNORECASE
    )
    assert list(filter(worse.search, lines)) == []
    assert list(filter(worse.search, shown.getvalue().splitlines())) != []
