"""The estates that the contracts hold for, each with somebody who changes what is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from google.cloud.firestore_admin_v1 import Field
from google.cloud.firestore_admin_v1 import Index as IndexMessage
from google.cloud.firestore_v1.field_path import FieldPath
from msgspec.structs import replace

from local.application import names
from local.application.application import INITIAL_AGE
from local.application.parts import FIRST_RELEASE
from local.cloud import Cloud
from local.services import eventarc
from local.services.artifact_registry import repositories
from local.services.firebase import hosting, identity, remote_config, rules
from local.services.iam import project_policies, service_accounts
from local.services.scheduler import jobs
from local.services.secret_manager import secrets
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.resources import CloudResources
from shared.core.codec import from_builtins
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.images import Cleanup, StoredImage
from shared.domain.deployments.inventory.inventory_parts import (
    AccountState,
    HostingSite,
    Index,
    IndexField,
    RulesFile,
    RulesRelease,
    SchedulerJob,
    SecretVersion,
)
from shared.domain.policy.resources import Resources
from shared.ports.resources import ProtectedResources
from tests.contracts.support.shop import PROJECT, REGION, embedded_shop
from tests.local.support.rest import Product
from tests.support.fakes.resources import EMPTY_TEMPLATE, FakeEstate
from tests.support.fakes.runtime.clock import FakeClock

PARENT = f"projects/{PROJECT}/locations"
SITE, SECRET, JOB, RELEASE = "shop", "PAYMENT_KEY", "nightly", "cloud.firestore"
ACCOUNT = "run@shop.iam.gserviceaccount.com"
INDEX = Index(
    "orders", "carts", "COLLECTION", (IndexField("items", "CONTAINS"), IndexField("at", "DESCENDING"))
)
REPOSITORY = f"{REGION}-docker.pkg.dev/{PROJECT}/{repositories.REPOSITORY}"
IMAGE = names.image(PROJECT, REGION, "placeOrder", FIRST_RELEASE)
TEMPLATE = '{"parameters":{"colour":{"defaultValue":{"value":"%s"}}}}'
NAME = IndexField("__name__", "DESCENDING")
"""What the service puts behind the fields of every index."""


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakeEstate()
        self._made = 1
        self.estate: ProtectedResources = self._fake
        now = self._clock.now()
        self._fake.sites[SITE] = HostingSite("v1", now)
        self._fake.statuses = {(SITE, "v1"): "FINALIZED"}
        self._fake.published = EMPTY_TEMPLATE
        self._fake.land_template('{"parameters":{}}')
        self._fake.rulesets = {"r1": (RulesFile("rules", "closed"),)}
        self._fake.released = {RELEASE: RulesRelease("r1", now)}
        self._fake.configured = {"mfa.state": "DISABLED"}
        self._fake.kept = {SECRET: {"1": SecretVersion("ENABLED", now)}}
        self._fake.scheduled = {
            JOB: SchedulerJob("0 3 * * * Etc/UTC", "https://shop.example/nightly", "ENABLED", "hash")
        }
        self._fake.pushed = {REPOSITORY: {IMAGE: StoredImage(IMAGE, now - INITIAL_AGE)}}
        self._fake.account_states[ACCOUNT] = AccountState.ENABLED

    def now(self) -> datetime:
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def release(self, channel: str = "live") -> str:
        """A new version is released to a channel, which is made if need be; its short name."""
        self._made += 1
        version, site = f"v{self._made}", self._fake.sites[SITE]
        self._fake.statuses[SITE, version] = "FINALIZED"
        if channel == "live":
            self.release_again(version)
        else:
            channels = {**site.channels, channel: version}
            self._fake.sites[SITE] = replace(site, channels=channels)
        return version

    def release_again(self, version: str) -> None:
        """A version that was live before is released once more."""
        site = self._fake.sites[SITE]
        self._fake.sites[SITE] = replace(site, version=version, released_at=self.now())

    def publish(self, colour: str) -> None:
        self._fake.land_template(TEMPLATE % colour)

    def expire(self, version: str) -> None:
        """A version is deleted, which is not live."""
        self._fake.statuses[SITE, version] = "DELETED"

    def delete_ruleset(self, ruleset: str) -> None:
        del self._fake.rulesets[ruleset]

    def put_rules(self) -> None:
        self._made += 1
        self._fake.rulesets[f"r{self._made}"] = (RulesFile("rules", "service x {}"),)
        self._fake.released[RELEASE] = RulesRelease(f"r{self._made}", self.now())

    def configure(self, state: str) -> None:
        """The state of multi-factor authentication."""
        self._fake.configured["mfa.state"] = state

    def create_index(self) -> None:
        """The one that is `INDEX`."""
        self._fake.declared.append(replace(INDEX, fields=(*INDEX.fields, NAME)))

    def let_expire(self, database: str, expiry: TtlField) -> None:
        """By a policy of the database's own."""
        self._fake.expiring.setdefault(database, []).append(expiry)

    def sign_up(self, *people: str) -> None:
        """They sign in from now on, by these ids."""
        self._fake.sessions_since |= dict.fromkeys(people, 0)

    def add_version(self) -> None:
        number = str(len(self._fake.kept[SECRET]) + 1)
        self._fake.kept[SECRET][number] = SecretVersion("ENABLED", self.now())

    def disable(self, version: str) -> None:
        known = self._fake.kept[SECRET][version]
        self._fake.kept[SECRET][version] = replace(known, state="DISABLED")

    def pause(self) -> None:
        self._fake.scheduled[JOB] = replace(self._fake.scheduled[JOB], state="PAUSED")

    def listen(self, trigger: EventarcTrigger, destination: dict[str, Any]) -> None:
        """One more trigger, to what is said in two ways."""
        self._fake.hearing.append(trigger)

    def silence(self, location: str) -> None:
        """It gives no answer about triggers any more."""
        self._fake.unreachable.append(location)

    def grant(self, role: str, condition: str = "") -> None:
        """One more role for `ACCOUNT`."""
        held = set(self._fake.granted.get(ACCOUNT, ()))
        held.add(f"{role} if {condition}" if condition else role)
        self._fake.granted[ACCOUNT] = tuple(sorted(held))

    def make_role(self, role: str, *permissions: str) -> str:
        """One more custom role of the project; its full name."""
        name = f"projects/{PROJECT}/roles/{role}"
        self._fake.permitted[name] = frozenset(permissions)
        return name

    def delete_role(self, role: str) -> None:
        self._fake.permitted[role] = frozenset()

    def turn_off(self) -> None:
        """`ACCOUNT`, which is there."""
        self._fake.account_states[ACCOUNT] = AccountState.DISABLED

    def delete_account(self) -> None:
        """The same."""
        del self._fake.account_states[ACCOUNT]

    def delete_image(self, image: str) -> None:
        """One of those in `REPOSITORY`."""
        del self._fake.pushed[REPOSITORY][image]

    def clean_up(self, policies: dict[str, Any], *, dry_run: bool = False) -> None:
        """The clean-up policies of `REPOSITORY`, as Artifact Registry takes them."""
        shown = {"cleanupPolicies": policies, "cleanupPolicyDryRun": dry_run}
        self._fake.cleaned[REPOSITORY] = from_builtins(shown, Cleanup)

    def decommission(self) -> None:
        """The runtime nodejs20, of both generations."""
        self._fake.supported = set()


class OverTheWire:
    """The adapters, over HTTP and gRPC to an embedded cloud."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self._cloud = cloud
        self._clients = clients
        self.estate: ProtectedResources = CloudResources(clients, PROJECT, REGION)

    def now(self) -> datetime:
        return self._cloud.clock.now()

    def advance(self, seconds: float) -> None:
        self._cloud.clock.advance(timedelta(seconds=seconds))

    def release(self, channel: str = "live") -> str:
        product, site = self._product(hosting.HOST), f"/v1beta1/sites/{SITE}"
        if channel != "live":
            product.done("POST", f"{site}/channels?channelId={channel}", {})
        version = str(product.done("POST", f"{site}/versions", {})["name"])
        product.done("PATCH", f"/v1beta1/{version}?updateMask=status", {"status": "FINALIZED"})
        product.done("POST", f"{site}/channels/{channel}/releases?versionName={version}", {})
        return version.rpartition("/")[2]

    def release_again(self, version: str) -> None:
        name = f"sites/{SITE}/versions/{version}"
        path = f"/v1beta1/sites/{SITE}/releases?versionName={name}"
        self._post(hosting.HOST, path, {})

    def publish(self, colour: str) -> None:
        body = {"parameters": {"colour": {"defaultValue": {"value": colour}}}}
        path = f"/v1/projects/{PROJECT}/remoteConfig"
        self._product(remote_config.HOST).done("PUT", path, body, {"If-Match": "*"})

    def expire(self, version: str) -> None:
        path = f"/v1beta1/sites/{SITE}/versions/{version}"
        self._product(hosting.HOST).done("DELETE", path)

    def delete_ruleset(self, ruleset: str) -> None:
        path = f"/v1/projects/{PROJECT}/rulesets/{ruleset}"
        self._product(rules.HOST).done("DELETE", path)

    def put_rules(self) -> None:
        product, project = self._product(rules.HOST), f"projects/{PROJECT}"
        source = {"files": [{"name": "rules", "content": "service x {}"}]}
        made = product.done("POST", f"/v1/{project}/rulesets", {"source": source})["name"]
        name = f"{project}/releases/{RELEASE}"
        product.done("PATCH", f"/v1/{name}", {"release": {"name": name, "rulesetName": made}})

    def configure(self, state: str) -> None:
        path = f"/admin/v2/projects/{PROJECT}/config?updateMask=mfa.state"
        self._product(identity.HOST).done("PATCH", path, {"mfa": {"state": state}})

    def create_index(self) -> None:
        field = IndexMessage.IndexField
        parent = f"projects/{PROJECT}/databases/orders/collectionGroups/carts"
        index = IndexMessage(
            query_scope=IndexMessage.QueryScope.COLLECTION,
            fields=[
                field(field_path="items", array_config=field.ArrayConfig.CONTAINS),
                field(field_path="at", order=field.Order.DESCENDING),
            ],
        )
        self._clients.firestore_admin.create_index(parent=parent, index=index)

    def let_expire(self, database: str, expiry: TtlField) -> None:
        group = f"projects/{PROJECT}/databases/{database}/collectionGroups/{expiry.group}"
        name = f"{group}/fields/{FieldPath(*expiry.field).to_api_repr()}"
        config = Field.TtlConfig(expiration_offset=expiry.after)
        field, mask = Field(name=name, ttl_config=config), {"paths": ["ttl_config"]}
        self._clients.firestore_admin.update_field({"field": field, "update_mask": mask})

    def sign_up(self, *people: str) -> None:
        for one in people:
            path = f"/v1/projects/{PROJECT}/accounts"
            self._post(identity.HOST, path, {"localId": one})

    def add_version(self) -> None:
        path = f"/v1/projects/{PROJECT}/secrets/{SECRET}:addVersion"
        self._post(secrets.HOST, path, {"payload": {"data": "aHVudGVyMg=="}})

    def disable(self, version: str) -> None:
        path = f"/v1/projects/{PROJECT}/secrets/{SECRET}/versions/{version}:disable"
        self._post(secrets.HOST, path, {})

    def pause(self) -> None:
        path = f"/v1/projects/{PROJECT}/locations/{REGION}/jobs/{JOB}:pause"
        self._post(jobs.HOST, path, {})

    def listen(self, trigger: EventarcTrigger, destination: dict[str, Any]) -> None:
        parent, _, short = trigger.name.rpartition("/")
        by = [{"attribute": name, "value": value} for name, value in trigger.filters.items()]
        body = {"eventFilters": by, "destination": destination}
        self._post(eventarc.HOST, f"/v1/{parent}?triggerId={short}", body)

    def silence(self, location: str) -> None:
        self._cloud.surroundings.eventarc.unreachable.append(location)

    def grant(self, role: str, condition: str = "") -> None:
        project = f"/v3/projects/{PROJECT}"
        asked = {"options": {"requestedPolicyVersion": 3}}
        policy = self._post(project_policies.HOST, f"{project}:getIamPolicy", asked)
        binding: dict[str, Any] = {
            "role": role,
            "members": [f"serviceAccount:{ACCOUNT}", "user:ann@example.com"],
        }
        if condition:
            binding["condition"] = {"title": "t", "expression": condition}
        change = {"policy": {**policy, "version": 3, "bindings": [*policy["bindings"], binding]}}
        self._post(project_policies.HOST, f"{project}:setIamPolicy", change)

    def make_role(self, role: str, *permissions: str) -> str:
        stated = {"roleId": role, "role": {"title": role, "includedPermissions": [*permissions]}}
        made = self._post(service_accounts.HOST, f"/v1/projects/{PROJECT}/roles", stated)
        return str(made["name"])

    def delete_role(self, role: str) -> None:
        self._product(service_accounts.HOST).done("DELETE", f"/v1/{role}")

    def turn_off(self) -> None:
        path = f"/v1/projects/{PROJECT}/serviceAccounts/{ACCOUNT}:disable"
        self._post(service_accounts.HOST, path, {})

    def delete_account(self) -> None:
        path = f"/v1/projects/{PROJECT}/serviceAccounts/{ACCOUNT}"
        self._product(service_accounts.HOST).done("DELETE", path)

    def delete_image(self, image: str) -> None:
        package, _, version = image.rpartition("/")[2].partition("@")
        path = f"/v1/projects/{PROJECT}/locations/{REGION}/repositories/{repositories.REPOSITORY}"
        product = self._product(repositories.HOST)
        product.done("DELETE", f"{path}/packages/{package}/versions/{quote(version)}")

    def clean_up(self, policies: dict[str, Any], *, dry_run: bool = False) -> None:
        path = f"/v1/projects/{PROJECT}/locations/{REGION}/repositories/{repositories.REPOSITORY}"
        body = {"cleanupPolicies": policies, "cleanupPolicyDryRun": dry_run}
        self._product(repositories.HOST).done("PATCH", path, body)

    def decommission(self) -> None:
        self._cloud.surroundings.runtimes.decommissioned.add("nodejs20")

    def _product(self, host: str) -> Product:
        return Product(self._cloud, host)

    def _post(self, host: str, path: str, body: Any) -> Any:
        return self._product(host).done("POST", path, body)


EstateWorld = InMemory | OverTheWire
"""One site, one template, one release, one secret, one job; nothing else happens to them."""


def site_of(estate: ProtectedResources) -> HostingSite:
    """The site, which is there."""
    site = estate.hosting.site(SITE)
    assert site is not None
    return site


@contextmanager
def embedded() -> Iterator[OverTheWire]:
    """A cloud of its own, with everything beside its functions, and with `ACCOUNT`."""
    resources = Resources(
        hosting_sites=(SITE,),
        remote_config=True,
        databases=("(default)",),
        identity=True,
        secrets="",
        schedules="",
    )
    with embedded_shop("placeOrder", resources=resources) as (cloud, clients):
        cloud.surroundings.accounts.provision(PROJECT, ACCOUNT)
        yield OverTheWire(cloud, clients)
