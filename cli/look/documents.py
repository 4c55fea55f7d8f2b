"""`rollback documents`: what a repair is about, document by document."""

from collections.abc import Iterator

from cli.support.command_sending import Incident
from cli.support.context import Operations, open_operations
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.output import AsJson, print_json, print_line
from responders.data.repair import preview
from responders.rollback.decision.data_requests import Preparation
from shared.core.codec import decode
from shared.domain.data.repair.repair_plan import DocumentDecision, describe_document_change, preview_path
from shared.domain.incidents.incident import rollback_id


def documents(incident: Incident, as_json: AsJson = False) -> None:
    """List each document that a repair would change, or leave alone, with the fields that differ.

    As they were when it was prepared: a plan names only some of each kind. They are read once
    more, with read-only rights; nothing is told of whoever is known to be erased.

    Exit code 0; 1 when no data were looked through for the incident; 3 when those moments cannot be
    read any more, or a service gives no answer.
    """
    with open_operations() as ours:
        found = _document_rows(ours, incident)
        if as_json:
            print_json([{"path": one.path, "becomes": one.fate} for one in found])
            return
        for one in found:
            print_line(f"{one.fate}: {describe_document_change(one)}")


def _document_rows(ours: Operations, name: str) -> Iterator[DocumentDecision]:
    incident = ours.incident(name)
    for number in range(incident.rollbacks, 0, -1):
        place = ours.wiring.store.get(preview_path(rollback_id(name, number)))
        survey = decode(Preparation, place.fields).survey if place.fields else None
        if survey is not None and survey.is_over:
            return preview.iterate_affected_documents(ours.wiring, ours.policy(incident.system), survey)
    raise create_exit(REFUSED, f"for {name} no data were looked through to their end")
