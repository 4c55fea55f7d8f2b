"""Plans of the examples by the real Terraform: `python -m tests.terraform.plans` judges them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from local.application.names import project_number
from local.cloud import Cloud
from shared.policy_files.loader import load_policies
from tests.terraform.changed_states import build_changed_state, traffic_faults, undone
from tests.terraform.conftest import EXAMPLES, TERRAFORM, configuration
from tests.terraform.entry_points import ROOT, source_files
from tests.terraform.google_rules import breaches
from tests.terraform.planning import Plan, plan

OPERATE = ROOT / "docs" / "operate.md"
MOST_SECONDS = 15.0
"""Of processor time: how long that takes depends on what else the machine does."""
LONGEST = 60.0
"""Seconds from beginning to end, on a machine that does something else too."""
MOST = {"minimal": (188, 15, 30)}
"""Resources, custom roles and members of roles in projects, where an aim is set (decision 0075)."""


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
    if planned.elapsed > LONGEST:
        yield f"it takes {planned.elapsed:.1f} s from beginning to end, at most {LONGEST:.0f}"
    if any(count > most for count, most in zip(counts, MOST.get(planned.example, counts), strict=True)):
        yield f"{counts} resources, roles and members, at most {MOST[planned.example]}"
    row = f"| {planned.example} | {' | '.join(map(str, counts))} |"
    if row not in documented:
        yield f"{OPERATE.name} does not show the counts: {row}"
    line = f"Plan: {counts[0]} to add, 0 to change, 0 to destroy."
    if line not in planned.output:
        yield f"the plan does not end with {line}"
    if planned.example == "minimal" and f"`{line}`" not in documented:
        yield f"{OPERATE.name} does not show how it ends: {line}"
    yield from _evaluated_faults(planned)


def _evaluated_faults(planned: Plan) -> Iterator[str]:
    """Yield what the tests' evaluator plans otherwise, and text of the source in the plan."""
    evaluated = configuration(planned.example)
    ours = {f"module.rollback.{_numbered(one.address)}" for one in evaluated.resources}
    if theirs := ours ^ {re.sub(r"\[(\d+)\]", r'["\1"]', one.address) for one in planned.resources()}:
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
            configured, documented = TERRAFORM / "examples" / example, OPERATE.read_text()
            planned = plan(terraform, configured, cloud, folder)
            counts = " | ".join(map(str, planned.counts()))
            print(f"| {example} | {counts} | planned in {planned.seconds:.1f} s of processor time")  # noqa: T201
            wrong = [*faults(planned, documented)]
            if example == "minimal":
                state = folder / "changed.tfstate"
                state.write_text(build_changed_state(planned))
                over = plan(terraform, configured, cloud, folder, f"-state={state}", "-refresh=false")
                wrong += undone(over)
                wrong += packing_faults(terraform, folder)
                wrong += traffic_faults(terraform, cloud, folder, documented)
            for fault in wrong:
                found += 1
                print(f"{example}: {fault}", file=sys.stderr)  # noqa: T201
    finally:
        cloud.stop()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
