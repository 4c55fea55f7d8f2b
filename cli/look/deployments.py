"""`rollback deployments`: what was live when, and what may be gone back to."""

import json
from typing import Annotated

import typer

from cli.support.command_sending import Reason, send_command
from cli.support.context import open_operations
from cli.support.exit_codes import INVALID_USAGE, create_exit
from cli.support.output import AsJson, System, format_time, print_json, print_line, print_table
from shared.core import text as shortened
from shared.core import topics
from shared.core.durations import format_minute
from shared.core.text import count_noun, suggest_names
from shared.domain.deployments.deployment import Deployment, Restorability
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.restorability import CHECK_SUMMARY, MAX_STORED_REASONS, list_secret_versions

deployments = typer.Typer(help="Recorded deployments.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="its id, deploy_…")]
MAX_NAMES_SHOWN = 3


@deployments.callback()
def listed(
    context: typer.Context,
    system: System = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="so many of the newest")] = 30,
    as_json: AsJson = False,
) -> None:
    """List the newest deployments: STABLE ones may be gone back to, a barrier stops that."""
    if context.invoked_subcommand:
        return
    with open_operations() as ours:
        found = ours.reading.deployments(ours.policy(system).system)[:limit]
    if as_json:
        print_json(found)
        return
    if not found:
        print_line("none is recorded yet; `rollback deployments baseline` records what is live now")
        return
    print_table(
        (
            *("deployment", "live from (UTC)", "status", "changed", "untested", "restorable"),
            *("git", "barrier"),
        ),
        (
            (
                one.id,
                "not served" if one.is_unserved else format_time(one.at),
                one.status,
                shortened.join_names([change.name for change in one.changes], MAX_NAMES_SHOWN),
                shortened.join_names(one.untested, MAX_NAMES_SHOWN),
                _describe_restorability(one.restorable),
                one.git_hash[:12],
                one.barrier,
            )
            for one in found
        ),
    )


@deployments.command()
def show(deployment: Name, system: System = "", as_json: AsJson = False) -> None:
    """Show all that is recorded of one deployment, but the values of variables and secrets."""
    with open_operations() as ours:
        name = ours.policy(system).system
        is_a_name = "/" not in deployment  # that would be a path to elsewhere
        found = ours.reading.deployment(name, deployment) if is_a_name else None
        if found is None:
            known = [one.id for one in ours.reading.deployments(name)]
            near = suggest_names(deployment, known)
            raise create_exit(INVALID_USAGE, f"deployment {deployment} is not known in {name}{near}")
        record = ours.reading.deployment_inventory(name, deployment)
    if as_json:
        print_json({"deployment": found, "record": record})
        return
    for label, text in _lines(found, record or WholeInventory()):
        print_line(f"{label:<12} {text}")
    if record is None:
        print_line("it has no inventory record: it is not stable yet, or is older than these records")


@deployments.command("mark-stable")
def mark_stable(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Make a deployment one that may be gone back to, because you know that it is good."""
    send_command("mark-stable", reason, system, as_json=as_json, deployment=deployment)


@deployments.command("mark-bad")
def mark_bad(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Let nobody go back to a deployment."""
    send_command("mark-bad", reason, system, as_json=as_json, deployment=deployment)


@deployments.command("mark-barrier")
def mark_barrier(deployment: Name, reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Let automation go back past a deployment only when a person says so."""
    send_command("mark-barrier", reason, system, as_json=as_json, deployment=deployment)


@deployments.command()
def baseline(
    system: System = "",
    name: Annotated[str, typer.Option(help="its name; left out: deploy_YYYYMMDD_HHMMSS")] = "",
    as_json: AsJson = False,
) -> None:
    """Record what is live now as stable: the first place that can be gone back to.

    Say it once after installation, when the application is known to be well.
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
    """What is said of a deployment, label by label; what there is nothing to say of is left out."""
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
        ("not checked", ", ".join(shortened.first_lines(proof.unknown, MAX_STORED_REASONS)) if proof else ""),
    ]
    return [(label, text) for label, text in told if text]


def _describe_restorability(proof: Restorability | None) -> str:
    """Whether all is there that going back needs, in a word or two."""
    if proof is None:
        return "not checked"
    if proof.faults:
        return f"no: {count_noun(len(proof.faults), 'fault')}"
    short = "not all checked" if proof.unknown else "everything is available"
    short += f"; {count_noun(proof.rebuilt, 'function')} to rebuild" if proof.rebuilt else ""
    return short + (f"; images until {format_minute(proof.images_until)}" if proof.images_until else "")
