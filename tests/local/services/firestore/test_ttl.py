"""Documents that expire: policies as Firestore Admin sets them, and what is left afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument
from google.cloud import firestore
from google.cloud.firestore_admin_v1 import Field, FirestoreAdminClient
from google.cloud.firestore_admin_v1.services.firestore_admin.transports.grpc import (
    FirestoreAdminGrpcTransport,
)

from local.cloud import Cloud
from tests.local.support.run import ORIGIN, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

DATABASE = "projects/shop/databases/(default)"
SESSIONS = f"{DATABASE}/collectionGroups/sessions"
EXPIRY = f"{SESSIONS}/fields/expires_at"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class World:
    """A cloud whose time is moved by hand, and Google's two Firestore clients on it."""

    def __init__(self, cloud: Cloud, admin: FirestoreAdminClient, store: firestore.Client) -> None:
        self.cloud = cloud
        self.admin = admin
        self.store = store

    def pass_time(self, by: timedelta) -> None:
        self.cloud.clock.advance(by)
        self.cloud.settle()

    def set_policy(self, name: str, config: Field.TtlConfig | None) -> Any:
        field = Field(name=name, ttl_config=config)
        request = {"field": field, "update_mask": {"paths": ["ttl_config"]}}
        return self.admin.update_field(request=request).result(timeout=60)

    def expire_sessions(self) -> Any:
        """Let sessions expire by the time that they hold; their field as it is then."""
        return self.set_policy(EXPIRY, Field.TtlConfig())

    def put_session(self, name: str, ends_in: timedelta = HOUR) -> firestore.DocumentReference:
        document = self.store.document(f"sessions/{name}")
        document.set({"expires_at": ORIGIN + ends_in})
        return document

    def left(self, group: str = "sessions") -> set[str]:
        return {document.id for document in self.store.collection_group(group).stream()}


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, data: Path | None = None) -> Iterator[World]:
    with embedded_cloud(policy(), at=ORIGIN, data=data, point_in_time_recovery=True) as cloud:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", cloud.addresses["firestore"])
        store = firestore.Client(project="shop")
        with grpc.insecure_channel(cloud.addresses["firestore"]) as channel:
            transport = FirestoreAdminGrpcTransport(channel=channel)
            yield World(cloud, FirestoreAdminClient(transport=transport), store)
        store.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running(monkeypatch) as world:
        yield world


def test_what_has_ended_goes_from_the_responders_database(world: World) -> None:
    """The cloud is installed with the policies that Terraform sets, in that database alone."""
    ours = firestore.Client(project="shop", database="rollback")
    for store in (ours, world.store):
        store.document("rollbacks/ended/steps/first").set({"expires_at": ORIGIN + HOUR})

    world.pass_time(DAY)

    left = [store.document("rollbacks/ended/steps/first").get().exists for store in (ours, world.store)]
    assert left == [False, True]
    ours.close()


def test_documents_go_within_a_day_of_their_expiry(world: World) -> None:
    """None goes before its time, each is gone a day after it, at any depth and nowhere else."""
    world.expire_sessions()
    for path in ("sessions/soon", "users/ada/sessions/soon-too"):
        world.store.document(path).set({"expires_at": ORIGIN + HOUR})
    world.put_session("late", 7 * DAY)
    world.store.document("sessions/never").set({"name": "no time at all"})
    world.store.document("sessions/text").set({"expires_at": "2020-01-01"})
    world.store.document("users/eve").set({"expires_at": ORIGIN - DAY})

    world.pass_time(HOUR - timedelta(microseconds=1))
    assert world.left() == {"soon", "soon-too", "late", "never", "text"}
    world.pass_time(DAY)
    assert world.left() == {"late", "never", "text"}
    world.pass_time(7 * DAY)
    assert world.left() == {"never", "text"}
    assert world.left("users") == {"eve"}


def test_what_has_expired_already_goes_too(world: World) -> None:
    """A policy holds for the documents that were there before it."""
    world.put_session("old", -DAY)
    world.pass_time(DAY)
    assert world.left() == {"old"}

    world.expire_sessions()
    world.pass_time(DAY)
    assert not world.left()


def test_expired_document_can_be_read_as_it_was(world: World) -> None:
    """Expiry is a deletion like any other: point-in-time recovery looks behind it."""
    world.expire_sessions()
    document = world.store.document("sessions/a")
    written = document.set({"expires_at": ORIGIN + HOUR}).update_time
    world.pass_time(DAY)

    assert not document.get().exists
    minute = written.replace(second=0, microsecond=0) + timedelta(minutes=1)
    assert document.get(read_time=minute).exists


def test_prolonged_document_stays(world: World) -> None:
    """What counts is the time that stands there when it is looked at."""
    world.expire_sessions()
    document = world.put_session("a")
    document.update({"expires_at": ORIGIN + 3 * DAY})
    world.pass_time(2 * DAY)

    assert world.left() == {"a"}


def test_policy_is_told_listed_and_taken_away(world: World) -> None:
    """Firestore Admin shows the policy while it stands, and nothing expires without it."""
    changed = world.expire_sessions()
    assert changed.ttl_config.state == Field.TtlConfig.State.ACTIVE
    assert world.admin.get_field(name=EXPIRY).ttl_config.state == Field.TtlConfig.State.ACTIVE
    request = {"parent": f"{DATABASE}/collectionGroups/-", "filter": "ttlConfig:*"}
    assert [field.name for field in world.admin.list_fields(request=request)] == [EXPIRY]

    world.put_session("a")
    world.set_policy(EXPIRY, None)
    world.pass_time(DAY)

    assert world.left() == {"a"}
    assert "ttl_config" not in world.admin.get_field(name=EXPIRY)
    assert not list(world.admin.list_fields(request=request))


def test_second_field_of_a_group_is_refused(world: World) -> None:
    """A collection group expires by one field."""
    world.expire_sessions()
    with pytest.raises(FailedPrecondition, match="expires_at"):
        world.set_policy(f"{SESSIONS}/fields/deleted_at", Field.TtlConfig())
    with pytest.raises(InvalidArgument):
        world.set_policy(f"{SESSIONS}/expires_at", Field.TtlConfig())


def test_documents_go_some_time_after_what_stands_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy may say how long after, tells it again, and still knows it in the next life."""
    config = Field.TtlConfig(expiration_offset=DAY)
    with running(monkeypatch, tmp_path) as world:
        assert world.set_policy(EXPIRY, config).ttl_config.expiration_offset == DAY
        world.put_session("a")
        world.pass_time(DAY)
        assert world.left() == {"a"}
    with running(monkeypatch, tmp_path) as world:
        assert world.admin.get_field(name=EXPIRY).ttl_config.expiration_offset == DAY
        world.pass_time(HOUR)
        assert not world.left()


def test_policy_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to expire expires in the next life."""
    with running(monkeypatch, tmp_path) as world:
        world.expire_sessions()
        world.put_session("a")
    with running(monkeypatch, tmp_path) as world:
        assert world.left() == {"a"}
        world.pass_time(DAY)
        assert not world.left()


def test_document_that_a_transaction_holds_goes_with_a_later_sweep(world: World) -> None:
    """A sweep waits for nobody, and forgets nothing."""
    world.expire_sessions()
    document = world.put_session("a")
    world.pass_time(HOUR - SECOND)
    transaction = world.store.transaction()
    transaction._begin()
    assert document.get(transaction=transaction).exists
    world.pass_time(SECOND)
    assert document.get().exists

    transaction._rollback()
    world.pass_time(HOUR)
    assert not document.get().exists
