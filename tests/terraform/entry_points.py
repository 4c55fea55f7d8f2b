"""What the entry points say of themselves, beside what is provisioned for them."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import main
from cli.doctor.system.permissions import ASKED
from shared.core import topics
from shared.domain.data.asset_protection import derived_topics
from shared.domain.policy.model import Policy
from shared.policy_files.loader import loads
from shared.wiring.settings import Settings
from tests.terraform.checks import functions
from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.evaluator import Configuration

ROOT = TERRAFORM.parent
RECEIVES = {
    topic: entry_point for entry_point, several in topics.ENTRY_POINTS.items() for topic in several
}
"""The entry point that each topic is pushed to."""
APPLICATIONS: dict[str, Callable[[Policy], object]] = {
    "that are backed up": ASKED["backups"],
    "that declare collections": ASKED["data"],
    "whose backups are proven": ASKED["proofs"],
    "that admit copies": ASKED["copies"],
    "that declare assets": ASKED["assets"],
    "whose documents name files": ASKED["media"],
    "that make data again": derived_topics,
    "that have such a channel": ASKED["push"],
    "whose channels look users up": ASKED["pushed_to"],
}
"""Of which applications docstrings speak, and by what of its policy one is among them."""


def docstring(entry_point: str) -> str:
    """What an entry point says of itself, in one line."""
    return " ".join((inspect.getdoc(getattr(main, entry_point)) or "").split())


def declared(said: str) -> set[str]:
    """The permissions of the adapters that a docstring names."""
    named = re.findall(r"(the first of )?`(shared\.adapters\.gcp\.[\w.]+)\.(\w*PERMISSIONS)`", said)
    return {
        one
        for first, module, name in named
        for one in getattr(importlib.import_module(module), name)[: 1 if first else None]
    }


def settings_of(configuration: Configuration, entry_point: str) -> Settings:
    """What a function reads from its environment."""
    [service] = functions(configuration)[entry_point]["service_config"]
    return Settings.from_mapping({**service["environment_variables"], "K_SERVICE": entry_point})


def needed(configuration: Configuration, entry_point: str) -> dict[str, set[str]]:
    """The permissions that an entry point says it needs, by project, bucket or secret.

    What its docstring says of no place, it needs in each application.
    """
    settings, said = settings_of(configuration, entry_point), docstring(entry_point)
    found = defaultdict(set, {settings.project: set(EVERYBODY)})
    for place, names in places(configuration, settings).items():
        if clause := re.search(place + r" \([^)]*\)", said):
            said = said.replace(clause[0], "")
            for name in filter(None, names):
                found[name] |= declared(clause[0])
    if elsewhere := declared(said):
        for project in outputs_of(configuration)["applications"].values():
            found[project] |= elsewhere
    return dict(found)


def places(configuration: Configuration, settings: Settings) -> dict[str, list[str | None]]:
    """Each place that docstrings speak of: the projects, buckets or secrets that it is here."""
    buckets, packed = outputs_of(configuration)["buckets"], policies_of(configuration)
    exports = [
        one.values["name"]
        for one in configuration.of("google_storage_bucket")
        if one.name == "exports"
    ]
    second = [one for one in exports if one.endswith("-second")]
    secrets = [one.values["secret_id"] for one in configuration.of("google_secret_manager_secret")]
    accounts = [one for one in secrets if one.startswith("rollback-probe-")]
    return {
        **{
            f"in applications {which}": [one.project for one in packed if is_asked(one)]
            for which, is_asked in APPLICATIONS.items()
        },
        "in the audit bucket": [settings.audit_bucket],
        "in the export buckets": [one for one in exports if one not in second],
        "in the identity project": [settings.identity_project or settings.project],
        "in the second buckets": second,
        "in the quarantine bucket": [buckets.get("quarantine")],
        "in the sources bucket": [buckets["sources"]],
        "in the values bucket": [settings.values_bucket],
        "in the status bucket": [settings.status_bucket],
        "the secrets of the test accounts among them": accounts,
        "the secrets that channels name": [one for one in secrets if one not in accounts],
    }


def outputs_of(configuration: Configuration) -> dict[str, Any]:
    """What the module says, of itself or in an example."""
    said: dict[str, Any] = configuration.outputs.get("rollback", configuration.outputs)
    return said


def policies_of(configuration: Configuration) -> list[Policy]:
    """Those that the functions read."""
    return [
        loads(one["content"], one["filename"])
        for one in configuration.named("archive_file.source").values["source"]
        if re.fullmatch(r"policies/[^/]*\.yaml", one["filename"])
    ]


EVERYBODY = declared(inspect.getdoc(main) or "")
"""What each entry point needs, as the module's docstring says."""
