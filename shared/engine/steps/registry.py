"""The kinds of step that a plan can hold, each with the class that carries it out."""

from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepKind
from shared.engine.steps.documents import erase, repair, restore
from shared.engine.steps.functions import judge_canary, redeploy, serve_revision, shift_traffic
from shared.engine.steps.resources import (
    create_index,
    publish_remote_config,
    release_hosting,
    release_rules,
    set_auth_config,
)

STEPS: dict[str, type[StepKind]] = {
    shift_traffic.KIND: shift_traffic.ShiftTrafficStep,
    judge_canary.KIND: judge_canary.JudgeCanaryStep,
    redeploy.KIND: redeploy.RedeployStep,
    serve_revision.KIND: serve_revision.ServeRevisionStep,
    repair.KIND: repair.RepairStep,
    restore.KIND: restore.RestoreStep,
    erase.KIND: erase.EraseStep,
    release_hosting.KIND: release_hosting.ReleaseHostingStep,
    publish_remote_config.KIND: publish_remote_config.PublishRemoteConfigStep,
    release_rules.KIND: release_rules.ReleaseRulesStep,
    set_auth_config.KIND: set_auth_config.SetAuthConfigStep,
    create_index.KIND: create_index.CreateIndexStep,
}


def class_of(step: Step) -> type[StepKind]:
    """Return the class of the step's kind; of a kind that is not known any more, the base."""
    return STEPS.get(step.kind, StepKind)
