"""`rollback backtest`: what automation would have done about past incidents under a policy."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.support.context import Operations, open_operations
from cli.support.exit_codes import INVALID_USAGE, exit_on
from cli.support.output import AsJson, System, format_time, print_json, print_line, print_table
from cli.support.parameters import option
from responders.support.published_policies import resolve_policies
from shared.core.errors import BadConfiguration, RollbackError
from shared.domain.decision.backtest import PastIncident, backtest_incident, summarize
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.policy_files.loader import load_policy

DEFAULT_DAYS = 90
ONLY_IN_JSON = ("seconds_to_decision", "gates")
COLUMNS = [name for name in PastIncident.__struct_fields__ if name not in ONLY_IN_JSON]


def backtest(
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="how far back; facts are stored for 30 days")
    ] = DEFAULT_DAYS,
    policy: Annotated[Path | None, option("FILE", "a policy file; default: the policy in force")] = None,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Show what automation would have done about past incidents under a policy, in mode `act`.

    Compares it with what people did and marked. Changes nothing.
    """
    with open_operations() as ours, exit_on(BadConfiguration, INVALID_USAGE):
        judged = _load_policy(ours, policy) if policy is not None else ours.policy(system)
        incidents = _read_incidents(ours, judged, days)
        since = ours.wiring.clock.now() - RECORD_RETENTION
    if as_json:
        print_json({"facts_since": since, "incidents": incidents, "figures": summarize(incidents)})
        return
    print_line(
        f"{judged.system}: facts of decisions are stored for 30 days (since {format_time(since)} UTC), "
        "and longer for held incidents"
    )
    headings = [name.replace("_", " ") for name in COLUMNS]
    print_table(headings, ([getattr(past, name) for name in COLUMNS] for past in incidents))
    _print_figures(incidents)


def _load_policy(ours: Operations, file: Path) -> Policy:
    """Return a file's policy with the deployed functions in its groups.

    Raises: BadConfiguration, Unavailable.
    """
    policy = load_policy(file)
    return resolve_policies(ours.wiring.store, {policy.system: policy})[policy.system]


def print_history(ours: Operations, policy: Policy) -> None:
    """Print the figures of a policy, or one line where the history cannot be read."""
    try:
        incidents = _read_incidents(ours, policy, DEFAULT_DAYS)
    except RollbackError as failure:
        print_line(f"the past decisions cannot be read: {failure}")
    else:
        print_line("backtest of the stored decisions (30 days), in mode act:")
        _print_figures(incidents)


def _read_incidents(ours: Operations, policy: Policy, days: int) -> list[PastIncident]:
    """Return the backtests of incidents whose rollbacks are stored. Raises: Unavailable."""
    since, reading = ours.wiring.clock.now() - timedelta(days=days), ours.reading
    return [
        backtest_incident(incident, rollbacks, reading.snapshots(incident), policy)
        for incident in reading.incidents(policy.system)
        if incident.detected_at >= since and (rollbacks := reading.rollbacks(incident))
    ]


def _print_figures(incidents: Sequence[PastIncident]) -> None:
    for name, figure in summarize(incidents).items():
        print_line(f"  {name.replace('_', ' ')}: {figure}")
