"""Subscriptions of Pub/Sub that feed triggers of Eventarc with events of documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from google.cloud.firestore_v1 import types as firestore
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.pubsub_v1 import types

from shared.feeds import AT_ONCE, Feed, Message, Told
from shared.gcp.answers import EFFECT, READ, translated
from shared.gcp.values import read_time

PERMISSIONS: Final = (
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.update",
)
"""Beside `iam.serviceAccounts.actAs` on the account that a subscription pushes as (`OidcToken` of
google/pubsub/v1/pubsub.proto, read 2026-11-27)."""
LOOK_PERMISSIONS: Final = ("pubsub.subscriptions.get",)
"""What `feed` needs."""

CALL_SECONDS: Final = 10.0
PULL_SECONDS: Final = 20.0
"""What comes in an answer that nobody waits for any more is in nobody's hands for minutes."""
HANDLES: Final = 500
"""Of one request, which is at most 512 KiB (https://cloud.google.com/pubsub/quotas, read
2026-11-27)."""

_AcknowledgeRequest = types.AcknowledgeRequest.pb()
_GetSubscriptionRequest = types.GetSubscriptionRequest.pb()
_ModifyAckDeadlineRequest = types.ModifyAckDeadlineRequest.pb()
_ModifyPushConfigRequest = types.ModifyPushConfigRequest.pb()
_PullRequest = types.PullRequest.pb()
_Document = firestore.Document.pb()


def _event_class() -> Any:
    """DocumentEventData: `value` is 1, `old_value` 2, each numbered as Firestore's Document.

    googleapis/google-cloudevents proto/google/events/cloud/firestore/v1/data.proto, read
    2026-11-27.
    """
    document = _Document.DESCRIPTOR
    file = FileDescriptorProto(
        name="rollback/document_event.proto",
        package="rollback",
        syntax="proto3",
        dependency=[document.file.name],
    )
    event = file.message_type.add(name="DocumentEventData")
    for number, name in enumerate(("value", "old_value"), 1):
        event.field.add(
            name=name,
            number=number,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type_name=f".{document.full_name}",
        )
    pool = document.file.pool
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("rollback.DocumentEventData"))


_Event = _event_class()


class PubSubFeeds:
    """A Feeds over whatever subscriptions the account may use."""

    def __init__(self, subscriber: Any) -> None:
        self._subscriber = subscriber

    def feed(self, name: str) -> Feed:
        """One as it is. Raises: Gone, where there is none."""
        request = _GetSubscriptionRequest(subscription=name)
        with translated(READ):
            answer = self._subscriber.get_subscription(request, retry=None, timeout=CALL_SECONDS)
        found = types.Subscription.pb(answer)
        return Feed(
            push=found.push_config.SerializeToString(deterministic=True),
            keeps_for=found.message_retention_duration.ToTimedelta(),
            is_dead_lettered=found.HasField("dead_letter_policy"),
            by_hand=shlex.join(_flags(found.push_config)),
        )

    def set_push(self, name: str, push: bytes) -> None:
        """By ModifyPushConfig, which leaves all else as it is. Raises: Rejected, Ambiguous."""
        config = types.PushConfig.pb().FromString(push)
        request = _ModifyPushConfigRequest(subscription=name, push_config=config)
        with translated(EFFECT):
            self._subscriber.modify_push_config(request, retry=None, timeout=CALL_SECONDS)

    def pull(self, name: str) -> list[Message]:
        """What is there now: a pull that waits may be answered after its caller has gone."""
        request = _PullRequest(subscription=name, max_messages=AT_ONCE, return_immediately=True)
        with translated(READ):
            answer = self._subscriber.pull(request, retry=None, timeout=PULL_SECONDS)
        received = types.PullResponse.pb(answer).received_messages
        return [Message(one.ack_id, _told(one.message.data)) for one in received]

    def acknowledge(self, name: str, handles: Sequence[str]) -> None:
        """These messages are kept no longer."""
        for some in _parted(handles):
            request = _AcknowledgeRequest(subscription=name, ack_ids=some)
            with translated(READ):
                self._subscriber.acknowledge(request, retry=None, timeout=CALL_SECONDS)

    def hold(self, name: str, handles: Sequence[str], span: timedelta) -> None:
        """By their deadlines; one of 0 releases them."""
        for some in _parted(handles):
            request = _ModifyAckDeadlineRequest(
                subscription=name, ack_ids=some, ack_deadline_seconds=int(span.total_seconds())
            )
            with translated(READ):
                self._subscriber.modify_ack_deadline(request, retry=None, timeout=CALL_SECONDS)


def _flags(push: Any) -> Iterator[str]:
    """As gcloud names them; attributes have none.

    https://cloud.google.com/sdk/gcloud/reference/pubsub/subscriptions/modify-push-config, read
    2026-11-27.
    """
    yield f"--push-endpoint={push.push_endpoint}"
    if push.HasField("oidc_token"):
        yield f"--push-auth-service-account={push.oidc_token.service_account_email}"
        if push.oidc_token.audience:
            yield f"--push-auth-token-audience={push.oidc_token.audience}"
    if push.HasField("no_wrapper"):
        yield "--push-no-wrapper"
        if push.no_wrapper.write_metadata:
            yield "--push-no-wrapper-write-metadata"


def _parted(handles: Sequence[str]) -> Iterator[Sequence[str]]:
    return (handles[at : at + HANDLES] for at in range(0, len(handles), HANDLES))


def _told(data: bytes) -> Told | None:
    """What an event tells of its document; None: it is none that is understood.

    Its trigger says whether it comes as Protocol Buffers or as JSON (`eventDataContentType`, where
    shared/gcp/triggers.py says); the former never begin with a brace.
    """
    try:
        if data.startswith(b"{"):
            event = Parse(data, _Event(), ignore_unknown_fields=True)
        else:
            event = _Event.FromString(data)
    except (DecodeError, ParseError):
        return None
    is_gone = not event.HasField("value")
    document = event.old_value if is_gone else event.value
    root, _, path = document.name.partition("/documents/")
    database = root.partition("/databases/")[2]
    if not (database and path and document.HasField("update_time")):
        return None
    return Told(database, path, read_time(document.update_time), is_gone)
