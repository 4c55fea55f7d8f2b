"""`rollback deployments`: list and mark deployments, and record the baseline."""

import json
from typing import Annotated

import typer

from cli.support.command_sending import Reason, send_command
from cli.support.context import open_operations
from cli.support.exit_codes import INVALID_USAGE, create_exit
from cli.support.output import AsJson, System, format_time, print_json, print_line, print_table
from cli.support.parameters import argument
from shared.core import topics
from shared.core.durations import format_minute
from shared.core.text import count_noun, first_lines, join_names, suggest_names
from shared.domain.deployments.deployment import Deployment, Restorability
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.restorability import CHECK_SUMMARY, MAX_STORED_REASONS, list_secret_versions

deployments = typer.Typer(help="Recorded deployments.", invoke_without_command=True)

Name = Annotated[str, argument("DEPLOYMENT", "its id, deploy_…")]
MAX_NAMES_SHOWN = 3


@deployments.callback()
def listed(
    context: typer.Context,
    system: System = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="number of newest deployments")] = 30,
    as_json: AsJson = False,
) -> None:
    """List the newest deployments: rollbacks restore STABLE ones, past a barrier after approval."""
    if context.invoked_subcommand:
        return
    with open_operations() as ours:
        found = ours.reading.deployments(ours.policy(system).system)[:limit]
    if as_json:
        print_json(found)
        return
    if not found:
        print_line("none is recorded yet; `rollback deployments baseline` records the live state")
        return
    print_table(
        ("deployment", "live from (UTC)", "status", "changed", "untested", "restorable", "git", "barrier"),
        (
            (
                one.id,
                "not served" if one.is_unserved else format_time(one.at),
                one.status,
                join_names([change.name for change in one.changes], MAX_NAMES_SHOWN),
                join_names(one.untested, MAX_NAMES_SHOWN),
                _describe_restorability(one.restorable),
                one.git_hash[:12],
                one.barrier,
            )
            for one in found
        ),
    )


@deployments.command()
def show(deployment: Name, system: System = "", as_json: AsJson = False) -> None:
    """Show the record of one deployment, without the values of variables and secrets."""
    with open_operations() as ours:
        name = ours.policy(system).system
        is_a_name = "/" not in deployment  # that would be a path to elsewhere
        found = ours.reading.deployment(name, deployment) if is_a_name else None
        if found is None:
            near = suggest_names(deployment, [one.id for one in ours.reading.deployments(name)])
            raise create_exit(INVALID_USAGE, f"deployment {deployment} is not known in {name}{near}")
        record = ours.reading.deployment_inventory(name, deployment)
    if as_json:
        print_json({"deployment": found, "record": record})
        return
    for label, text in _lines(found, record or WholeInventory()):
        print_line(f"{label:<12} {text}")
    if record is None:
        print_line("it has no record of the live state: it has not settled, or is older than such records")


@deployments.command("mark-stable")
def mark_stable(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Make a deployment a target of rollbacks, because you know that it works."""
    send_command("mark-stable", reason, system, as_json, deployment=deployment)


@deployments.command("mark-bad")
def mark_bad(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Exclude a deployment from the targets of rollbacks."""
    send_command("mark-bad", reason, system, as_json, deployment=deployment)


@deployments.command("mark-barrier")
def mark_barrier(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Require approval before automation rolls back past a deployment."""
    send_command("mark-barrier", reason, system, as_json, deployment=deployment)


@deployments.command()
def baseline(
    system: System = "",
    name: Annotated[str, typer.Option(help="its name; default: deploy_YYYYMMDD_HHMMSS")] = "",
    as_json: AsJson = False,
) -> None:
    """Record the live state as stable: the first target of a rollback.

    Use it once after installation, when you know that the application works.
    """
    with open_operations() as ours:
        said = {"version": 1, "system": ours.declared_policy(system).system, "stable": True}
        if name:
            said["deployment"] = name
        message = ours.wiring.bus.publish(topics.DEPLOYMENTS, json.dumps(said).encode())
    if as_json:
        print_json({"message": message, **said})
    else:
        print_line("requested; `rollback deployments` shows it in a moment")


def _lines(one: Deployment, record: WholeInventory) -> list[tuple[str, str]]:
    """Return the lines of a deployment, label by label, without empty ones."""
    proof = one.restorable
    told = [
        ("deployment", one.id),
        ("status", f"{one.status} {one.reason}".strip()),
        ("live from", "not served yet" if one.is_unserved else f"{format_time(one.at)} UTC"),
        *(("not served", f"{name}: {revision}") for name, revision in one.unserved.items()),
        ("git", one.git_hash),
        ("barrier", one.barrier),
        ("also called", one.named),
        *(("changed", f"{change.part}: {change.name} {change.change}") for change in one.changes),
        ("untested", ", ".join(one.untested)),
        ("backup", f"{format_time(one.backup_at)} UTC, by point-in-time recovery" * bool(one.backup_at)),
        *(("health", f"{asked}: {answer}") for asked, answer in one.health.items()),
        ("restorable", _describe_restorability(proof)),
        *(("", fault) for fault in (proof.faults if proof else ())),
        *(("images", line) for line in (proof.image_lines if proof else ())),
        *(("secret", version) for version in list_secret_versions(record)),
        ("checked", CHECK_SUMMARY if proof else ""),
        *(("rebuild", reason) for reason in (proof.rebuild if proof else ())),
        ("not checked", ", ".join(first_lines(proof.unknown, MAX_STORED_REASONS)) if proof else ""),
    ]
    return [(label, text) for label, text in told if text]


def _describe_restorability(proof: Restorability | None) -> str:
    """Return whether everything exists that a rollback to it needs, in a few words."""
    if proof is None:
        return "not checked"
    if proof.faults:
        return f"no: {count_noun(len(proof.faults), 'fault')}"
    short = "not all checked" if proof.unknown else "all is there"
    short += f"; {count_noun(proof.rebuilt, 'function')} to rebuild" if proof.rebuilt else ""
    return short + (f"; images until {format_minute(proof.images_until)}" if proof.images_until else "")
