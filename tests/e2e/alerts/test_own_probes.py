"""Trouble that nobody but our own probes tells of, over the embedded cloud."""

from datetime import timedelta

import pytest

from local.application import Part
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import PATIENT, PROBED, until

LATEST = timedelta(seconds=90)
"""A minute to the second bad look, and what a busy machine takes at five times its pace."""


@pytest.mark.slice
def test_frontend_goes_dark(new_world: WorldMaker) -> None:
    """The second bad look opens an incident, with all that goes with one."""
    policy = PROBED.replace("mode: ask, duration: 1m", "mode: ask, duration: 30s")
    assert policy != PROBED
    world = new_world(NOON, policy)
    until("a first look", lambda: world.wiring.store.get("probes/bookshop").fields)

    world.cloud.clock.rescale(PATIENT)
    world.application.parts.change_part(Part.SITE, failure_rate=1.0)
    dark_at = world.cloud.clock.now()
    incidents = until("the incident", world.evidence.incidents)

    [incident] = incidents
    assert incident.signal == "frontend_unavailable"
    assert dark_at <= incident.onset_at <= incident.detected_at
    assert incident.detected_at - dark_at <= LATEST
    [alert] = world.evidence.alerts()
    assert alert.monitoring_id.startswith("probe:bookshop:frontend_unavailable:")
    public = world.evidence.public()
    assert public is not None
    assert public.incident == incident.id
