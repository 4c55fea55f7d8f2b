"""Whether anybody else reads what only few may: policies of buckets in, findings out."""

from collections.abc import Iterator, Mapping

from cli.doctor.finding import CheckFinding, doubtful, name_first, unknown, unread, well, wrong
from cli.doctor.installation.facts import InstallationFacts, deployed_responders
from cli.doctor.installation.messaging import EVERYBODY
from shared.core.errors import RollbackError

LISTS = "roles/storage.legacyBucketReader"
"""The role that shows names, and reads nothing."""
FIRESTORE = "@gcp-sa-firestore.iam.gserviceaccount.com"
"""How the agents that write and import exports end."""
WITH_THE_BUCKET = ("projectEditor:", "projectViewer:")
"""How those begin whom Cloud Storage lets read each new bucket."""


def check_readers(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Who reads values of variables and exports by the policies of their buckets."""
    if facts.values is None:
        why = "the bucket of values was not looked at: ROLLBACK_VALUES_BUCKET is not set here"
        yield unknown("values", why, "set it, and look again")
    for bucket, granted in facts.bucket_grants.items():
        if isinstance(granted, RollbackError):
            yield unread(bucket, granted)
        elif isinstance(facts.functions, RollbackError):
            yield unread(bucket, facts.functions)
        else:
            yield _finding_of_bucket(bucket, _unexpected_readers(facts, bucket, granted))


def _unexpected_readers(
    facts: InstallationFacts, bucket: str, granted: Mapping[str, tuple[str, ...]]
) -> set[str]:
    """Whoever has another role than Terraform gives, and one that does more than list."""
    held = {(role, one) for role, members in granted.items() if role != LISTS for one in members}
    return {one for role, one in held if not _is_expected(facts, bucket, role, one)}


def _is_expected(facts: InstallationFacts, bucket: str, role: str, member: str) -> bool:
    """Whether Terraform gives this (terraform/iam.tf, buckets.tf)."""
    ours = {
        name: f"serviceAccount:{one.account}" for name, one in deployed_responders(facts.functions).items()
    }
    if member == f"projectOwner:{facts.project}":
        return True
    if role.startswith(f"projects/{facts.project}/roles/rollback_"):
        return member in ours.values() or (bucket.endswith("-policies") and role.endswith("_policies"))
    if bucket == facts.values:
        return member == ours.get("on_work")
    return member.endswith(FIRESTORE)


def _finding_of_bucket(bucket: str, strangers: set[str]) -> CheckFinding:
    if not strangers:
        return well(bucket, "by its own policy nobody reads it but whom it is for")
    why = f"by its own policy these may do more than list it: {name_first(strangers)}"
    if strangers & EVERYBODY or any(one.startswith(WITH_THE_BUCKET) for one in strangers):
        return wrong(bucket, why, "terraform apply, or take it away")
    return doubtful(bucket, why, "who gave it? else take it away")
