"""What Firebase's CLI asks of Artifact Registry to have images deleted after a time.

Recorded: a GET of the repository, then a PATCH (firebase/firebase-tools
src/functions/artifacts.ts).
"""

import shlex
from typing import Any

from local.services.artifact_registry.repositories import REPOSITORY
from tests.local.support.rest import Product

FIREBASE_POLICY = "firebase-functions-cleanup"
MASK = "updateMask=name,cleanupPolicies,cleanupPolicyDryRun,labels"


def repository_path(project: str, region: str) -> str:
    return f"/v1/projects/{project}/locations/{region}/repositories/{REPOSITORY}"


def set_retention(product: Product, path: str, seconds: int, **condition: Any) -> dict[str, Any]:
    """The repository once its images are deleted after so long: 86400 after `deploy --force`."""
    found = product.get(path)
    ours = {
        "id": FIREBASE_POLICY,
        "condition": {"tagState": "ANY", "olderThan": f"{seconds}s", **condition},
        "action": "DELETE",
    }
    body = {
        "name": found["name"],
        "cleanupPolicies": {**found.get("cleanupPolicies", {}), FIREBASE_POLICY: ours},
        "cleanupPolicyDryRun": False,
        "labels": found["labels"],
    }
    changed: dict[str, Any] = product.done("PATCH", f"{path}?{MASK}", body)
    assert changed["cleanupPolicies"][FIREBASE_POLICY] == ours
    assert product.get(path) == changed
    return changed


def run_firebase(product: Product, command: str) -> None:
    """`firebase functions:artifacts:setpolicy` with the options that doctor prints."""
    words = shlex.split(command)
    assert words[:2] == ["firebase", "functions:artifacts:setpolicy"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    path = repository_path(options["--project"], options["--location"])
    set_retention(product, path, int(options["--days"]) * 86400)
