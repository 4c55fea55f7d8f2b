"""The play, act by act: everything shown is read from where it really stands."""

from local.demo.act import Scene
from local.demo.acts.bad_release import BadReleaseAct
from local.demo.acts.monitoring import MonitoringAct
from local.demo.acts.outcome import OutcomeAct
from local.demo.acts.response import ResponseAct
from local.demo.acts.scheduled_rollback import ScheduledRollbackAct
from local.demo.invariants import StateBefore
from local.demo.staging import irrelevant_messages
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES


def play(scene: Scene) -> bool:
    """One emergency, from the stable release to the end of monitoring; whether all invariants hold.

    Raises: Broken.
    """
    trouble, response, closing = BadReleaseAct(scene), ResponseAct(scene), OutcomeAct(scene)
    appointment = ScheduledRollbackAct(scene)
    stable = trouble.prepare()
    operations = scene.evidence.operations()
    beside = scene.evidence.read_resources(scene.stage.policy)
    inventory, struck_at = trouble.deploy_bad_release(stable)
    if scene.scenario is ScenarioName.FEATURE:
        struck_at = appointment.schedule_rollback()
        incident = appointment.await_start(struck_at)
    else:
        alert = trouble.first_alert()
        incident = next(one for one in scene.evidence.incidents() if one.id == alert.incident)
        response.show_detection(incident, alert, trouble.first_page(incident.id))
    rollback = response.show_decision(incident.id)
    if rollback.status not in ENDED_ROLLBACK_STATUSES:
        response.show_rollback(rollback.id)
    sent = irrelevant_messages.publish_irrelevant_messages(
        scene.stage, trouble.notification() if scene.is_notified else None
    )
    scene.stage.wait_for(
        "the messages that must change nothing",
        lambda: (
            irrelevant_messages.find_test_event(scene.evidence)
            and irrelevant_messages.find_foreign_event(scene.evidence)
        ),
    )
    before = StateBefore(stable, inventory, operations, sent, scene.lost, beside)
    if rollback.status not in ENDED_ROLLBACK_STATUSES:
        response.show_verification(rollback.id)
        MonitoringAct(scene).follow(rollback.id)
    closing.show_end(incident.id)
    closing.show_times(rollback.id, struck_at)
    return closing.show_laws(before)
