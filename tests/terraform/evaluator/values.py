"""Terraform's values in Python: what is known before an apply, and what is not."""

from typing import Any


class Unknown(str):
    """A value that only the cloud knows; its text says whose it is."""

    __slots__ = ()


class TerraformSet(list[Any]):
    """A set: each element once, in order."""

    def __init__(self, elements: Any = ()) -> None:
        kept = {repr(one): one for one in elements}
        super().__init__(kept[key] for key in sorted(kept))


class Unevaluable(Exception):
    """An expression that means nothing, or that this evaluator does not know."""


COMPUTED = {
    ("data.google_project", "number"): "number-of-{project_id}",
    (
        "data.google_storage_project_service_account",
        "email_address",
    ): "storage-agent@{project}.iam.gserviceaccount.com",
    (
        "google_artifact_registry_repository",
        "id",
    ): "projects/{project}/locations/{location}/repositories/{repository_id}",
    ("google_artifact_registry_repository", "name"): "{repository_id}",
    ("google_firestore_database", "id"): "projects/{project}/databases/{name}",
    ("google_logging_project_sink", "writer_identity"): "serviceAccount:sink-of-{project}",
    ("google_monitoring_notification_channel", "id"): "channel {project} {display_name}",
    ("google_project_iam_custom_role", "id"): "projects/{project}/roles/{role_id}",
    ("google_pubsub_schema", "id"): "projects/{project}/schemas/{name}",
    ("google_pubsub_subscription", "id"): "projects/{project}/subscriptions/{name}",
    ("google_pubsub_topic", "id"): "projects/{project}/topics/{name}",
    (
        "google_scc_v2_project_notification_config",
        "service_account",
    ): "findings-of-{project}@gcp-sa-scc-notification.iam.gserviceaccount.com",
    ("google_service_account", "disabled"): False,
    ("google_service_account", "email"): "{account_id}@{project}.iam.gserviceaccount.com",
    ("google_service_account", "member"): "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
    (
        "google_service_account",
        "name",
    ): "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
}
"""What the provider makes of a resource's own arguments, as a pattern, a value, or a function of
them; what is not here is Unknown."""

COMPUTED_IN_BLOCKS = {
    ("google_cloudfunctions2_function", "service_config"): {"uri": "https://{name}-{location}.a.run.app"}
}
"""The same, for what it adds to a block."""


def text(value: Any) -> str:
    """The value inside a template. Raises: Unevaluable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise Unevaluable(f"{value!r} in a template")


def entries(collection: Any) -> list[tuple[Any, Any]]:
    """The keys and values that a `for` sees. Raises: Unevaluable."""
    if isinstance(collection, TerraformSet):
        return [(one, one) for one in collection]
    if isinstance(collection, list):
        return [*enumerate(collection)]
    if isinstance(collection, dict):
        return sorted(collection.items())
    raise Unevaluable(f"{collection!r} is no collection")
