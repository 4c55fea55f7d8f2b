"""The Remote Config template of before, published again."""

import zlib

from shared.core.codec import FrozenStruct, decode
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import DrillCheck, ResourceStep, StepObservation, StepVerdict

KIND = "publish_template"


class RemoteConfigGoal(FrozenStruct):
    """What the template is to say."""

    hash: str
    content: bytes


class RemoteConfigOrigin(FrozenStruct):
    """What the template said when the plan was made."""

    hash: str


class PublishRemoteConfigStep(ResourceStep):
    """Conditional on the template's etag. `:rollback` could not be, so it is not used."""

    part = InventoryPart.REMOTE_CONFIG
    drill = DrillCheck.VALIDATE
    expected_seconds = 1.0

    def look(self, step: Step) -> StepObservation:
        """Compare what is published with goal and origin by what it says, not by its version."""
        goal, origin = decode(RemoteConfigGoal, step.goal), decode(RemoteConfigOrigin, step.origin)
        template = self._estate.remote_config.template()
        if template.hash == goal.hash:
            return StepObservation(StepVerdict.AT_GOAL)
        if template.hash == origin.hash:
            return StepObservation(StepVerdict.AT_ORIGIN, template.etag)
        return StepObservation(StepVerdict.ELSEWHERE, note=f"version {template.version} has other content")

    def rehearse(self, step: Step) -> None:
        """Let the platform validate the template, and publish nothing."""
        self._publish(step, dry_run=True)

    def set(self, step: Step) -> str:
        """Publish it over the template that the intent names by its etag."""
        self._publish(step, dry_run=False)
        return ""

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Compare the published template with the goal by its content."""
        template = (live.remote_config or {}).get(name)
        return template is not None and template.hash == decode(RemoteConfigGoal, step.goal).hash

    def _publish(self, step: Step, *, dry_run: bool) -> None:
        content = zlib.decompress(decode(RemoteConfigGoal, step.goal).content).decode()
        self._estate.remote_config.publish(content, step.seen, dry_run=dry_run)
