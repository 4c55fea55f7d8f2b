"""`rollback deployments`: what was live when, and what may be gone back to."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.screen import AsJson, System, at, print_json, say, table
from cli.wired import operations
from shared import topics

deployments = typer.Typer(help="Recorded deployments.", invoke_without_command=True)


@deployments.callback()
def show(
    context: typer.Context,
    system: System = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="so many of the newest")] = 30,
    as_json: AsJson = False,
) -> None:
    """List the newest deployments: STABLE ones may be gone back to, a barrier stops that."""
    if context.invoked_subcommand:
        return
    with operations() as ours:
        found = ours.reading.deployments(ours.policy(system).system)[:limit]
    if as_json:
        print_json(found)
        return
    if not found:
        say("none is recorded yet; `rollback deployments baseline` records what is live now")
        return
    table(
        ("deployment", "live from (UTC)", "status", "functions", "git", "barrier"),
        (
            (
                one.id,
                at(one.at),
                one.status,
                str(len(one.functions)),
                one.git_hash[:12],
                one.barrier,
            )
            for one in found
        ),
    )


@deployments.command()
def baseline(
    system: System = "",
    name: Annotated[str, typer.Option(help="its name; left out: deploy_YYYYMMDD_HHMMSS")] = "",
) -> None:
    """Record what is live now as stable: the first place that can be gone back to.

    Say it once after installation, when the application is known to be well.
    """
    with operations() as ours:
        said = {"version": 1, "system": ours.policy(system).system, "stable": True}
        if name:
            said["deployment"] = name
        ours.wiring.bus.publish(topics.DEPLOYMENTS, json.dumps(said).encode())
    say("asked for; `rollback deployments` shows it in a moment")
