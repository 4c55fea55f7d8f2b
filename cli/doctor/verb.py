"""The verb: look, judge, print."""

from __future__ import annotations

from collections import Counter

import typer

from cli.doctor import gathering, installation
from cli.doctor import system as systems
from cli.doctor.finding import Verdict, exit_code
from cli.screen import AsJson, System, print_json, say, table
from cli.wired import operations

HEADINGS = ("verdict", "check", "what", "why", "what to do")


def doctor(system: System = "", as_json: AsJson = False) -> None:
    """Check that what should roll back is able to; nothing is changed.

    Looks at topics, subscriptions, publishers, functions, the clock and what is due, then at each
    system: the deployment to go back to, functions, metrics, probes and what else is protected.

    Exit code 0: nothing is wrong (doubts are printed); 1: something is wrong; 2: settings or
    policies are not usable; 3: something essential could not be looked at.
    """
    with operations() as ours:
        policies = [ours.policy(system)] if system else [*ours.policies.values()]
        findings = [
            *installation.examined(gathering.installation(ours, policies)),
            *(
                finding
                for policy in policies
                for finding in systems.examined(gathering.system(ours, policy))
            ),
        ]
        at = ours.wiring.clock.now()
    counted = Counter(one.verdict for one in findings)
    if as_json:
        print_json({"at": at, "findings": findings})
    else:
        rows = ((one.verdict, one.check, one.what, one.why, one.what_to_do) for one in findings)
        table(HEADINGS, rows)
        said = [f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]]
        say(", ".join(said))
    raise typer.Exit(exit_code(findings))
