"""People whose word counts for less."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from responders.rollback import approval, completion
from responders.rollback.case import Case
from responders.rollback.decision import rollback_decision
from responders.rollback.verification import rollback_verification
from responders.scenarios import undo_plan
from responders.scenarios import undo_targets as wanted
from shared.domain.incidents import next_actions
from shared.domain.rollback.rollback import Rollback
from shared.engine import stop_conditions
from shared.engine.lease import LeasedRollback
from shared.engine.stop_conditions import StopConditions


def kill_switch_read_once() -> AbstractContextManager[Any]:
    """The switches are looked at when the worker begins."""
    return patch.object(stop_conditions, "MAX_CONTROLS_AGE_SECONDS", 1e9)


def kill_switch_ignored() -> AbstractContextManager[Any]:
    """The switches are read, and what they say is not heeded."""
    honest = StopConditions._read_conditions

    def deaf(self: StopConditions) -> str:
        honest(self)
        return ""

    return patch.object(StopConditions, "_read_conditions", deaf)


def unreadable_switch_means_go() -> AbstractContextManager[Any]:
    """No answer is taken for a yes."""
    honest = StopConditions._read_conditions

    def hopeful(self: StopConditions) -> str:
        said = honest(self)
        return "" if said.startswith("the kill switch could not be read") else said

    return patch.object(StopConditions, "_read_conditions", hopeful)


def own_document_not_asked() -> AbstractContextManager[Any]:
    """A person's cancel and another worker's claim are heard of at the next commit alone."""
    return patch.object(StopConditions, "_find_rollback_reason", lambda self, itself: "")


def cancel_ignored() -> AbstractContextManager[Any]:
    """A person's word is overwritten by the next commit."""
    honest = LeasedRollback._verify_receipt

    def deaf(self: LeasedRollback, after: Rollback) -> bool:
        landed = honest(self, after)
        self.rollback = replace(self.rollback, cancel_requested="")
        return landed

    return patch.object(LeasedRollback, "_verify_receipt", deaf)


def words_overtaken() -> AbstractContextManager[Any]:
    """What a person says while a turn is being committed is folded in, and the turn stands."""
    return patch.object(Case, "_is_overtaken", staticmethod(lambda turn, known, rollback: False))


def question_ignored() -> AbstractContextManager[Any]:
    """Nobody is needed to approve."""
    return patch.object(approval, "required_approvals", lambda *facts: 0)


def approval_of_another_plan() -> AbstractContextManager[Any]:
    """Who has approved something has approved everything."""

    def in_favour(rollback: Rollback, plan: str, needed: int) -> dict[str, str]:
        return {word.person: word.actor for word in rollback.approvals}

    return patch.object(rollback_decision, "approvers", in_favour)


def freeze_ignored() -> AbstractContextManager[Any]:
    """A window stops nothing that has begun."""
    return patch.object(stop_conditions, "active_freeze", lambda windows, now, **_: None)


def undo_freezes_the_newest() -> AbstractContextManager[Any]:
    """What followed the newest revision gets its name: the same requests, for today."""
    honest = undo_plan.plan_undo

    def plan(policy: Any, inventory: Any, wanted: Any, target: str, built: Any) -> undo_plan.UndoPlan:
        named = {
            function: replace(
                one,
                traffic=tuple(
                    replace(entry, revision=entry.revision or inventory[function].service.latest_created)
                    for entry in one.traffic
                ),
            )
            for function, one in wanted.items()
        }
        return honest(policy, inventory, named, target, built)

    return patch.object(undo_plan, "plan_undo", plan)


def undo_forgets_the_instances() -> AbstractContextManager[Any]:
    """What a rollback has kept warm stays so for ever."""
    honest = wanted.collect_undo_targets

    def found(rollbacks: Any) -> dict[str, wanted.UndoTarget]:
        return {name: replace(one, scaling=None) for name, one in honest(rollbacks).items()}

    return patch.object(wanted, "collect_undo_targets", found)


def pins_not_kept() -> AbstractContextManager[Any]:
    """Nobody knows afterwards what is held."""

    @contextmanager
    def forgetful() -> Iterator[None]:
        with (
            patch.object(rollback_verification, "build_pin_writes", lambda case, steps: ()),
            patch.object(completion, "build_pin_writes", lambda case, steps: ()),
        ):
            yield

    return forgetful()


def pins_not_kept_at_an_end() -> AbstractContextManager[Any]:
    """A cancel, a failure and an undo leave the pins as they were."""
    return patch.object(completion, "build_pin_writes", lambda case, steps: ())


def escalated_without_a_command() -> AbstractContextManager[Any]:
    """Whoever is called has the plan, and nothing to carry it out by."""
    return patch.object(rollback_decision, "format_gcloud_command", lambda topic, command: "")


def undo_offered_for_nothing() -> AbstractContextManager[Any]:
    """Whatever has failed offers an undo, also where nothing was moved."""
    return patch.object(next_actions, "closing_verbs", lambda rollback, is_undoable: ("undo", "accept"))


MUTANTS = (
    kill_switch_read_once,
    kill_switch_ignored,
    unreadable_switch_means_go,
    own_document_not_asked,
    cancel_ignored,
    words_overtaken,
    escalated_without_a_command,
    question_ignored,
    approval_of_another_plan,
    freeze_ignored,
    undo_freezes_the_newest,
    undo_forgets_the_instances,
    pins_not_kept,
    pins_not_kept_at_an_end,
    undo_offered_for_nothing,
)
