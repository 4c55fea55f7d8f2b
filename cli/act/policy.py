"""`rollback policy`: policy files, before they are deployed or published."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.support.confirmation import DryRun, Yes
from cli.support.context import open_operations
from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit
from cli.support.output import AsJson, System, print_json, print_line
from cli.support.parameters import argument
from responders.support.published_policies import CHECK_INTERVAL_SECONDS, find_valid_policies
from shared.core.errors import BadConfiguration, Moved
from shared.domain.policy.system_policy import Policy
from shared.policy_files import loader

Files = Annotated[list[Path], argument("FILE...", "policy files")]
policy = typer.Typer(help="Policy files.", no_args_is_help=True)


@policy.command()
def check(files: Files, as_json: AsJson = False) -> None:
    """Print every fault of the files, as file:line: message, and each probe that proves little.

    Exit code 0 when there is no fault; 1 when there is any.
    """
    faults: tuple[str, ...] = ()
    warnings: list[str] = []
    try:
        policies = loader.load_policy_files(files)
        warnings = [line for policy in policies.values() for line in _describe_shallow_probes(policy)]
    except BadConfiguration as error:
        faults = error.faults
    if as_json:
        print_json({"faults": faults, "warnings": warnings})
    else:
        for line in (*faults, *warnings):
            print(line)
    if faults:
        raise typer.Exit(REFUSED)


def _describe_shallow_probes(policy: Policy) -> list[str]:
    return [
        f"warning: {policy.system}: the GET of probe {probe.name} may not reach the code of "
        f"{probe.function}: a callable answers a GET with 400, and Google a caller without access with 401 "
        "or 403. Declare another expect.status, what the answer contains, or a POST and its answer."
        for probe in policy.probes
        if probe.may_miss_handler
    ]


@policy.command()
def show(system: System = "", as_json: AsJson = False) -> None:
    """Print the policy file in force; without ROLLBACK_POLICY_BUCKET, the local file."""
    with open_operations() as ours:
        text = ours.declared_policy(system).text
    print_json({"text": text}) if as_json else typer.echo(text, nl=False)


@policy.command()
def publish(files: Files, dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False) -> None:
    """Show what the files change in the policies in force, and publish them after confirmation.

    Exit code 0 when they are published, or nothing differs; 1 when you decline, or somebody else
    published meanwhile; 2 without a bucket, or when a file has faults.
    """
    with open_operations() as ours:
        objects = ours.wiring.buckets.policies
        if objects is None:
            raise create_exit(INVALID_USAGE, "ROLLBACK_POLICY_BUCKET is not set: nothing can be published")
        generation = objects.generation(loader.PUBLISHED_OBJECT)
        before = next(find_valid_policies(ours.wiring, {})).policies
        after = {**before, **loader.load_policy_files(files, before)}
        content = msgspec.json.encode({f"{name}.yaml": one.text for name, one in after.items()})
        loader.parse_published(content, before)
        differences = loader.find_differences(before, after)
        lines = [f"{name}: {line}" for name, theirs in differences.items() for line in theirs]
        for line in [] if as_json else lines or ["the files equal the policies in force"]:
            print_line(line)
        publishes = bool(differences) and not dry_run
        if publishes and not yes and not typer.confirm("Publish these policies?", err=as_json):
            raise create_exit(REFUSED, "nothing was published")
        try:
            if publishes:
                objects.put(loader.PUBLISHED_OBJECT, content, "application/json", generation)
        except Moved:
            raise create_exit(REFUSED, "somebody published other policies: run this again") from None
    if as_json:
        print_json({"differences": differences, "published": publishes})
    elif publishes:
        print_line(
            f"Published. Functions use it within {CHECK_INTERVAL_SECONDS:.0f} s; plans keep the old one."
        )
