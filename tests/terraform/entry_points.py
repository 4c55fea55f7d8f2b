"""The entry points: their topics, settings and permissions, beside what is provisioned for them."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from local.installation.provisioning import derived_topics
from shared.adapters.gcp.permissions import GRANTS, ApplicationScope, GrantScope
from shared.core import topics
from shared.domain.policy.system_policy import Policy
from shared.policy_files.loader import load_policy
from shared.wiring.settings import Settings
from tests.terraform.checks import functions
from tests.terraform.conftest import TERRAFORM
from tests.terraform.evaluator.evaluator import Configuration

ROOT = TERRAFORM.parent
RECEIVES = {topic: entry_point for entry_point, several in topics.ENTRY_POINTS.items() for topic in several}
"""The entry point that each topic is pushed to."""
PROBE_SECRET = "rollback-probe-"
"""How the name of the secret of a test account begins."""


def settings_of(configuration: Configuration, entry_point: str) -> Settings:
    """What a function reads from its environment."""
    [service] = functions(configuration)[entry_point]["service_config"]
    return Settings.from_mapping({**service["environment_variables"], "K_SERVICE": entry_point})


def needed(configuration: Configuration, entry_point: str) -> dict[str, set[str]]:
    """The permissions of an entry point in the table, by project, bucket or secret."""
    settings = settings_of(configuration, entry_point)
    found: dict[str, set[str]] = defaultdict(set)
    for one in GRANTS[entry_point]:
        for name in names_of(one.scope, configuration, settings):
            found[name] |= {*one.permissions()}
    return dict(found)


def names_of(
    scope: ApplicationScope | GrantScope, configuration: Configuration, settings: Settings
) -> list[str]:
    """The projects, buckets or secrets that a scope is here."""
    if isinstance(scope, ApplicationScope):
        return [one.project for one in policies_of(configuration) if scope.is_needed(one)]
    buckets = outputs_of(configuration)["buckets"]
    exports = [one.values["name"] for one in configuration.of("google_storage_bucket", name="exports")]
    secrets = [one.values["secret_id"] for one in configuration.of("google_secret_manager_secret")]
    found: dict[GrantScope, list[str | None]] = {
        GrantScope.OPERATIONS_PROJECT: [settings.project],
        GrantScope.IDENTITY_PROJECT: [settings.identity_project or settings.project],
        GrantScope.AUDIT_BUCKET: [settings.audit_bucket],
        GrantScope.EXPORT_BUCKETS: [one for one in exports if not one.endswith("-second")],
        GrantScope.SECOND_BUCKETS: [one for one in exports if one.endswith("-second")],
        GrantScope.POLICY_BUCKET: [settings.policy_bucket],
        GrantScope.QUARANTINE_BUCKET: [buckets.get("quarantine")],
        GrantScope.SOURCES_BUCKET: [buckets["sources"]],
        GrantScope.STATUS_BUCKET: [settings.status_bucket],
        GrantScope.VALUES_BUCKET: [settings.values_bucket],
        GrantScope.CHANNEL_SECRETS: [one for one in secrets if not one.startswith(PROBE_SECRET)],
        GrantScope.PROBE_SECRETS: [one for one in secrets if one.startswith(PROBE_SECRET)],
        GrantScope.DERIVED_TOPICS: [one.project for one in policies_of(configuration) if derived_topics(one)],
    }
    return [name for name in found[scope] if name]


def outputs_of(configuration: Configuration) -> dict[str, Any]:
    """What the module says, of itself or in an example."""
    said: dict[str, Any] = configuration.outputs.get("rollback", configuration.outputs)
    return said


def policies_of(configuration: Configuration) -> list[Policy]:
    """Those that the functions read."""
    return [
        load_policy(Path(file))
        for name, file in source_files(configuration).items()
        if re.fullmatch(r"policies/[^/]*\.yaml", name)
    ]


def source_files(configuration: Configuration) -> dict[str, str]:
    """The paths of the files that the functions are made of, by their names in the archive."""
    [provisioner] = configuration.named("terraform_data.source").values["provisioner"]
    found: dict[str, str] = json.loads(provisioner["environment"]["SOURCE_FILES"])
    return found
