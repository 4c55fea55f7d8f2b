"""The play, act by act: everything shown is read from where it really stands."""

from __future__ import annotations

from local.demo.acts.bad_release import Trouble
from local.demo.acts.monitoring import Watch
from local.demo.acts.outcome import Closing
from local.demo.acts.response import Response
from local.demo.acts.scheduled_rollback import Appointment
from local.demo.invariants import Before
from local.demo.scene import Scene
from local.demo.staging import irrelevant_messages
from shared.domain.policy.model import ScenarioName
from shared.domain.rollback.rollback import ENDED


def play(scene: Scene) -> bool:
    """One emergency, from the stable release to the end of the watch; whether every law holds.

    Raises: Broken.
    """
    trouble, response, closing = Trouble(scene), Response(scene), Closing(scene)
    appointment = Appointment(scene)
    stable = trouble.prepare()
    operations = scene.evidence.operations()
    beside = scene.evidence.beside(scene.stage.policy)
    inventory, struck_at = trouble.strike(stable)
    published_at = None
    if scene.scenario is ScenarioName.FEATURE:
        struck_at = appointment.make()
        incident = appointment.keep(struck_at)
    else:
        alert = trouble.first_alert()
        incident = next(one for one in scene.evidence.incidents() if one.id == alert.incident)
        published_at = trouble.first_page(incident.id)
        response.show_detection(incident, alert, published_at)
    rollback = response.show_decision(incident.id)
    if rollback.status not in ENDED:
        response.go_back(rollback.id)
    sent = irrelevant_messages.send(
        scene.stage, trouble.notification() if scene.is_notified else None
    )
    scene.stage.wait_for(
        "the messages that must change nothing",
        lambda: (
            irrelevant_messages.test_event(scene.evidence)
            and irrelevant_messages.foreign_event(scene.evidence)
        ),
    )
    before = Before(stable, inventory, operations, sent, scene.lost, beside)
    if rollback.status not in ENDED:
        response.verify(rollback.id)
        Watch(scene).follow(rollback.id)
    closing.show_end(incident.id)
    closing.show_times(rollback.id, struck_at, published_at)
    return closing.show_laws(before)
