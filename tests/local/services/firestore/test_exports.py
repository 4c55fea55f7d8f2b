"""Exports of Firestore through Google's own client, into the embedded Cloud Storage."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_admin_v1 import types
from google.longrunning import operations_pb2

from local.core.journal import Journal
from tests.local.support.firestore_admin import BUCKET, DATABASE, MINUTE, NOON, World, running

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> Iterator[World]:
    with running() as world:
        world.buckets.create(BUCKET)
        for path in ("users/ada", "users/ada/cvs/1", "orders/7"):
            world.store.document(path).set({"name": path})
        world.pass_time(MINUTE)
        yield world


def export(world: World, folder: str, **more: Any) -> Any:
    request = {"name": DATABASE, "output_uri_prefix": f"gs://{BUCKET}/{folder}", **more}
    return world.admin.export_documents(request, retry=None)


def told(operation: operations_pb2.Operation) -> types.ExportDocumentsMetadata:
    metadata = types.ExportDocumentsMetadata.pb()()
    operation.metadata.Unpack(metadata)
    return types.ExportDocumentsMetadata(metadata)


def test_an_export_holds_one_moment(world: World) -> None:
    """What is written after the snapshot time is not in it, and what is deleted since is."""
    world.store.document("users/late").set({"name": "late"})
    world.store.document("orders/7").delete()
    world.pass_time(MINUTE)

    begun = export(world, "day/one", snapshot_time=NOON + MINUTE)
    ended = world.ends(begun)

    assert sorted(world.exported("day/one/")) == ["orders/7", "users/ada", "users/ada/cvs/1"]
    response = types.ExportDocumentsResponse.pb()()
    ended.response.Unpack(response)
    assert response.output_uri_prefix == f"gs://{BUCKET}/day/one"
    assert told(ended).snapshot_time == NOON + MINUTE
    assert told(ended).progress_documents.completed_work == 3
    assert told(ended).operation_state is types.OperationState.SUCCESSFUL


def test_collection_ids_choose_groups_at_any_depth(world: World) -> None:
    """Each kind has a folder of its own, and the others are left out."""
    world.ends(export(world, "some", collection_ids=["cvs", "orders"]))

    assert sorted(world.exported("some/")) == ["orders/7", "users/ada/cvs/1"]
    assert {name.split("/")[2] for name in world.files("some/all_namespaces/")} == {"kind_cvs", "kind_orders"}


def test_an_export_is_whole_when_its_operation_is(world: World) -> None:
    """The file that closes it comes last, and its absence tells what cannot be used."""
    begun = export(world, "late")
    closing = "late/late.overall_export_metadata"

    assert not world.operation(begun).done
    assert closing not in world.files()
    world.ends(begun)
    assert closing in world.files()


def test_an_export_that_fails_late_leaves_a_part_behind(world: World) -> None:
    """It was taken on, it fails when it is due, and its name is free for the next one."""
    world.fail(f"{DATABASE}/exportDocuments", "the bucket is full")
    begun = export(world, "broken")

    ended = world.ends(begun)

    assert ended.error.message == "the bucket is full"
    assert told(ended).operation_state is types.OperationState.FAILED
    assert world.exported("broken/")
    assert not [name for name in world.files("broken/") if name.endswith("_metadata")]


def test_a_name_is_taken_by_what_is_whole(world: World) -> None:
    """The service answers INVALID_ARGUMENT, and not ALREADY_EXISTS."""
    world.ends(export(world, "taken"))

    with pytest.raises(exceptions.InvalidArgument, match="Path already exists"):
        export(world, "taken")


@pytest.mark.parametrize(
    ("at", "error"),
    [
        pytest.param(NOON + timedelta(seconds=1), exceptions.InvalidArgument, id="no-minute"),
        pytest.param(NOON + HOUR, exceptions.InvalidArgument, id="future"),
        pytest.param(NOON - timedelta(days=8), exceptions.FailedPrecondition, id="gone"),
    ],
)
def test_a_moment_that_cannot_be(world: World, at: datetime, error: type[Exception]) -> None:
    """A snapshot is a whole minute that has been and can still be read."""
    with pytest.raises(error):
        export(world, "never", snapshot_time=at)
    assert not world.files()


@pytest.mark.parametrize(
    ("prefix", "error"),
    [("gs://nobodys-bucket/a", exceptions.NotFound), ("nobodys-bucket/a", exceptions.InvalidArgument)],
)
def test_a_place_that_cannot_be(world: World, prefix: str, error: type[Exception]) -> None:
    """An export goes into a bucket that is there."""
    with pytest.raises(error):
        world.admin.export_documents({"name": DATABASE, "output_uri_prefix": prefix}, retry=None)


def test_a_bucket_alone_gets_a_folder(world: World) -> None:
    """It is named by the time, and the response says it."""
    ended = world.ends(export(world, ""))

    prefix = told(ended).output_uri_prefix
    assert prefix.startswith(f"gs://{BUCKET}/2026-03-01T12:01:30_")
    assert len(world.exported(prefix.removeprefix(f"gs://{BUCKET}/"))) == 3


def test_operations_are_listed_by_their_database(world: World) -> None:
    """Whoever lost an answer finds what was begun by its prefix, done or not."""
    first = export(world, "a")
    world.pass_time(MINUTE)
    second = export(world, "b")
    world.pass_time(MINUTE)

    def listed(wanted: str) -> set[str]:
        answer = world.admin.list_operations({"name": DATABASE, "filter": wanted})
        return {told(one).output_uri_prefix.rpartition("/")[2] for one in answer.operations}

    assert world.operation(first).done
    assert not world.operation(second).done
    assert (listed(""), listed("done:true"), listed("done=false")) == ({"b"}, {"a"}, {"b"})
    other = world.admin.list_operations({"name": "projects/shop/databases/other"})
    assert not other.operations
    with pytest.raises(exceptions.NotFound):
        world.admin.get_operation({"name": f"{DATABASE}/operations/none"})


def test_an_export_outlives_a_restart() -> None:
    """What was begun before ends after, with the same name."""
    journal = Journal()
    with running(journal) as before:
        before.buckets.create(BUCKET)
        before.store.document("users/ada").set({"name": "Ada"})
        begun = export(before, "kept")

    with running(journal) as after:
        ended = after.ends(begun)

        assert told(ended).end_time.replace(tzinfo=UTC) == NOON + timedelta(seconds=150)
        assert "kept/kept.overall_export_metadata" in after.files()


def bring_back(world: World, database: str, folder: str, **more: Any) -> Any:
    name = f"projects/shop/databases/{database}"
    request = {"name": name, "input_uri_prefix": f"gs://{BUCKET}/{folder}", **more}
    return world.admin.import_documents(request, retry=None)


def test_an_export_is_imported_into_another_database(world: World) -> None:
    """Each document under its own path; what was there before stays."""
    world.ends(export(world, "day/one"))
    world.documents("copy").document("users/eve").set({"name": "eve"})

    ended = world.ends(bring_back(world, "copy", "day/one"))

    metadata = types.ImportDocumentsMetadata.pb()()
    ended.metadata.Unpack(metadata)
    assert metadata.progress_documents.completed_work == 3
    copy = world.documents("copy")
    assert copy.document("users/ada/cvs/1").get().to_dict() == {"name": "users/ada/cvs/1"}
    assert {one.id for one in copy.collection("users").stream()} == {"ada", "eve"}


def test_an_import_of_chosen_collections(world: World) -> None:
    """The others are left out."""
    world.ends(export(world, "day/one"))
    world.ends(bring_back(world, "copy", "day/one", collection_ids=["orders"]))

    assert [one.id for one in world.documents("copy").collections()] == ["orders"]


def test_only_a_whole_export_is_imported(world: World) -> None:
    """Without the file that closes it there is nothing to read."""
    export(world, "day/one")

    with pytest.raises(exceptions.NotFound):
        bring_back(world, "copy", "day/one")


def test_an_import_that_fails_late(world: World) -> None:
    """Its operation is over with the reason."""
    world.ends(export(world, "day/one"))
    world.fail("projects/shop/databases/copy/importDocuments", "no room")

    assert world.ends(bring_back(world, "copy", "day/one")).error.message == "no room"
