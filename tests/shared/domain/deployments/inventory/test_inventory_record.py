import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shared.core.codec import encode as fields_of
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, placements
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    Generation,
    RevisionState,
    SecretUse,
    SecretVersion,
    SourceObject,
    WholeInventory,
    build_configuration,
)
from shared.domain.deployments.inventory.inventory_record import (
    InventoryRecord,
    decode,
    encode,
    fill_unknown_parts,
    outdated_secrets,
    pack_inventory,
    unknown_parts,
    unpack_inventory,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from tests.support.fakes.firestore.values import DOCUMENT_LIMIT_BYTES
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def function(number: int) -> FunctionState:
    name = f"doSomethingOfUse{number}"
    service = f"projects/shop-production/locations/europe-west1/services/{name.lower()}"
    secrets = iter([SecretUse(f"KEY_{n}", f"PAYMENT_KEY_{n}", f"{number % 50}") for n in range(5)])
    variables = {f"VARIABLE_{n}": f"{number} {n}" for n in range(15)}
    configuration = build_configuration(variables, secrets, account="runtime@shop.iam.gserviceaccount.com")
    image = f"europe-west1-docker.pkg.dev/shop/gcf-artifacts/{name}@sha256:{digest(name)}"
    revision = f"{name.lower()}-{number:05d}-abc"
    values = SourceObject("shop-rollback-values", f"shop/{name}/{digest(image)}.json", number**5)
    return FunctionState(
        name,
        Generation.SECOND,
        "nodejs20",
        name,
        SourceObject("gcf-v2-sources-123456789-europe-west1", f"{name}/function-source.zip", number**5),
        replace(configuration, values=values),
        service,
        (TrafficTarget(LATEST_REVISION, 100),),
        {revision: RevisionState(START + timedelta(seconds=number), image, configuration)},
        revision,
        definition(name, number),
        ("GOOGLE_NODE_RUN_SCRIPTS",),
        digest(revision),
        SourceObject("shop-rollback-sources", f"shop/{name}/{digest(name)}.zip", number**5),
    )


def definition(name: str, number: int) -> dict[str, Any]:
    """As a function of Firebase has it, a trigger with it."""
    uses = [
        {"key": f"KEY_{n}", "projectId": "shop", "secret": f"PAYMENT_KEY_{n}", "version": "1"}
        for n in range(5)
    ]
    return {
        "name": f"projects/shop-production/locations/europe-west1/functions/{name}",
        "buildConfig": {"runtime": "nodejs20", "entryPoint": name},
        "serviceConfig": {
            "timeoutSeconds": 60,
            "availableMemory": "512Mi",
            "availableCpu": "1",
            "maxInstanceRequestConcurrency": 80,
            "serviceAccountEmail": "runtime@shop.iam.gserviceaccount.com",
            "secretEnvironmentVariables": uses,
        },
        "eventTrigger": {
            "triggerRegion": "europe-west1",
            "eventType": "google.cloud.firestore.document.v1.written",
            "eventFilters": [{"attribute": "document", "value": f"things{number}/{{id}}"}],
            "retryPolicy": "RETRY_POLICY_RETRY",
        },
        "labels": {"deployment-tool": "cli-firebase", "firebase-functions-hash": digest(name)},
    }


LARGE = WholeInventory(functions={one.name: one for one in map(function, range(1000))})


def test_a_thousand_functions_fit_into_a_document() -> None:
    """The stock, the record and the deployment itself, everything changed, each below 1 MiB."""
    assert LARGE.functions is not None
    changes = tuple(
        Difference(
            InventoryPart.FUNCTIONS, name, ChangeKind.CHANGED, ("configuration", "revisions", "source")
        )
        for name in LARGE.functions
    )
    deployment = Deployment(
        "v1",
        "shop",
        START,
        DeploymentStatus.LIVE,
        placements(LARGE.functions),
        changes=changes,
        untested=tuple(LARGE.functions),
    )
    stock = InventoryRecord("shop", START, START, LARGE, wrote=dict.fromkeys(LARGE.functions, "INC-r2"))

    for fields in (encode(stock), fields_of(deployment), {"live": pack_inventory(LARGE)}):
        assert len(msgspec.msgpack.encode(fields)) < DOCUMENT_LIMIT_BYTES


def test_a_stock_is_kept_and_read_again() -> None:
    """It is what it was; values are in it as names and hashes alone."""
    stock = InventoryRecord("shop", START, START, LARGE, (InventoryPart.SITES,), "v2", {"a": "r"})

    assert decode(encode(stock)) == stock
    assert unpack_inventory(pack_inventory(LARGE)) == LARGE
    assert encode(stock)["id"] == "shop"


DAY = timedelta(days=1)
AGE = BOOKSHOP.deployments.secrets_renewed_within


@pytest.mark.parametrize(
    ("secrets", "old"),
    [
        ({"PAY/1": SecretVersion("ENABLED", START - AGE)}, ()),
        ({"PAY/1": SecretVersion("ENABLED", START - AGE - DAY)}, ("PAY",)),
        ({"PAY/1": SecretVersion("ENABLED", START - AGE - DAY),
          "PAY/2": SecretVersion("ENABLED", START - DAY)}, ()),
        ({"PAY/1": SecretVersion("ENABLED", START - AGE - DAY),
          "PAY/2": SecretVersion("DISABLED", START - DAY)}, ("PAY",)),
        ({"OTHER/1": SecretVersion("ENABLED", START - AGE - DAY)}, ()),  # nobody uses it
        (None, ()),
    ],
)  # fmt: skip
def test_secrets_that_nobody_renews(secrets: dict[str, SecretVersion] | None, old: tuple[str, ...]) -> None:
    """A secret in use is old when its newest enabled version is; what is unknown is not."""
    configuration = build_configuration({}, iter([SecretUse("KEY", "PAY", "latest")]))
    one = FunctionState("pay", Generation.SECOND, configuration=configuration)
    live = WholeInventory(functions={"pay": one}, secrets=secrets)

    assert outdated_secrets(live, BOOKSHOP, START) == old


@pytest.mark.parametrize("before", [None, {"PAY/1": SecretVersion("ENABLED", START)}])
def test_a_part_without_an_answer_is_as_it_was(before: dict[str, SecretVersion] | None) -> None:
    """Or unknown, as long as it never gave any."""
    live = WholeInventory(functions={}, secrets=None)

    assert InventoryPart.SECRETS in unknown_parts(live)
    assert fill_unknown_parts(live, WholeInventory(secrets=before)).secrets == before
    assert fill_unknown_parts(live, LARGE).functions == {}
