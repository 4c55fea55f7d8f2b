"""The kinds of change to what a system has beside its functions."""

from __future__ import annotations

from shared.ports.platform import Platform
from shared.ports.resources import Estate
from shared.steps import (
    Kind,
    create_index,
    publish_template,
    release_hosting,
    release_rules,
    set_identity,
)


def kinds(estate: Estate, platform: Platform) -> dict[str, Kind]:
    """Each by its name; a part of the estate is built when its kind first looks."""
    return {
        release_hosting.KIND: release_hosting.ReleaseHosting(estate),
        publish_template.KIND: publish_template.PublishTemplate(estate),
        release_rules.KIND: release_rules.ReleaseRules(estate),
        set_identity.KIND: set_identity.SetIdentity(estate, platform),
        create_index.KIND: create_index.CreateIndex(estate),
    }
