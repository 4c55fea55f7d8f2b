"""root-cause: what a person found an incident to come from, and what keeps it from coming again."""

from msgspec.structs import replace

from responders.commands.subject import find_subject
from responders.rollback import report_filing
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.redaction import redact_personal_data
from shared.domain.incidents.incident import RootCauseAnalysis
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.opening import public_state_writes
from shared.domain.notices.notice import notice_writes


def record_root_cause(asked: CommandRequest) -> CommandEffect:
    """Replace the root cause in the report, in later notices and, if public, on the status page."""
    subject = find_subject(asked)
    command, now = asked.command, subject.system.read_at
    found = RootCauseAnalysis(
        cause=command.cause,
        by=command.actor,
        at=now,
        prevention=command.prevention,
        public=redact_personal_data(command.public),
    )
    before = subject.incident
    incident = replace(before, analysis=found)
    lines = [f"root cause recorded by {command.actor}: {found.cause}"]
    lines += [f"prevention: {found.prevention}"] if found.prevention else []
    event, meant = f"analysed-{command.id}", f"root cause: {found.cause}"
    said = create_incident_notices(asked.policy, incident, event, "\n".join(lines), now, meant=meant)
    was = before.analysis.cause if before.analysis is not None else ""
    return CommandEffect(
        f"the root cause of {incident.id} is recorded",
        (
            subject.write_incident(incident),
            *public_state_writes(asked.policy, incident, now, newest=subject.is_newest),
            *report_filing.build_report_rewrite(asked.ports, incident, now),
            *notice_writes(said),
        ),
        changes={"root_cause": (was, found.cause)},
    )
