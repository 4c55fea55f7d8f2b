"""Cloud Storage as Google's own client meets it: generations, conditions, retention, chunks."""

import io
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from google.cloud import storage

from local.cloud import Cloud
from local.installation.provisioning import audit_bucket
from tests.local.support.run import ORIGIN, policy
from tests.local.support.storage import StorageWorld
from tests.support.runtime.embedded_cloud import embedded_cloud

DAY = timedelta(days=1)


@pytest.fixture
def bucket(world: StorageWorld) -> storage.Bucket:
    return world.client.create_bucket("shelf")


def kept(bucket: storage.Bucket, name: str, content: bytes = b"1") -> storage.Blob:
    blob = bucket.blob(name)
    blob.upload_from_string(content)
    return blob


def names(bucket: storage.Bucket, **asked: object) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(**asked)]


def test_an_object_tells_of_its_content(bucket: storage.Bucket) -> None:
    """Size, checksums, type, metadata and times are those of what was sent."""
    blob = bucket.blob("a/b c")
    blob.metadata = {"who": "me"}
    blob.upload_from_string(b"hello", content_type="text/plain")

    again = bucket.get_blob("a/b c")

    assert again is not None
    assert (again.size, again.content_type, again.metadata) == (5, "text/plain", {"who": "me"})
    assert (again.md5_hash, again.crc32c) == ("XUFAKrxLKna5cZ2REBfFkg==", "mnG7TA==")
    assert (again.generation, again.metageneration) == (blob.generation, 1)
    assert again.time_created == ORIGIN


def test_generations_strictly_increase(bucket: storage.Bucket) -> None:
    """Also while the clock stands still."""
    first, second = kept(bucket, "a"), kept(bucket, "a")

    assert second.generation > first.generation


def test_a_create_of_what_is_there(bucket: storage.Bucket) -> None:
    """A generation of 0 means: only if there is none; the answer is 412 and nothing changes."""
    kept(bucket, "a", b"first")

    with pytest.raises(PreconditionFailed):
        bucket.blob("a").upload_from_string(b"second", if_generation_match=0)

    assert bucket.blob("a").download_as_bytes() == b"first"


def test_the_error_in_googles_form(world: StorageWorld, bucket: storage.Bucket) -> None:
    """Code, message, and a list with reason and place."""
    kept(bucket, "a")
    url = f"{world.url}/upload/storage/v1/b/shelf/o?uploadType=media&name=a&ifGenerationMatch=0"

    answer = httpx.post(url, content=b"x")

    assert answer.status_code == 412
    assert answer.json()["error"] == {
        "code": 412,
        "message": "At least one of the pre-conditions you specified did not hold.",
        "errors": [
            {
                "message": "At least one of the pre-conditions you specified did not hold.",
                "domain": "global",
                "reason": "conditionNotMet",
                "locationType": "header",
                "location": "If-Match",
            }
        ],
    }


def test_conditions_of_delete_and_patch(bucket: storage.Bucket) -> None:
    """What has changed since it was read is left alone."""
    blob = kept(bucket, "a")
    blob.metadata = {"colour": "red"}
    blob.patch(if_metageneration_match=1)
    assert blob.metageneration == 2

    with pytest.raises(PreconditionFailed):
        blob.patch(if_metageneration_match=1)
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=blob.generation - 1)
    blob.delete(if_generation_match=blob.generation)

    with pytest.raises(NotFound):
        blob.delete()
    assert bucket.get_blob("a") is None


def test_versions_are_kept_where_they_are_asked_for(bucket: storage.Bucket) -> None:
    """An overwritten and a deleted generation stay readable, and go by their number alone."""
    bucket.versioning_enabled = True
    bucket.patch()
    first = kept(bucket, "a", b"1")
    second = kept(bucket, "a", b"2")
    bucket.blob("a").delete()

    assert names(bucket) == []
    assert [blob.generation for blob in bucket.list_blobs(versions=True)] == [
        first.generation,
        second.generation,
    ]
    assert bucket.blob("a", generation=first.generation).download_as_bytes() == b"1"
    bucket.blob("a", generation=first.generation).delete()
    assert [blob.generation for blob in bucket.list_blobs(versions=True)] == [second.generation]


@pytest.mark.parametrize("locked", [False, True])
def test_retention_refuses_until_it_is_over(
    world: StorageWorld, bucket: storage.Bucket, locked: bool
) -> None:
    """Locked or not: no delete and no overwriting before its time, and 412 comes before 403."""
    bucket.retention_period = DAY.total_seconds()
    bucket.patch()
    if locked:
        bucket.lock_retention_policy()
    blob = kept(bucket, "a", b"first")
    assert blob.retention_expiration_time == ORIGIN + DAY

    with pytest.raises(Forbidden, match="retention policy"):
        bucket.blob("a").delete()
    with pytest.raises(Forbidden, match="retention policy"):
        bucket.blob("a").upload_from_string(b"second")
    with pytest.raises(PreconditionFailed):
        bucket.blob("a").upload_from_string(b"second", if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == b"first"

    world.clock.advance(DAY)
    bucket.blob("a").delete()
    assert names(bucket) == []


def test_a_lock_cannot_be_undone(bucket: storage.Bucket) -> None:
    """Locked retention is never shortened or removed, only made longer; unlocked it goes."""
    bucket.retention_period = 100
    bucket.patch()
    bucket.retention_period = None
    bucket.patch()
    assert bucket.retention_period is None
    bucket.retention_period = 100
    bucket.patch()
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked

    for shorter in (50, None):
        bucket.retention_period = shorter
        with pytest.raises(Forbidden):
            bucket.patch()
        bucket.reload()
    bucket.retention_period = 200
    bucket.patch()
    assert bucket.retention_period == 200


def test_a_hold_refuses_until_it_is_lifted(bucket: storage.Bucket) -> None:
    """A temporary hold keeps one object, whatever the bucket's rules."""
    blob = kept(bucket, "a")
    blob.temporary_hold = True
    blob.patch()

    with pytest.raises(Forbidden, match="Temporary hold"):
        bucket.blob("a").delete()

    blob.temporary_hold = False
    blob.patch()
    bucket.blob("a").delete()


def test_a_listing_in_pages_with_prefixes(bucket: storage.Bucket) -> None:
    """Every name once, in order, whatever the size of a page; a delimiter folds what is behind."""
    for name in ("a", "b/1", "b/2", "b/3", "c", "d/1"):
        kept(bucket, name)

    for size in (1, 2, 3, 10):
        assert names(bucket, page_size=size) == ["a", "b/1", "b/2", "b/3", "c", "d/1"]
        folded = bucket.list_blobs(delimiter="/", page_size=size)
        assert [blob.name for blob in folded] == ["a", "c"]
        assert folded.prefixes == {"b/", "d/"}
    assert names(bucket, prefix="b/", start_offset="b/2") == ["b/2", "b/3"]
    assert names(bucket, end_offset="b/2") == ["a", "b/1"]


def test_an_upload_in_chunks(bucket: storage.Bucket) -> None:
    """What is too large for one request comes in several, its size known or not."""
    content = bytes(range(256)) * 4096
    for name, size in (("known", len(content)), ("unknown", None)):
        blob = bucket.blob(name, chunk_size=256 * 1024)
        if size is None:
            blob.upload_from_file(io.BytesIO(content), checksum="md5")
        else:
            with blob.open("wb", chunk_size=256 * 1024) as stream:
                stream.write(content)

        assert bucket.blob(name).download_as_bytes() == content
    assert bucket.blob("known").download_as_bytes(start=5, end=9) == content[5:10]
    assert bucket.blob("known", chunk_size=256 * 1024).download_as_bytes() == content


def test_content_that_is_not_what_was_promised(world: StorageWorld, bucket: storage.Bucket) -> None:
    """A checksum that does not fit is refused, and nothing is kept."""
    blob = bucket.blob("a")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="

    with pytest.raises(BadRequest, match="MD5"):
        blob.upload_from_string(b"hello", checksum=None)

    assert names(bucket) == []


def test_buckets_that_cannot_be(world: StorageWorld, bucket: storage.Bucket) -> None:
    """One name, one bucket; what is not there is not found."""
    with pytest.raises(Conflict):
        world.client.create_bucket("shelf")
    with pytest.raises(NotFound):
        world.client.get_bucket("nowhere")
    with pytest.raises(NotFound):
        kept(world.client.bucket("nowhere"), "a")


@pytest.mark.parametrize(
    "name",
    [
        *("No", "ab", "a" * 64, "-ab", "ab_", "a..b", "a.-b", "a-.b", ".ab", "ab.", "1.2.3.4"),
        *(
            "goog-x",
            "googol",
            "my_google_bucket",
            "g00gle-backups",
            "a" * 64 + ".b",
            ("a" * 60 + ".") * 4 + "b",
        ),
    ],
)
def test_a_bucket_with_a_name_against_google_s_rules(world: StorageWorld, name: str) -> None:
    """It is refused, and no bucket is made."""
    answer = httpx.post(f"{world.url}/storage/v1/b?project=p", json={"name": name})

    assert answer.status_code == 400
    assert httpx.get(f"{world.url}/storage/v1/b?project=p").json() == {"kind": "storage#buckets"}


@pytest.mark.parametrize(
    "name", ["abc", "a" * 63, "1.2.3", "shop.appspot.com", ("a" * 60 + ".") * 3 + "b", "a_b-c"]
)
def test_a_bucket_with_a_name_by_google_s_rules(world: StorageWorld, name: str) -> None:
    """Letters, digits, hyphens, underscores, and parts between dots."""
    assert world.client.create_bucket(name).name == name


def test_a_restart(tmp_path: Path) -> None:
    """Every generation, bucket and lock is there again, and generations go on increasing."""
    world = StorageWorld(tmp_path)
    bucket = world.client.create_bucket("shelf")
    bucket.retention_period = 100
    bucket.patch()
    bucket.lock_retention_policy()
    before = kept(bucket, "a", b"\0\xff")
    world.close()

    world = StorageWorld(tmp_path)
    bucket = world.client.get_bucket("shelf")

    assert (bucket.retention_period, bucket.retention_policy_locked) == (100, True)
    assert bucket.blob("a").download_as_bytes() == b"\0\xff"
    assert kept(bucket, "b").generation > before.generation
    world.close()


def test_a_request_that_comes_when_the_cloud_has_stopped(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    """A connection outlives the server: what still comes on it is answered by 503."""
    url = f"http://{cloud.addresses['storage']}/upload/storage/v1/b/{audit_bucket(cloud.home)}/o"
    asked = {"uploadType": "media"}
    with httpx.Client() as client:
        kept = client.post(url, params={**asked, "name": "before"}, content=b"1")
        cloud.stop()

        late = client.post(url, params={**asked, "name": "after"}, content=b"1")

    assert (kept.status_code, late.status_code) == (200, 503)
    assert late.json()["error"]["message"] == "The embedded cloud has stopped."
    assert capfd.readouterr().err == ""


def test_the_cloud_has_a_bucket_for_heads_and_its_faults(tmp_path: Path) -> None:
    """It is there from the start and after a restart, and a fault plan finds its calls by name."""
    for _ in range(2):
        with embedded_cloud(policy(), data=tmp_path) as cloud:
            plan = {"calls": [{"call": "storage.*/objects.list", "answer": "RESOURCE_EXHAUSTED"}]}
            control = f"http://{cloud.addresses['control']}/_cloud/faults"
            httpx.put(control, json=plan).raise_for_status()
            url = f"http://{cloud.addresses['storage']}/storage/v1/b/{audit_bucket(cloud.home)}"

            assert httpx.get(url).json()["retentionPolicy"]["retentionPeriod"] == str(90 * 86_400)
            assert httpx.get(f"{url}/o").status_code == 429
