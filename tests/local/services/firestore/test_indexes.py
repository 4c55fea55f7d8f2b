"""Composite indexes through Google's own client."""

from collections.abc import Iterator

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.firestore_admin_v1 import FirestoreAdminClient, Index
from google.cloud.firestore_admin_v1.services.firestore_admin.transports.grpc import (
    FirestoreAdminGrpcTransport,
)

from tests.local.support.rest import running

DATABASE = "projects/shop/databases/(default)"
ORDER = Index.IndexField.Order


@pytest.fixture
def admin() -> Iterator[FirestoreAdminClient]:
    with running() as cloud, grpc.insecure_channel(cloud.addresses["firestore"]) as channel:
        yield FirestoreAdminClient(transport=FirestoreAdminGrpcTransport(channel=channel))


def by_state_and_time() -> Index:
    return Index(
        query_scope=Index.QueryScope.COLLECTION,
        fields=[
            Index.IndexField(field_path="state", order=ORDER.ASCENDING),
            Index.IndexField(field_path="at", order=ORDER.DESCENDING),
        ],
    )


def test_an_index_comes_and_goes(admin: FirestoreAdminClient) -> None:
    """It is listed with its collection group and its database, ready, ending in the name."""
    parent = f"{DATABASE}/collectionGroups/orders"

    made = admin.create_index(parent=parent, index=by_state_and_time()).result()

    assert made.state == Index.State.READY
    assert [field.field_path for field in made.fields] == ["state", "at", "__name__"]
    assert list(admin.list_indexes(parent=parent)) == [made]
    assert list(admin.list_indexes(parent=f"{DATABASE}/collectionGroups/-")) == [made]
    assert not list(admin.list_indexes(parent=f"{DATABASE}/collectionGroups/books"))
    assert admin.get_index(name=made.name) == made
    with pytest.raises(exceptions.AlreadyExists):
        admin.create_index(parent=parent, index=by_state_and_time())
    admin.delete_index(name=made.name)
    assert not list(admin.list_indexes(parent=parent))
    with pytest.raises(exceptions.NotFound):
        admin.delete_index(name=made.name)


def test_an_index_that_cannot_be(admin: FirestoreAdminClient) -> None:
    """One field needs none, and a scope must be said."""
    with pytest.raises(exceptions.InvalidArgument):
        admin.create_index(parent=f"{DATABASE}/collectionGroups/orders", index=Index())
