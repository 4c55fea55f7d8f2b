"""A service that is no function, as the embedded Cloud Run plays it: copies start there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError, PermissionDenied
from google.cloud import run_v2
from google.protobuf.field_mask_pb2 import FieldMask
from msgspec.structs import replace

from local import accounts, registry, secrets
from local.application.service import Configuration
from local.cloud import Cloud
from local.faults import Fate
from local.run.messages import service_account
from shared import stand
from shared.errors import Moved, Rejected, RollbackError
from shared.gcp import trials
from shared.gcp.channels import Clients
from shared.gcp.platform import CloudPlatform
from shared.gcp.trials import CloudTrials
from shared.policy import Deployments
from shared.stand import LABEL, Outcome, Trial, Verdict
from tests.local.rest_world import SHOP, Product, running
from tests.local.run_world import PARENT, SECOND

NAME = "rollback-starts"
POLICY = replace(SHOP, deployments=Deployments(starts=NAME))
GIVEN = Configuration(
    environment={"GREETING": "value-of-a-variable"},
    secrets={"KEY": "PAYMENT_KEY/1"},
    min_instances=3,
    max_instances=40,
    concurrency=7,
)


class Shop:
    """A shop with a stand, and one release of which everything is said."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self.cloud = cloud
        self.clients = clients
        self.application = cloud.application("bookshop")
        self.trials = CloudTrials(clients.services, clients.revisions, POLICY)
        self.platform = CloudPlatform(
            clients.functions, clients.services, clients.revisions, POLICY.project, POLICY.region
        )
        (deployed,) = self.application.deploy(["payOrder"], release="v2", configuration=GIVEN)
        self.revision = deployed.latest_created.name

    @property
    def service(self) -> run_v2.Service:
        found: run_v2.Service = self.clients.services.get_service(name=f"{PARENT}/services/{NAME}")
        return found

    def of(self, name: str) -> Any:
        """A revision by its full name, as the API shows it."""
        return run_v2.Revision.pb(self.clients.revisions.get_revision(name=name))

    def begin(self) -> Trial:
        """A copy of the release is put there."""
        now = self.cloud.clock.now()
        revision = f"{PARENT}/services/payorder/revisions/{self.revision}"
        etag = self.trials.found().etag
        trial = Trial(revision, stand.copy_name(NAME, now), etag, now)
        self.trials.begin(trial, self.trials.template(trial))
        return trial

    def outcome(self) -> Outcome:
        """What comes of a copy."""
        trial = self.begin()
        self.cloud.clock.advance(30 * SECOND)
        outcome = self.trials.outcome(trial.name)
        assert outcome is not None
        return outcome


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running(shop=POLICY) as cloud:
        clients = Clients(cloud.addresses, deployed=False)
        yield Shop(cloud, clients)
        clients.close()


def test_a_copy_is_in_everything_as_its_revision_but_in_name_and_instances(shop: Shop) -> None:
    """Values, secrets and account among it; no label of Functions', none kept warm, one at most."""
    trial = shop.begin()

    copy, original = (
        shop.of(f"{PARENT}/services/{NAME}/revisions/{trial.name}"),
        shop.of(trial.revision),
    )
    for field in ("containers", "service_account", "timeout", "max_instance_request_concurrency"):
        assert getattr(copy, field) == getattr(original, field), field
    assert dict(copy.labels) == {LABEL: shop.revision}
    assert (copy.scaling.min_instance_count, copy.scaling.max_instance_count) == (0, 1)
    assert "value-of-a-variable" in str(copy)
    template = run_v2.RevisionTemplate.pb(shop.service.template)
    assert not template.health_check_disabled
    assert template.revision == trial.name


def test_the_stand_is_no_function(shop: Shop) -> None:
    """It has none, is in no inventory, has no trigger and no invoker, and is not public."""
    before = (shop.platform.inventory(), shop.platform.functions())
    shop.begin()

    assert (shop.platform.inventory(), shop.platform.functions()) == before
    assert shop.platform.invokers(f"{PARENT}/services/{NAME}") == ()
    assert shop.service.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    assert not shop.application.claims(shop.service.uri.removeprefix("https://"))


def lose_image(shop: Shop) -> None:
    images = Product(shop.cloud, registry.HOST)
    where = f"/v1/{PARENT}/repositories/{registry.REPOSITORY}"
    image = shop.of(f"{PARENT}/services/payorder/revisions/{shop.revision}").containers[0].image
    package, _, version = image.rpartition("/")[2].partition("@")
    images.done("DELETE", f"{where}/packages/{package}/versions/{quote(version, safe='')}")


def destroy_secret(shop: Shop) -> None:
    path = "/v1/projects/shop/secrets/PAYMENT_KEY/versions/1:destroy"
    Product(shop.cloud, secrets.HOST).done("POST", path, {})


def disable_account(shop: Shop) -> None:
    email = service_account(shop.application)
    path = f"/v1/projects/shop/serviceAccounts/{email}:disable"
    Product(shop.cloud, accounts.HOST).done("POST", path, {})


def break_container(shop: Shop) -> None:
    shop.application.degrade("payOrder", shop.revision, starts=False)


@pytest.mark.parametrize(
    ("happen", "words"),
    [
        (lose_image, "not found"),
        (destroy_secret, "Secret PAYMENT_KEY/1 is not enabled."),
        (disable_account, "is disabled"),
        (break_container, "The container failed to start."),
    ],
)
def test_what_a_revision_lacks_keeps_its_copy_from_starting(
    shop: Shop, happen: Callable[[Shop], None], words: str
) -> None:
    """Whatever the revision itself is called: the operation ends so, and the condition Ready."""
    assert shop.outcome().verdict is Verdict.STARTED
    ready = {one.name: one.ready for one in shop.platform.inventory()["payOrder"].revisions}
    happen(shop)

    outcome = shop.outcome()

    assert outcome.verdict is Verdict.FAILED
    assert words in outcome.words
    failed = shop.service
    assert failed.latest_created_revision != failed.latest_ready_revision
    assert failed.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
    if happen is lose_image:
        assert ready[shop.revision]


def test_words_without_the_values_of_variables(shop: Shop) -> None:
    """What a container says when it ends may quote what it was given."""
    said = "exit(1): GREETING=value-of-a-variable RELEASE=v2"
    shop.cloud.rollouts.failure = lambda name: said if name == NAME else ""

    outcome = shop.outcome()

    assert outcome.verdict is Verdict.FAILED
    assert outcome.words == "exit(1): GREETING=[removed] RELEASE=[removed]"


@pytest.mark.parametrize(
    ("value", "said", "told"),
    [
        ("123", 'PIN=123 and "123" after 123 ms', 'PIN=[removed] and "[removed]" after 123 ms'),
        ("123", "PIN=1234", "PIN=1234"),
        ("first-line\nother-line", "first-line\\nother-line", "[removed]\\n[removed]"),
        ("key-a", "key-a, key-a-and-more", "[removed], [removed]"),
        ('{"user":"shop-user"}', '{\\"user\\":\\"shop-user\\"}', '{\\"user\\":\\"[removed]\\"}'),
    ],
)
def test_words_without_values_that_are_short_or_quoted(
    shop: Shop, value: str, said: str, told: str
) -> None:
    """A value of few characters is one behind its name, or a quote; lines of a key stand alone."""
    given = {"PIN": value, "OTHER": f"{value}-and-more"}
    configuration = replace(GIVEN, environment=given)
    (deployed,) = shop.application.deploy(["payOrder"], release="v3", configuration=configuration)
    shop.revision = deployed.latest_created.name
    shop.cloud.rollouts.failure = lambda name: said if name == NAME else ""

    assert shop.outcome().words == told


def test_a_fault_of_the_platform(shop: Shop) -> None:
    """The operation of a copy is delayed or fails as that of any service."""
    slow = Fate(delay=timedelta(minutes=3))
    shop.cloud.faults.consult(lambda thing: slow if NAME in thing else None)
    trial = shop.begin()
    shop.cloud.clock.advance(60 * SECOND)

    assert shop.trials.outcome(trial.name) is None
    shop.cloud.clock.advance(180 * SECOND)
    assert shop.trials.outcome(trial.name) == Outcome(Verdict.STARTED)


@pytest.mark.parametrize(
    ("status", "error"), [(PermissionDenied, Rejected), (FailedPrecondition, Moved)]
)
def test_a_refusal_without_the_values_of_variables(
    shop: Shop, status: type[GoogleAPICallError], error: type[RollbackError]
) -> None:
    """What Google says of a template that it does not take may quote it."""

    class Refusing:
        def update_service(self, request: object, **_given: object) -> None:
            raise status(str(request))

    trials = CloudTrials(Refusing(), shop.clients.revisions, POLICY)
    revision = f"{PARENT}/services/payorder/revisions/{shop.revision}"
    trial = Trial(revision, f"{NAME}-t1", "1", shop.cloud.clock.now())

    with pytest.raises(error) as caught:
        trials.begin(trial, trials.template(trial))

    assert "value-of-a-variable" not in str(caught.value)
    assert "GREETING" in str(caught.value)
    assert caught.value.__cause__ is None


def shown(shop: Shop, revision: run_v2.Revision) -> CloudTrials:
    """Trials over Google's client, which shows that revision whatever is asked."""

    class Showing:
        def get_revision(self, **_given: object) -> run_v2.Revision:
            return revision

    return CloudTrials(shop.clients.services, Showing(), POLICY)


FULL = run_v2.Revision(
    containers=[
        run_v2.Container(
            name="app",
            image="i@sha256:1",
            depends_on=["proxy"],
            startup_probe=run_v2.Probe(period_seconds=3),
            volume_mounts=[run_v2.VolumeMount(name="key", mount_path="/key")],
            resources=run_v2.ResourceRequirements(limits={"cpu": "2", "nvidia.com/gpu": "1"}),
            build_info=run_v2.BuildInfo(function_target="f"),
        ),
        run_v2.Container(name="proxy", image="p@sha256:2", args=["--port=1"]),
    ],
    volumes=[run_v2.Volume(name="key", secret=run_v2.SecretVolumeSource(secret="KEY"))],
    vpc_access=run_v2.VpcAccess(connector="c"),
    encryption_key="k",
    node_selector=run_v2.NodeSelector(accelerator="nvidia-l4"),
    scaling=run_v2.RevisionScaling(min_instance_count=2, max_instance_count=9),
    labels={"goog-managed-by": "cloudfunctions"},
)


def test_what_a_revision_has_beside_its_code_is_in_its_copy(shop: Shop) -> None:
    """Sidecars in their order, probes, GPUs, volumes, network and key; not what Google puts out."""
    trial = Trial("s/revisions/f-00001", f"{NAME}-t1", "1", shop.cloud.clock.now())

    made = run_v2.RevisionTemplate.deserialize(shown(shop, FULL).template(trial).content)

    wanted = run_v2.Revision(FULL)
    del wanted.containers[0].build_info
    assert list(made.containers) == list(wanted.containers)
    for field in ("volumes", "vpc_access", "encryption_key", "node_selector"):
        assert getattr(made, field) == getattr(FULL, field), field
    assert dict(made.labels) == {LABEL: "f-00001"}
    assert (made.scaling.min_instance_count, made.scaling.max_instance_count) == (0, 1)


def test_each_field_that_a_template_shares_with_a_revision_is_copied() -> None:
    """A newer client that knows more of them fails here."""
    revision, template = (
        {field.name for field in kind.pb().DESCRIPTOR.fields}
        for kind in (run_v2.Revision, run_v2.RevisionTemplate)
    )

    assert {*trials._COPIED} == (revision & template) - {"labels", "annotations", "scaling"}


def ready(**said: Any) -> run_v2.Condition:
    return run_v2.Condition(type_="Ready", message="words", **said)


_State = run_v2.Condition.State
_Common = run_v2.Condition.CommonReason
_Of = run_v2.Condition.RevisionReason


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (ready(state=_State.CONDITION_SUCCEEDED), Verdict.STARTED),
        (ready(state=_State.CONDITION_FAILED), Verdict.FAILED),
        (
            ready(state=_State.CONDITION_FAILED, reason=_Common.CONTAINER_MISSING),
            Verdict.FAILED,
        ),
        (ready(state=_State.CONDITION_FAILED, reason=_Common.INTERNAL), Verdict.UNKNOWN),
        (ready(state=_State.CONDITION_FAILED, reason=_Common.IMMEDIATE_RETRY), Verdict.UNKNOWN),
        (ready(state=_State.CONDITION_FAILED, reason=_Common.POSTPONED_RETRY), Verdict.UNKNOWN),
        (
            ready(state=_State.CONDITION_FAILED, revision_reason=_Of.ACTIVE_REVISION_LIMIT_REACHED),
            Verdict.UNKNOWN,
        ),
        (
            ready(state=_State.CONDITION_SUCCEEDED, revision_reason=_Of.HEALTH_CHECK_SKIPPED),
            Verdict.UNKNOWN,
        ),
        (ready(state=_State.CONDITION_RECONCILING), None),
        (ready(state=_State.CONDITION_PENDING), None),
        (run_v2.Condition(type_="Active", state=_State.CONDITION_FAILED), None),
    ],
)
def test_what_the_condition_ready_says(
    shop: Shop, condition: run_v2.Condition, verdict: Verdict | None
) -> None:
    """Only what Google has seen come up, or not, says anything of the revision."""
    outcome = shown(shop, run_v2.Revision(conditions=[condition])).outcome("c")

    assert (outcome.verdict if outcome is not None else None) == verdict


def test_traffic_that_a_person_gives_the_stand(shop: Shop) -> None:
    """A start changes the template and nothing else: it stays where they put it."""
    first = shop.begin().name
    shop.cloud.clock.advance(30 * SECOND)
    pinned = run_v2.Service(
        name=f"{PARENT}/services/{NAME}",
        traffic=[
            run_v2.TrafficTarget(
                type_=run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION,
                revision=first,
                percent=100,
            )
        ],
    )
    shop.clients.services.update_service(
        run_v2.UpdateServiceRequest(service=pinned, update_mask=FieldMask(paths=["traffic"]))
    )
    shop.cloud.clock.advance(30 * SECOND)

    shop.begin()

    assert [one.revision for one in shop.service.traffic] == [first]
    assert shop.trials.found().newest != first


def test_the_stand_outlives_the_cloud(tmp_path: Path) -> None:
    """What stands there is kept like every service."""
    with running(tmp_path, POLICY) as cloud:
        clients = Clients(cloud.addresses, deployed=False)
        trial = Shop(cloud, clients).begin()
        clients.close()
    with running(tmp_path, POLICY) as cloud:
        assert cloud.application("bookshop").service(NAME).latest_created.name == trial.name
