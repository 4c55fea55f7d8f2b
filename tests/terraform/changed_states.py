"""What an apply leaves as it is: plans over a state that somebody has changed."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.cloud import Cloud
from tests.terraform.planning import Plan, plan

LEFT_ALONE: dict[str, dict[str, Any]] = {
    'google_service_account.responders["on_work"]': {"disabled": True},
    'google_pubsub_subscription.push["rollback-work"]': {"topic": "_deleted-topic_"},
    "google_storage_bucket_object.policies": {"detect_md5hash": "of another object"},
    "google_storage_bucket_object.source": {
        "detect_md5hash": "of another archive",
        "source": "elsewhere.zip",
    },
}
"""What a person or another machine has changed, and no apply undoes."""
MODULE = "module.rollback."


def build_changed_state(planned: Plan) -> str:
    """Return a state of the minimal example in which only those resources are, each changed."""
    values = {one.address: one.values for one in planned.resources()}
    left_alone = {
        address: {**values[f"{MODULE}{address}"], **changes} for address, changes in LEFT_ALONE.items()
    }
    return _state(planned, left_alone, module=MODULE)


def _state(planned: Plan, attributes: Mapping[str, Mapping[str, Any]], module: str = "") -> str:
    """A state of resources with these attributes, by address."""
    changes = json.loads(planned.shown)["resource_changes"]
    providers = {one["type"]: one["provider_name"] for one in changes}  # Terraform's or OpenTofu's
    google = providers["google_cloudfunctions2_function"]
    resources = []
    for address, given in attributes.items():
        kind, _, rest = address.partition(".")
        name, _, key = rest.partition("[")
        instance: dict[str, Any] = {"schema_version": 0, "attributes": {"id": address, **given}}
        if key:
            instance["index_key"] = key.strip('"]')
        resources.append(
            {
                **({"module": module.strip(".")} if module else {}),
                "mode": "managed",
                "type": kind,
                "name": name,
                "provider": f'provider["{google}"]',
                "instances": [instance],
            }
        )
    return json.dumps({"version": 4, "serial": 1, "lineage": "tests", "outputs": {}, "resources": resources})


def undone(planned: Plan) -> Iterator[str]:
    """What a plan over that state would undo."""
    for one in json.loads(planned.shown)["resource_changes"]:
        address = one["address"].removeprefix(MODULE)
        change = one["change"]
        if address in LEFT_ALONE:
            if "delete" in change["actions"] or change["before"] is None:
                yield f"an apply makes {address} anew"
            for argument, value in LEFT_ALONE[address].items():
                if change["after"].get(argument) != value:
                    yield f"an apply undoes {argument} of {address}"


APPLICATION = {
    "process_cv": """
  name     = "process-cv"
  location = "us-central1"
  build_config {
    runtime     = "python311"
    entry_point = "processCV"
    source {
      storage_source {
        bucket = "sources"
        object = "source.zip"
      }
    }
  }
  service_config {
    all_traffic_on_latest_revision = true
  }
""",
    "site": """
  name                = "site"
  location            = "us-central1"
  template {
    containers {
      image = "us-docker.pkg.dev/cvplus/site/site:latest"
    }
  }
  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }
""",
}
"""What an application's own Terraform says of the resources that docs/operate.md shows."""
ROLLED_BACK: dict[str, tuple[str, dict[str, Any]]] = {
    "google_cloudfunctions2_function.process_cv": (
        "service_config",
        {"all_traffic_on_latest_revision": False},
    ),
    "google_cloud_run_v2_service.site": (
        "traffic",
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "site-00041"},
    ),
}
"""What a rollback has changed of them: a block, and what stands in it."""


def traffic_faults(terraform: str, cloud: Cloud, folder: Path, documented: str) -> Iterator[str]:
    """Yield what does not hold of the `lifecycle` blocks that docs/operate.md shows."""
    [shown] = re.findall(r"```hcl\n(resource .*? ignore_changes = .*?)```", documented, re.S)
    written = 'provider "google" { project = "cvplus" }\n' + re.sub(
        r'("google_\w+" "(\w+)" \{)\n  # …\n', lambda found: found[1] + APPLICATION[found[2]], shown
    )
    root, state = folder / "application", folder / "rolled-back.tfstate"
    root.mkdir(exist_ok=True)
    (root / "main.tf").write_text(written)
    made, values = plan(terraform, root, cloud, folder), {}
    for one in made.resources():
        block, changed = ROLLED_BACK[one.address]
        values[one.address] = {**one.values, block: [{**one.values[block][0], **changed}]}
    state.write_text(_state(made, values))
    for text, is_ignored in ((written, True), (re.sub("  lifecycle .*", "", written), False)):
        (root / "main.tf").write_text(text)
        over = plan(terraform, root, cloud, folder, f"-state={state}", "-refresh=false")
        for resource in json.loads(over.shown)["resource_changes"]:
            block, changed = ROLLED_BACK[resource["address"]]
            is_left = changed.items() <= resource["change"]["after"][block][0].items()
            if is_left != is_ignored:
                yield f"with{'' if is_ignored else 'out'} ignore_changes: traffic of {resource['address']}"
