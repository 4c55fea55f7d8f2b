"""The command `rollback doctor`: collect facts, run the checks, print the findings."""

from collections import Counter

import typer

from cli.doctor.finding import CheckVerdict, exit_code, run_checks
from cli.doctor.installation import checks, facts
from cli.doctor.system import checks as systems
from cli.doctor.system import facts as gathering_system
from cli.support.context import open_operations
from cli.support.output import STYLES, AsJson, System, print_json, print_line

VERDICTS_BY_SEVERITY = (CheckVerdict.WELL, CheckVerdict.UNKNOWN, CheckVerdict.DOUBTFUL, CheckVerdict.WRONG)
"""The worst are last, beside the sum."""


def doctor(system: System = "", as_json: AsJson = False) -> None:
    """Check that the installation is able to roll back; nothing is changed.

    Checks topics, subscriptions, publishers, functions, the clock and overdue work, then of each
    system: the target of a rollback, functions, metrics, probes and other protected parts.

    Exit code 0: nothing is wrong (doubts are printed); 1: something is wrong; 2: settings or
    policies are invalid; 3: an essential check had no answer.
    """
    with open_operations() as ours:
        policies = ours.selected_policies(system)
        installed = facts.collect_facts(ours, policies)
        findings = [*run_checks(checks.CHECKS, installed)]
        accounts = {name: one.account for name, one in facts.deployed_responders(installed.functions).items()}
        for policy in policies:
            seen = gathering_system.collect_system_facts(ours, policy, accounts)
            findings += run_checks(systems.CHECKS, seen)
        at = ours.wiring.clock.now()
    counted = Counter(one.verdict for one in findings)
    if as_json:
        print_json({"at": at, "findings": findings})
    else:
        for one in sorted(findings, key=lambda one: VERDICTS_BY_SEVERITY.index(one.verdict)):
            style = "" if one.verdict is CheckVerdict.WELL else STYLES.get(one.verdict, "")
            print_line(f"{one.verdict:<9} {one.check}: {one.what}: {one.why}", style)
            if one.what_to_do:
                print_line(f"{'':<9} → {one.what_to_do}", style)
        said = [f"{counted[verdict]} {verdict}" for verdict in CheckVerdict if counted[verdict]]
        print_line(", ".join(said))
    raise typer.Exit(exit_code(findings))
