"""Which rollback of its incident a person's word is about."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.commands.subject import is_command_outdated
from shared.domain.commands.command import Command
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident, build_rollback

BEFORE = timedelta(microseconds=1)
FIRST, FURTHER = 1, 2
JUST, ALMOST, TOO_OLD = -BEFORE, -DUE_TIME_SKEW_TOLERANCE, -DUE_TIME_SKEW_TOLERANCE - BEFORE
"""When it was said, counted from the beginning of the rollback."""


@pytest.mark.parametrize(
    ("verb", "names", "number", "said", "older"),
    [
        *((verb, {}, FURTHER, timedelta(0), False) for verb in ("retry", "accept", "cancel")),
        *((verb, {}, FIRST, ALMOST, False) for verb in ("retry", "accept", "undo", "cancel")),
        *((verb, {}, FIRST, TOO_OLD, True) for verb in ("retry", "accept", "undo", "cancel")),
        *((verb, {}, FURTHER, ALMOST, False) for verb in ("cancel", "reject")),
        *((verb, {}, FURTHER, TOO_OLD, True) for verb in ("cancel", "reject")),
        *((verb, {}, FURTHER, JUST, True) for verb in ("retry", "accept", "undo", "approve")),
        ("retry", {"rollback": "INC-20260302-001-r2"}, FURTHER, ALMOST, False),
        ("retry", {"rollback": "INC-20260302-001-r2"}, FURTHER, TOO_OLD, True),
        ("approve", {"plan": "0" * 64}, FURTHER, ALMOST, False),
        ("approve", {"plan": "0" * 64}, FURTHER, TOO_OLD, True),
    ],
)
def test_what_is_said_within_the_skew_of_clocks_is_about_what_it_can_only_be_about(
    verb: str, names: dict[str, str], number: int, said: timedelta, *, older: bool
) -> None:
    """A word that may be about the rollback before lets nothing happen; one to stop does stop."""
    word = replace(Command("w", verb, "a test", "anna"), **names)
    trouble = replace(build_incident(), rollbacks=number)

    assert is_command_outdated(word, START + said, trouble, build_rollback()) is older
