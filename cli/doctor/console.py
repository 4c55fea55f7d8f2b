"""Whether operators find the console, and whether what they say there is said."""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.facts import Facts, function
from cli.doctor.finding import Finding, Verdict, unseen
from shared import topics
from shared.errors import RollbackError

CHECK = "console"
NAME = function(topics.CONSOLE)
PUBLISHER = "roles/pubsub.publisher"


def examined(facts: Facts) -> Iterator[Finding]:
    """Whether it is there, active, of this checkout, and may publish commands."""
    if isinstance(facts.functions, RollbackError):
        yield unseen(CHECK, NAME, facts.functions)
        return
    if facts.is_local:
        why = "an embedded cloud has it beside it, not in it"
        yield Finding(CHECK, NAME, Verdict.UNKNOWN, why)
        return
    found = next((one for one in facts.functions if one.name == NAME), None)
    if found is None:
        why = "there is none: operators have the prompt alone"
        yield Finding(CHECK, NAME, Verdict.UNKNOWN, why, "console in Terraform")
        return
    faults = []
    if found.entry_point != topics.CONSOLE:
        faults.append(f"it runs {found.entry_point}, not {topics.CONSOLE}")
    if not found.active:
        faults.append("it is not ACTIVE: its newest deployment failed or goes on")
    granted = facts.grants.get(topics.COMMANDS)
    if isinstance(granted, RollbackError):
        yield unseen(CHECK, topics.COMMANDS, granted)
    elif f"serviceAccount:{found.account}" not in (granted or {}).get(PUBLISHER, ()):
        faults.append("its account may publish no command by the topic's own policy")
    for why in faults:
        yield Finding(CHECK, NAME, Verdict.WRONG, why, "terraform apply")
    if not faults:
        why = f"ACTIVE at {found.uri}, and its account may publish commands"
        yield Finding(CHECK, NAME, Verdict.WELL, why)
