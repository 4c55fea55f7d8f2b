from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from shared import tenure
from shared.attempts import Sent
from shared.engine import Engine
from shared.errors import RollbackError
from shared.plan import Step
from shared.ports import Create, Put, Update, Write
from shared.rollback import Rollback
from shared.steps import Look, shift
from shared.tenure import Draft, Tenure
from tests.crash import Fault, Saboteur, run
from tests.disturbed import POINTS, VARIANTS, expect_the_same_world


def survives(saboteur: Saboteur) -> bool:
    """Whether the path still ends in the same world."""
    try:
        expect_the_same_world(run(saboteur))
    except (AssertionError, RollbackError):
        return False
    return True


def without_fence_on_intents(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = tenure.prepared

    def unfenced(
        rollback: Rollback, version: Any, draft: Draft, commit_id: str, *, renew: bool
    ) -> tuple[Rollback, Sequence[Write]]:
        after, writes = honest(rollback, version, draft, commit_id, renew=renew)
        if not any(event.name == "step.begun" for event in draft.events):
            return after, writes
        return after, [_unconditional(write) for write in writes]

    monkeypatch.setattr(tenure, "prepared", unfenced)


def _unconditional(write: Write) -> Write:
    match write:
        case Update():
            return replace(write, version=None)
        case Create():
            return Put(write.path, write.fields)
    return write


def without_look_before_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(self: Engine, tenure: Tenure, step: Step, may_set: bool) -> Look | Sent:
        kind = self._kinds[step.kind]
        look = kind.look(step)
        if step.operation or step.kind != shift.KIND:
            return look
        return Sent(kind.set(replace(step, seen=look.token)))  # from wherever it stands

    monkeypatch.setattr(Engine, "_attempt", blind)


def without_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Tenure._look_back

    def forgetful(self: Tenure, after: Rollback) -> bool:
        honest(self, after)
        return False

    monkeypatch.setattr(Tenure, "_look_back", forgetful)


@pytest.mark.parametrize(
    ("remove", "fault"),
    [
        (without_fence_on_intents, Fault.ZOMBIE),
        (without_look_before_set, Fault.CRASH),
        (without_receipt, Fault.LOST_ANSWER),
    ],
)
def test_an_engine_without_a_guard_is_found_out(
    monkeypatch: pytest.MonkeyPatch, remove: Any, fault: Fault
) -> None:
    """The campaign has teeth: a guard that is taken away is missed at a fault, and only there.

    That the whole engine survives each of these faults is `test_crash_everywhere`.
    """
    assert (fault, False, False) in VARIANTS

    remove(monkeypatch)

    assert survives(Saboteur())
    assert not all(survives(Saboteur(point, fault)) for point in range(POINTS))
