"""The published policies: the bucket, the first object, and who may read and write them."""

from shared.policy_files.loader import PUBLISHED_OBJECT, load_policy, parse_published
from tests.terraform.checks import functions, grants, members
from tests.terraform.entry_points import ROOT, settings_of
from tests.terraform.evaluator.evaluator import Configuration


def bucket_of(example: Configuration) -> str:
    """The bucket of the published policies."""
    name: str = example.outputs["rollback"]["buckets"]["policies"]
    return name


def test_every_function_follows_the_bucket_of_the_policies(example: Configuration) -> None:
    """The console as well; the bucket keeps the generations by which plans were made."""
    [bucket] = [one.values for one in example.of("google_storage_bucket", name="policies")]

    told = {settings_of(example, one).policy_bucket for one in functions(example)}

    assert told == {bucket["name"]} == {bucket_of(example)}
    assert bucket["versioning"] == [{"enabled": True}]
    assert bucket["public_access_prevention"] == "enforced"


def test_the_first_object_holds_the_policy_files(example: Configuration) -> None:
    """As the functions read it: the same fingerprints as in the archive."""
    [made] = example.of("google_storage_bucket_object", name="policies")
    files = [load_policy(ROOT / "policies" / name) for name in ("cvplus.yaml", "example.yaml")]
    provisioned = {
        one.system: one for one in files if one.system in example.outputs["rollback"]["applications"]
    }

    found = parse_published(made.values["content"].encode(), provisioned)

    assert (made.values["bucket"], made.values["name"]) == (bucket_of(example), PUBLISHED_OBJECT)
    assert {one.fingerprint for one in found.values()} == {one.fingerprint for one in provisioned.values()}


def test_an_apply_leaves_what_was_published_since_then(example: Configuration) -> None:
    """Only a file that has changed takes its place, after the functions that understand it."""
    [made] = example.of("google_storage_bucket_object", name="policies")

    assert made.ignored == ("detect_md5hash",)
    assert any("google_cloudfunctions2_function.responders" in one for one in made.depends_on)


def test_only_the_deploying_account_writes_policies(example: Configuration) -> None:
    """By its role in the project: editors lose theirs, and everybody named may only read."""
    project = example.outputs["rollback"]["buckets"]["policies"].removesuffix("-rollback-policies")
    found = [one for one in grants(example) if one.values.get("bucket") == bucket_of(example)]

    writers = {
        member
        for one in found
        if one.values["role"] != f"projects/{project}/roles/rollback_read_objects"
        for member in members(one)
    }
    [role] = [
        one.values["permissions"]
        for one in example.of("google_project_iam_custom_role")
        if one.values["role_id"] == "rollback_read_objects"
    ]

    assert writers == {f"projectOwner:{project}"}
    assert {*role} == {"storage.objects.get", "storage.objects.list"}
