"""A plan in lines for people: each target with its present and its future state."""

from __future__ import annotations

from collections.abc import Iterable

from cli.support.output import print_line, print_table
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.forecast import DurationForecast
from shared.domain.deployments.inventory.traffic import describe_served_revisions


def print_plan(
    functions: Iterable[FunctionDifference], lines: Iterable[str], ahead: DurationForecast | None = None
) -> None:
    """Print every function with what it serves and would serve, the other lines, and the time."""
    rows = [
        (
            f"  {one.function}",
            describe_served_revisions(one.live),
            "built again" if one.rebuilt else describe_served_revisions(one.target),
        )
        for one in functions
    ]
    if rows:
        print_table(("  function", "serves", "would serve"), rows)
    for line in lines:
        print_line(f"  {line}", "yellow")
    if ahead is not None:
        print_line(f"  {ahead}", "" if ahead.fits else "bold yellow")
