"""The labels that people read in place of stored values."""

from itertools import chain

import pytest

from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.labels import signal_label, status_label, verb_label


@pytest.mark.parametrize("status", sorted({*chain(IncidentStatus, RollbackStatus, StepStatus)}))
def test_a_status_reads_as_words(status: str) -> None:
    label = status_label(status)

    assert label == label.capitalize()
    assert "_" not in label


def test_what_a_person_could_not_guess_has_a_label_of_its_own() -> None:
    statuses = ("PARKED", "NOT_TAKEN", "WATCHING", "ESCALATED")
    labels = ["Waiting for approval", "Not executed", "Monitoring", "Waiting for a decision"]
    assert [*map(status_label, statuses)] == labels
    assert signal_label("command") == "manual rollback request"
    assert signal_label("function_failure_rate") == "function failure rate"


@pytest.mark.parametrize("verb", COMMAND_RULES)
def test_a_button_says_what_it_does(verb: str) -> None:
    assert verb_label(verb)[0].isupper()
    assert "-" not in verb_label(verb)
