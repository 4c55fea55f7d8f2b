"""`rollback copy`: a new database as of a restore point; `erase`: a person erased in each copy."""

from typing import Annotated

from cli.support.command_sending import Reason, conclude_command, send
from cli.support.confirmation import DryRun, Manner, Yes, confirm_and_send
from cli.support.context import open_operations, read_restore_point
from cli.support.exit_codes import REFUSED, create_exit, exit_on
from cli.support.output import AsJson, System, print_json, print_line
from cli.support.parameters import argument, option
from responders.backups.database_copy import select_copy_source
from responders.data.restore_points import read_available_points
from shared.core.errors import Refused
from shared.domain.data.backups.restore_point import ACCEPTED_FORMS
from shared.domain.data.erasure.ledger import hash_person
from shared.domain.decision.forecast import describe_copy_time


def copy(
    restore_point: Annotated[str, option("POINT", f"of when: {ACCEPTED_FORMS}")],
    reason: Reason,
    system: System = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Create a new database as of a restore point, check it, and store it for a limited time.

    The application is not touched. `rollback status` shows the progress. A notification
    announces the finished copy, with the steps by which the application can use it.
    """
    named, shown = read_restore_point(restore_point)
    with open_operations() as ours:
        policy = ours.policy(system)
        with exit_on(Refused, REFUSED):
            found = read_available_points(ours.wiring, policy)
            point = select_copy_source(named, found)
        if shown and not as_json:
            print_line(f"restore point: {shown}", "bold")
        if not as_json:
            takes = describe_copy_time(policy, point, found)
            print_line(f"{policy.backups.database} of {policy.system} as of {point}: {takes}", "bold")
        elif dry_run:
            print_json(point)
        manner = Manner(dry_run, yes, follow=False, as_json=as_json)
        content = {"command": "copy", "system": policy.system, "restore_point": named, "reason": reason}
        confirm_and_send(ours, content, manner, "Copy it?")


def erase(
    person: Annotated[str, argument("ID", "the person's id in the application")],
    reason: Reason,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Record a person as erased, so that no copy opened from now on contains them.

    The command contains a keyed hash of the id. The application's own data stays unchanged.
    """
    with open_operations() as ours:
        named = ours.policy(system).system
        ledger = ours.reading.erasure_ledger(named)
        if ledger is None:
            why = f"{named} has no erasure ledger: on_clock creates it within a minute"
            raise create_exit(REFUSED, f"{why}, if the policy says what belongs to a person (erasure)")
        hashed = hash_person(ledger.salt, person)
        answer = send(ours, {"command": "erase", "system": named, "person": hashed, "reason": reason})
    conclude_command(answer, as_json)
