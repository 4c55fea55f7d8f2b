"""Plans of the examples by the real Terraform: `python -m tests.terraform.plans` judges them.

A plan reads three things of Google, which the embedded cloud answers: each project with its number,
who pays for it, and Cloud Storage's agent.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from msgspec import Struct

from local.application.names import project_number
from local.cloud import Cloud
from local.services.iam import project_policies
from shared.policy_files.loader import load_policies
from tests.terraform.conftest import EXAMPLES, TERRAFORM, configuration
from tests.terraform.entry_points import ROOT, source_files
from tests.terraform.google_rules import Planned, breaches

OPERATE = ROOT / "docs" / "operate.md"
MOST_SECONDS = 15.0
"""Of processor time: how long that takes depends on what else the machine does."""
MOST = {"minimal": (186, 15, 30)}
"""Resources, custom roles and members of roles in projects, where an aim is set (decision 0075)."""


class Plan(Struct, frozen=True):
    """The plan of an example."""

    example: str
    output: str
    seconds: float
    shown: str
    """As JSON."""

    def resources(self) -> list[Planned]:
        """Every resource that it creates."""
        return [*_resources(json.loads(self.shown)["planned_values"]["root_module"])]

    def counts(self) -> tuple[int, int, int]:
        """Resources, custom roles, and members of roles in projects."""
        every = self.resources()
        grants = [
            one for one in every if one.type in ("google_project_iam_binding", "google_project_iam_member")
        ]
        return (
            len(every),
            sum(one.type == "google_project_iam_custom_role" for one in every),
            sum(len(one.values.get("members") or [""]) for one in grants),
        )


def _resources(module: Mapping[str, Any]) -> Iterator[Planned]:
    for one in module.get("resources", []):
        if one["mode"] == "managed":
            yield Planned(one["address"], one["type"], one["values"])
    for child in module.get("child_modules", []):
        yield from _resources(child)


def plan(terraform: str, example: str, cloud: Cloud, folder: Path, *options: str) -> Plan:
    """Plan an example against the embedded cloud. Raises: CalledProcessError."""
    hosts = {"CLOUD_BILLING": project_policies.BILLING_HOST, "RESOURCE_MANAGER": project_policies.HOST}
    environment = {
        **os.environ,
        **{f"GOOGLE_{name}_CUSTOM_ENDPOINT": f"http://{host}/v1/" for name, host in hosts.items()},
        "GOOGLE_OAUTH_ACCESS_TOKEN": "of the embedded cloud",
        "GOOGLE_STORAGE_CUSTOM_ENDPOINT": f"http://{cloud.addresses['storage']}/storage/v1/",
        "HTTP_PROXY": f"http://{cloud.addresses['rest']}",
        "TF_DATA_DIR": str(folder / example),
    }

    def run(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - the Terraform that is judged by
            [terraform, f"-chdir={TERRAFORM / 'examples' / example}", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    saved = str(folder / f"{example}.plan")
    run("init", "-backend=false", "-input=false", "-no-color")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run("plan", "-input=false", "-no-color", f"-out={saved}", *options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Plan(example, output, seconds, run("show", "-json", saved))


LEFT_ALONE: dict[str, dict[str, Any]] = {
    'google_service_account.responders["on_work"]': {"disabled": True},
    'google_pubsub_subscription.push["rollback-work"]': {"topic": "_deleted-topic_"},
    'google_monitoring_notification_channel.pager["oncall"]': {},
    "google_storage_bucket_object.policies": {"detect_md5hash": "of another object"},
    "google_storage_bucket_object.source": {
        "detect_md5hash": "of another archive",
        "source": "elsewhere.zip",
    },
}
"""What a person or another machine has changed, and no apply undoes."""
FORMER_KEYS = {'google_monitoring_notification_channel.pager["oncall"]': "cvplus/oncall"}
"""Under which key an earlier version had made what it is."""


def build_changed_state(planned: Plan) -> str:
    """Return a state in which only those resources are, each changed."""
    values = {one.address: (one.type, one.values) for one in planned.resources()}
    changes_of_all = json.loads(planned.shown)["resource_changes"]
    providers = {one["type"]: one["provider_name"] for one in changes_of_all}  # Terraform's or OpenTofu's
    resources = []
    for address, changes in LEFT_ALONE.items():
        kind, found = values[f"module.rollback.{address}"]
        name, _, key = address.partition(".")[2].partition("[")
        instance = {"schema_version": 0, "attributes": {**found, "id": address, **changes}}
        if key:
            instance["index_key"] = FORMER_KEYS.get(address, key.strip('"]'))
        resources.append(
            {
                "module": "module.rollback",
                "mode": "managed",
                "type": kind,
                "name": name,
                "provider": f'provider["{providers[kind]}"]',
                "instances": [instance],
            }
        )
    return json.dumps({"version": 4, "serial": 1, "lineage": "tests", "outputs": {}, "resources": resources})


def undone(planned: Plan) -> Iterator[str]:
    """What a plan over that state would undo."""
    for one in json.loads(planned.shown)["resource_changes"]:
        address = one["address"].removeprefix("module.rollback.")
        change = one["change"]
        if address in LEFT_ALONE:
            if "delete" in change["actions"] or change["before"] is None:
                yield f"an apply makes {address} anew"
            for argument, value in LEFT_ALONE[address].items():
                if change["after"].get(argument) != value:
                    yield f"an apply undoes {argument} of {address}"


def packing_faults(terraform: str, folder: Path) -> Iterator[str]:
    """What does not hold when a saved plan packs the source elsewhere: without the cloud's part."""
    root = folder / "source"
    shutil.rmtree(root, ignore_errors=True)
    (root / "terraform").mkdir(parents=True)
    for name in ("main.py", "requirements.txt", "policies", "responders", "shared"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(TERRAFORM / "package_source.py", root / "terraform")
    written, _, _ = (TERRAFORM / "source.tf").read_text().partition('resource "google_storage_bucket"')
    written = re.sub(r"  depends_on = .*\n", "", written)
    policies = json.dumps([str(ROOT / "policies" / "cvplus.yaml")])
    (root / "terraform" / "main.tf").write_text(
        f'{written}\nlocals {{ repository = "${{path.module}}/.." }}\n'
        f'variable "policies" {{ default = {policies} }}\nvariable "templates" {{ default = [] }}\n'
    )
    for arguments in (["init"], ["plan", "-out=saved"], ["apply", "saved"]):
        if arguments[0] == "apply" and [*root.rglob("*.zip")]:
            yield "the plan has packed the source already"
        subprocess.run(  # noqa: S603 - the Terraform that is judged by
            [terraform, f"-chdir={root / 'terraform'}", arguments[0], "-input=false", *arguments[1:]],
            env={**os.environ, "TF_DATA_DIR": str(root / "data")},
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with ZipFile(root / "terraform" / ".terraform" / "rollback-source.zip") as archive:
        if {*archive.namelist()} != {*source_files(configuration("minimal"))}:
            yield "the archive does not hold the source"
    if "import " in (root / "terraform" / "terraform.tfstate").read_text():
        yield "the state holds text of the source"


def faults(planned: Plan, documented: str) -> Iterator[str]:
    """What does not hold of a plan; `documented`: the page that shows its counts."""
    counts = planned.counts()
    resources = planned.resources()
    yield from breaches(resources)
    if re.search(r"^Warning:|Warning: ", planned.output, re.M):
        yield "it warns"
    if planned.seconds > MOST_SECONDS:
        yield f"it takes {planned.seconds:.1f} s, at most {MOST_SECONDS:.0f}"
    if any(count > most for count, most in zip(counts, MOST.get(planned.example, counts), strict=True)):
        yield f"{counts} resources, roles and members, at most {MOST[planned.example]}"
    row = f"| {planned.example} | {' | '.join(map(str, counts))} |"
    if row not in documented:
        yield f"{OPERATE.name} does not show the counts: {row}"
    evaluated = configuration(planned.example)
    ours = {f"module.rollback.{_numbered(one.address)}" for one in evaluated.resources}
    if theirs := ours ^ {re.sub(r"\[(\d+)\]", r'["\1"]', one.address) for one in resources}:
        yield f"the evaluator of the tests plans otherwise: {', '.join(sorted(theirs))}"
    for name, file in source_files(evaluated).items():
        text = max(Path(file).read_text().splitlines(), key=len, default="")
        if name.endswith(".py") and len(text) > 60 and json.dumps(text)[1:-1] in planned.shown:
            yield f"it holds the text of {name}"


def _numbered(address: str) -> str:
    """An address of the evaluator with the number that the embedded cloud gives a project."""
    return re.sub("number-of-(.+)(?=-compute@)", lambda found: str(project_number(found[1])), address)


def main() -> int:
    """Plan and judge every example; print a row of counts for each."""
    terraform = os.environ.get("TERRAFORM") or "terraform"
    folder, found = ROOT / "build" / "terraform-plans", 0
    folder.mkdir(parents=True, exist_ok=True)
    cloud = Cloud.start([*load_policies(ROOT / "policies").values()], seed=1, alerter=False, ticks=False)
    try:
        for example in EXAMPLES:
            planned = plan(terraform, example, cloud, folder)
            counts = " | ".join(map(str, planned.counts()))
            print(f"| {example} | {counts} | planned in {planned.seconds:.1f} s of processor time")  # noqa: T201
            wrong = [*faults(planned, OPERATE.read_text())]
            if example == "minimal":
                state = folder / "changed.tfstate"
                state.write_text(build_changed_state(planned))
                over = plan(terraform, example, cloud, folder, f"-state={state}", "-refresh=false")
                wrong += undone(over)
                wrong += packing_faults(terraform, folder)
            for fault in wrong:
                found += 1
                print(f"{example}: {fault}", file=sys.stderr)  # noqa: T201
    finally:
        cloud.stop()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
