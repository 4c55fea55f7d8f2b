"""The demo's own judgement: it must be able to say no."""

import io
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace
from rich.console import Console

from local.demo import __main__ as demo
from local.demo import invariants
from local.demo.act import Scene
from local.demo.acts import backup_day
from local.demo.invariants import StateBefore
from local.demo.screen import Screen
from local.demo.staging import irrelevant_messages
from local.demo.staging.faults import FaultTargets, RollbackFault, select_fault_targets
from local.demo.staging.processes import DemoStage
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.reports.phases import Phase
from shared.domain.signals.alert import Alert
from shared.policy_files import loader
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, World, until
from tests.support.data import restore_tests
from tests.support.notices.system_events import pass_time
from tests.support.runtime.world import POLICIES

MINUTE = timedelta(minutes=1)
ROOT = POLICIES.parent
HOLD_ANYWAY = {
    "no revision was created, and every tag still exists",
    "every step of the plan is done",
    "the audit log matches its hashes and its anchors",
}
"""What an untouched system keeps too."""


def standing(world: World) -> invariants.TrafficState:
    """As the control plane tells it."""
    return {
        service.function: {
            "traffic": {flow.revision: round(flow.share * 100) for flow in flows},
            "failure_rate": max(flow.failure_rate for flow in flows),
        }
        for service in world.application.services()
        if (flows := service.periods[-1].flows)
    }


def laws(world: World, alert: Alert | None = None) -> list[invariants.InvariantResult]:
    """Each law of what has happened since the release that is live now; the alert is irrelevant."""
    stable = until("the stable deployment", lambda: world.evidence.deployment("v1"))
    sent = irrelevant_messages.IrrelevantMessages(alert)
    before = StateBefore(stable, world.evidence.inventory(), {}, sent)
    return invariants.check_invariants(world.evidence, before, standing(world))


def never_received() -> Alert:
    """An alert that nobody has sent."""
    return Alert(
        key="0.x:open",
        monitoring_id="0.x",
        state="open",
        verdict="open",
        system="bookshop",
        signal="function_failure_rate",
        incident="",
        started_at=NOON,
        published_at=NOON,
        received_at=NOON,
        function=None,
        notification="",
    )


def test_laws_of_a_system_that_nobody_brought_back(world: World) -> None:
    """While the bad release serves, every law that is about going back is found broken."""
    world.deploy_bad()

    found = laws(world, never_received())

    untagged = "no revision has a tag, so the check proves nothing"
    holding = {law.text for law in found if law.faults in ((), (untagged,))}
    assert holding == HOLD_ANYWAY


def test_where_no_channel_is_nothing_need_be_said(new_world: WorldMaker) -> None:
    """A policy may do without: then an incident of which nothing was said breaks no law."""
    silent = re.sub(r"(?s)\nchannels:.*", "", EXAMPLE)
    world = new_world(NOON, silent)
    world.deploy_bad()
    world.alert()
    until("the plan", lambda: [one for one in world.evidence.rollbacks() if one.plan])

    assert "each notification was sent once per incident, event and channel" in {
        law.text for law in laws(world) if law.holds
    }


def test_what_is_only_watched_was_noticed_first(world: World) -> None:
    """Which signal opens first is chance: the play, and its laws, go by what is done about it."""
    world.deploy_bad()
    world.alert("slow_response")
    rollbacks = world.evidence.rollbacks
    [watched] = until("the first decision", lambda: [one for one in rollbacks() if one.ended_at])
    assert watched.outcome.startswith("mode: signal observe")
    assert world.evidence.acting_rollbacks() == []

    world.alert()
    until("the plan", lambda: [one for one in rollbacks() if one.plan])

    [response] = world.evidence.acting_rollbacks()
    assert response.incident == watched.incident
    assert response.id != watched.id
    faults = [fault for law in laws(world) for fault in law.faults]
    assert not [one for one in faults if "2 rollbacks" in one or "has no steps" in one]


def test_screen_without_a_terminal() -> None:
    """Plain lines: no control codes, none longer than the width, progress as a few lines."""
    written = io.StringIO()
    screen = Screen(Console(file=written, width=80, highlight=False))

    screen.act("An act")
    screen.say("[bold]no markup[/bold] " + "long " * 30, NOON, "bold red")
    screen.table(("what", "why"), [("a", "because " * 20)])
    progress = screen.progress("functions are back")
    with screen.waiting("something"):
        for done in range(101):
            progress.show({"core": (done, 100), "auth": (1, 1)}, NOON)

    text = written.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "[bold]no markup[/bold]" in text
    assert text.count("functions are back (core") == 5


def test_lines_out_of_the_order_of_their_times_are_found() -> None:
    """Within one part; the next part may begin earlier."""
    screen = Screen(Console(file=io.StringIO()))

    screen.act("An act")
    for text, at in (("first", NOON), ("late", NOON + MINUTE), ("without", None), ("early", NOON)):
        screen.say(text, at)
    screen.act("Outcome")
    screen.say("again", NOON)

    assert screen.disordered == ["early"]


def test_an_alert_soon_after_the_last_shift_is_said_to_be_late() -> None:
    """Metrics are minutes old: such alerts report requests of before it."""
    opened, later = (
        replace(never_received(), key=f"{n}:open", received_at=NOON + n * MINUTE) for n in (1, 9)
    )
    before = replace(never_received(), key="0:open", received_at=NOON - MINUTE)
    scene = SimpleNamespace(evidence=SimpleNamespace(alerts=lambda: [before, opened, later]))

    lines = dict(Scene.alert_lines(cast(Scene, scene), NOON))

    late = "1 alert opened after the last shift, on metrics that are minutes old: function failure rate"
    assert lines == {NOON + MINUTE: late, NOON + 9 * MINUTE: "2 alerts opened: function failure rate"}


def test_picture_of_the_main_lines() -> None:
    """Headings, the first line of each act, bold lines and tables; nothing else."""
    picture = Console(file=io.StringIO(), record=True, width=80)
    screen = Screen(Console(file=io.StringIO()), picture)

    screen.act("An act")
    screen.say("first", NOON)
    screen.say("second", NOON)
    screen.say("third", NOON, "bold red")
    screen.table(("what",), [("row",)])

    assert picture.export_text().split() == [
        *("An", "act", "12:00:00", "first", "12:00:00", "third", "what", "row")
    ]


@pytest.mark.parametrize("system", ["cvplus", "example"])
@pytest.mark.parametrize(
    ("fault", "images", "broken"),
    [(RollbackFault.NONE, 0, 0), (RollbackFault.IMAGES_GONE, 3, 0), (RollbackFault.ONE_BROKEN, 1, 1)],
)
def test_whom_a_fault_meets(system: str, fault: RollbackFault, images: int, broken: int) -> None:
    """As many functions as it says, and none whose canary would stop its whole group."""
    policy = loader.load_policy(POLICIES / f"{system}.yaml")

    found = select_fault_targets(fault, policy)

    assert (len(found.images), len(found.broken)) == (images, broken)
    assert not set(found.images) & {group.canary or min(group.functions) for group in policy.groups.values()}


def test_a_law_with_exceptions_is_no_contradiction() -> None:
    """Nothing is said of every function that does not hold for one of them."""
    lost = FaultTargets(rebuilt=frozenset({"a"}), broken=frozenset({"addTestimonial"}))

    said = invariants._describe_exceptions(lost)

    assert said == "; 1 function built again, once, except addTestimonial, which cannot be restored"


def test_phase_beside_its_target() -> None:
    """At its target a phase is too long; without an end it never kept it."""
    assert Phase("decision", NOON, NOON + MINUTE, 2 * MINUTE).is_within_target
    assert not Phase("decision", NOON, NOON + MINUTE, MINUTE).is_within_target
    assert not Phase("decision", NOON, None, MINUTE).is_within_target


def test_the_last_sentence_names_missed_targets() -> None:
    """A cross in the table is no law that is broken, and is not passed over in silence."""
    assert demo.format_verdict([], holds=True) == "every invariant holds"
    assert demo.format_verdict(["decision"], holds=True) == "every invariant holds; missed targets: decision"
    assert demo.format_verdict([], holds=False) == "not every invariant holds"


@pytest.mark.parametrize(
    ("missed", "holds", "code"), [([], True, 0), (["decision"], True, 3), (["decision"], False, 1)]
)
def test_a_missed_target_fails_the_demo(missed: list[str], code: int, *, holds: bool) -> None:
    """A broken invariant weighs more than a missed target."""
    assert demo.find_exit_code(missed, holds=holds) == code


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("SYSTEM", "example"),
        ("SCENARIO", "backups"),
        ("CHAOS", "kill"),
        ("FAULTS", "one-broken"),
        ("HOUR", "23"),
    ],
)
def test_an_unknown_value_is_answered_with_the_choices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, choice: str
) -> None:
    """A variable of the environment is refused as the option of its name is."""
    monkeypatch.setenv(name, "24")

    with pytest.raises(SystemExit) as ended:
        demo.main([])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"argument --{name.lower()}: invalid choice: " in said
    assert choice in said.partition("choose from")[2]


def test_every_demo_of_the_page_is_played() -> None:
    """`make demos` plays each row of the table; HOUR holds for all of them."""
    names = ("docs/embedded-cloud.md", "scripts/demos")
    page, script = ((ROOT / name).read_text() for name in names)
    table = page.partition("| `make demo …` | shows |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    shown = [
        f"{first.partition('=')[0]}={value.rpartition('=')[2]}"
        for first, *more in rows
        for value in (first, *more)
    ]
    [played] = re.findall(r"documented=\(([^)]+)\)", script)

    assert {*played.split()} == {*shown, "SYSTEM=cvplus"} - {"HOUR=23"}


def test_proofs_are_judged_once_none_is_under_way() -> None:
    """Past midnight a second one begins, and its scratch database is there until it has ended."""
    shop = restore_tests.build_system_with_restore_tests()
    stage = SimpleNamespace(
        wiring=SimpleNamespace(store=shop.ports.store), policy=shop.policy, now=shop.ports.clock.now
    )
    played = backup_day.BackupDayAct(cast(DemoStage, stage), Screen(Console(file=io.StringIO())))
    assert played.proofs() == []

    pass_time(shop, 20 * MINUTE)
    assert [one.status for one in played.proofs() or ()] == [FillStatus.PROVEN]
    shop.ports.clock.advance(timedelta(days=1))
    pass_time(shop, 5 * MINUTE)
    assert [one.is_over for one in restore_tests.read_proofs(shop)] == [True, False]
    assert played.proofs() is None
    pass_time(shop, 15 * MINUTE)
    assert [one.status for one in played.proofs() or ()] == [FillStatus.PROVEN, FillStatus.PROVEN]


def test_what_is_refused_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told, though nobody has written a log yet."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(backup_day, "build_backup_policy_fields", lambda _: {"every": "never"})

    code = demo.main(["--policy", str(POLICIES / "example.yaml"), "--scenario", "backups"])

    assert code == 1
    assert "✗" in capsys.readouterr().out
