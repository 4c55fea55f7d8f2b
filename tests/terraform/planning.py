"""A plan of a configuration by the real Terraform, against the embedded cloud.

A plan reads three things of Google, which the embedded cloud answers: each project with its number,
who pays for it, and Cloud Storage's agent.
"""

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from local.cloud import Cloud
from local.services.iam import project_policies
from tests.terraform.google_rules import Planned


class Plan(Struct, frozen=True):
    """The plan of an example."""

    example: str
    output: str
    seconds: float
    """Of processor time."""
    elapsed: float
    """Seconds from beginning to end."""
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


def plan(terraform: str, configured: Path, cloud: Cloud, folder: Path, *options: str) -> Plan:
    """Plan the configuration of a folder. Raises: CalledProcessError."""
    example = configured.name
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
            [terraform, f"-chdir={configured}", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    saved = str(folder / f"{example}.plan")
    run("init", "-backend=false", "-input=false", "-no-color")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    output = run("plan", "-input=false", "-no-color", f"-out={saved}", *options)
    after, elapsed = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Plan(example, output, seconds, elapsed, run("show", "-json", saved))
