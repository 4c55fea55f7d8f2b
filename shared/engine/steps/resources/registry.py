"""The kinds of change to what a system has beside its functions."""

from __future__ import annotations

from shared.engine.steps.base import StepKind
from shared.engine.steps.resources import (
    create_index,
    publish_remote_config,
    release_hosting,
    release_rules,
    set_auth_config,
)
from shared.ports.platform import Platform
from shared.ports.resources import Estate


def kinds(estate: Estate, platform: Platform) -> dict[str, StepKind]:
    """Each by its name; a part of the estate is built when its kind first looks."""
    return {
        release_hosting.KIND: release_hosting.ReleaseHosting(estate),
        publish_remote_config.KIND: publish_remote_config.PublishTemplate(estate),
        release_rules.KIND: release_rules.ReleaseRules(estate),
        set_auth_config.KIND: set_auth_config.SetIdentity(estate, platform),
        create_index.KIND: create_index.CreateIndex(estate),
    }
