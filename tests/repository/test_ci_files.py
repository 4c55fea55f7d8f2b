"""The files for CI in docs/ci, and `.ci/run`, run by a shell beside stand-ins for the tools."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.policy_files import loader
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import POLICIES, World

CI = Path(__file__).parent.parent.parent / "docs" / "ci"
CVPLUS = loader.load_policy(POLICIES / "cvplus.yaml")
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
"""
TOOLS = ("curl", "gcloud", "git", "npx", "python3", "sleep")
ALL = Query("deployments")
HASH = "0123456789abcdef0123456789abcdef01234567"
TAGGED = r"refs/tags/(deploy_\d{8}_\d{6})"
ORDER = (
    "^python3 -m cli deploy-lock cvplus --wait",
    "^npx firebase-tools deploy",
    "^gcloud pubsub topics publish rollback-deployments",
    "^curl --fail .*/api/health$",
    TAGGED,
    "^gcloud pubsub topics publish rollback-deployments",
)
"""What a pipeline does, beside preparing it."""


def github() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Script, folder and environment of each step, in order."""
    workflow = yaml.safe_load((CI / "github-actions.yml").read_text())
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield step["run"], step.get("working-directory", "."), workflow["env"]


def cloud_build() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Script, folder and environment of each step, in order."""
    build = yaml.safe_load((CI / "cloudbuild.yaml").read_text())
    assert build["options"]["automapSubstitutions"]
    for step in build["steps"]:
        yield step["script"], ".", build["substitutions"]


@pytest.mark.parametrize("pipeline", [github, cloud_build])
def test_a_pipeline_deploys_between_lock_and_announcement(pipeline: Any, tmp_path: Path) -> None:
    """What it publishes is taken by the entry point, and ends in a stable deployment."""
    calls = played(pipeline, tmp_path)

    done = iter(calls)
    assert all(any(re.search(one, call) for call in done) for one in ORDER)
    world = World(policy=CVPLUS)
    for call in calls:
        if said := re.search(r"--message=(.*)$", call):
            world.publish(topics.DEPLOYMENTS, json.loads(said[1]))
            world.settle()
    tagged = [tag[1] for call in calls if (tag := re.search(TAGGED, call))]
    assert refusal_reasons(world) == []
    found = [decode(Deployment, one.fields or {}) for one in world.ports.store.query(ALL)]
    [deployment] = [one for one in found if re.fullmatch(r"deploy_\d{8}_\d{6}", one.id)]
    assert (deployment.status, deployment.git_hash) == (DeploymentStatus.STABLE, HASH)
    assert tagged == [deployment.id]
    assert any(HASH in call for call in calls if deployment.id in call and "tag" in call)


def played(pipeline: Any, folder: Path) -> list[str]:
    """Every call of a tool, as a pipeline makes them."""
    tools, calls, told = folder / "tools", folder / "calls", folder / "told"
    (folder / "rollback").mkdir()
    tools.mkdir()
    for name in TOOLS:
        (tools / name).write_text(STAND_IN)
        (tools / name).chmod(0o700)
    told.touch()
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "CALLS": str(calls),
        "GITHUB_ENV": str(told),
        "GITHUB_OUTPUT": os.devnull,
        "GITHUB_SHA": HASH,
        "COMMIT_SHA": HASH,
        "REPO_FULL_NAME": "cvplus/application",
        "GITHUB_TOKEN": "a token of GitHub's",
    }
    for script, where, stated in pipeline():
        known = dict(line.split("=", 1) for line in told.read_text().splitlines())
        done = subprocess.run(  # noqa: S603 - a script of our own documentation
            ["/bin/bash", "-e", "-u", "-o", "pipefail", "-c", script],
            cwd=folder / where,
            env={**stated, **environment, **known},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, (script, done.stderr)
    return calls.read_text().splitlines()


def test_the_branch_is_protected_and_somebody_may_override() -> None:
    """Reviews, checks, no force push; the override is for pull requests, so that it is recorded."""
    ruleset = json.loads((CI / "branch-ruleset.json").read_text())

    assert {rule["type"] for rule in ruleset["rules"]} == {
        "deletion",
        "non_fast_forward",
        "pull_request",
        "required_status_checks",
    }
    assert ruleset["enforcement"] == "active"
    assert [one["bypass_mode"] for one in ruleset["bypass_actors"]] == ["pull_request"]


def test_ci_requires_terraform_in_a_clone_without_neighbours(tmp_path: Path) -> None:
    """Where the providers' script is absent too, a missing Terraform is a failure and no skip."""
    clone, tools, calls = tmp_path / "clone", tmp_path / "tools", tmp_path / "calls"
    for program in (
        clone / "scripts" / "lock",
        *(tools / one for one in ("chromium", "git", "make", "python3")),
    ):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\necho "$* TERRAFORM_REQUIRED=$TERRAFORM_REQUIRED" >> "$CALLS"\n')
        program.chmod(0o700)
    (clone / ".ci").mkdir()
    shutil.copy(CI.parent.parent / ".ci" / "run", clone / ".ci")

    subprocess.run(  # noqa: S603 - our own script
        [clone / ".ci" / "run"],
        env={"PATH": f"{tools}:/usr/bin:/bin", "CALLS": str(calls)},
        check=True,
        timeout=30,
    )

    assert "check TERRAFORM_REQUIRED=1" in calls.read_text().splitlines()
