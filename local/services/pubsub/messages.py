"""Pub/Sub's raw protobuf messages, under the names of the published API.

The wheel wraps every message in proto-plus; the wire and the field masks want the classes below the
wrappers.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from google.pubsub_v1 import types

if TYPE_CHECKING:
    from google.pubsub_v1.types import (
        AcknowledgeRequest,
        CommitSchemaRequest,
        CreateSchemaRequest,
        CreateSnapshotRequest,
        DeleteSchemaRequest,
        DeleteSnapshotRequest,
        DeleteSubscriptionRequest,
        DeleteTopicRequest,
        DetachSubscriptionRequest,
        DetachSubscriptionResponse,
        GetSchemaRequest,
        GetSnapshotRequest,
        GetSubscriptionRequest,
        GetTopicRequest,
        ListSchemasRequest,
        ListSchemasResponse,
        ListSnapshotsRequest,
        ListSnapshotsResponse,
        ListSubscriptionsRequest,
        ListSubscriptionsResponse,
        ListTopicSnapshotsRequest,
        ListTopicSnapshotsResponse,
        ListTopicsRequest,
        ListTopicsResponse,
        ListTopicSubscriptionsRequest,
        ListTopicSubscriptionsResponse,
        ModifyAckDeadlineRequest,
        ModifyPushConfigRequest,
        PublishRequest,
        PublishResponse,
        PubsubMessage,
        PullRequest,
        PullResponse,
        PushConfig,
        ReceivedMessage,
        Schema,
        SeekRequest,
        SeekResponse,
        Snapshot,
        StreamingPullRequest,
        StreamingPullResponse,
        Subscription,
        Topic,
        UpdateSnapshotRequest,
        UpdateSubscriptionRequest,
        UpdateTopicRequest,
        ValidateMessageRequest,
        ValidateMessageResponse,
        ValidateSchemaRequest,
        ValidateSchemaResponse,
    )
else:
    AcknowledgeRequest = types.AcknowledgeRequest.pb()
    CommitSchemaRequest = types.CommitSchemaRequest.pb()
    CreateSchemaRequest = types.CreateSchemaRequest.pb()
    CreateSnapshotRequest = types.CreateSnapshotRequest.pb()
    DeleteSchemaRequest = types.DeleteSchemaRequest.pb()
    DeleteSnapshotRequest = types.DeleteSnapshotRequest.pb()
    DeleteSubscriptionRequest = types.DeleteSubscriptionRequest.pb()
    DeleteTopicRequest = types.DeleteTopicRequest.pb()
    DetachSubscriptionRequest = types.DetachSubscriptionRequest.pb()
    DetachSubscriptionResponse = types.DetachSubscriptionResponse.pb()
    GetSchemaRequest = types.GetSchemaRequest.pb()
    GetSnapshotRequest = types.GetSnapshotRequest.pb()
    GetSubscriptionRequest = types.GetSubscriptionRequest.pb()
    GetTopicRequest = types.GetTopicRequest.pb()
    ListSchemasRequest = types.ListSchemasRequest.pb()
    ListSchemasResponse = types.ListSchemasResponse.pb()
    ListSnapshotsRequest = types.ListSnapshotsRequest.pb()
    ListSnapshotsResponse = types.ListSnapshotsResponse.pb()
    ListSubscriptionsRequest = types.ListSubscriptionsRequest.pb()
    ListSubscriptionsResponse = types.ListSubscriptionsResponse.pb()
    ListTopicSnapshotsRequest = types.ListTopicSnapshotsRequest.pb()
    ListTopicSnapshotsResponse = types.ListTopicSnapshotsResponse.pb()
    ListTopicSubscriptionsRequest = types.ListTopicSubscriptionsRequest.pb()
    ListTopicSubscriptionsResponse = types.ListTopicSubscriptionsResponse.pb()
    ListTopicsRequest = types.ListTopicsRequest.pb()
    ListTopicsResponse = types.ListTopicsResponse.pb()
    ModifyAckDeadlineRequest = types.ModifyAckDeadlineRequest.pb()
    ModifyPushConfigRequest = types.ModifyPushConfigRequest.pb()
    PublishRequest = types.PublishRequest.pb()
    PublishResponse = types.PublishResponse.pb()
    PubsubMessage = types.PubsubMessage.pb()
    PullRequest = types.PullRequest.pb()
    PullResponse = types.PullResponse.pb()
    PushConfig = types.PushConfig.pb()
    ReceivedMessage = types.ReceivedMessage.pb()
    Schema = types.Schema.pb()
    SeekRequest = types.SeekRequest.pb()
    SeekResponse = types.SeekResponse.pb()
    Snapshot = types.Snapshot.pb()
    StreamingPullRequest = types.StreamingPullRequest.pb()
    StreamingPullResponse = types.StreamingPullResponse.pb()
    Subscription = types.Subscription.pb()
    Topic = types.Topic.pb()
    UpdateSnapshotRequest = types.UpdateSnapshotRequest.pb()
    UpdateSubscriptionRequest = types.UpdateSubscriptionRequest.pb()
    UpdateTopicRequest = types.UpdateTopicRequest.pb()
    ValidateMessageRequest = types.ValidateMessageRequest.pb()
    ValidateMessageResponse = types.ValidateMessageResponse.pb()
    ValidateSchemaRequest = types.ValidateSchemaRequest.pb()
    ValidateSchemaResponse = types.ValidateSchemaResponse.pb()

Resource = TypeVar("Resource", bound=Any)


def copy_resource(resource: Resource) -> Resource:
    """A copy that may be changed while others read the original."""
    copy: Resource = type(resource)()
    copy.CopyFrom(resource)
    return copy


__all__ = [
    "AcknowledgeRequest",
    "CommitSchemaRequest",
    "CreateSchemaRequest",
    "CreateSnapshotRequest",
    "DeleteSchemaRequest",
    "DeleteSnapshotRequest",
    "DeleteSubscriptionRequest",
    "DeleteTopicRequest",
    "DetachSubscriptionRequest",
    "DetachSubscriptionResponse",
    "GetSchemaRequest",
    "GetSnapshotRequest",
    "GetSubscriptionRequest",
    "GetTopicRequest",
    "ListSchemasRequest",
    "ListSchemasResponse",
    "ListSnapshotsRequest",
    "ListSnapshotsResponse",
    "ListSubscriptionsRequest",
    "ListSubscriptionsResponse",
    "ListTopicSnapshotsRequest",
    "ListTopicSnapshotsResponse",
    "ListTopicSubscriptionsRequest",
    "ListTopicSubscriptionsResponse",
    "ListTopicsRequest",
    "ListTopicsResponse",
    "ModifyAckDeadlineRequest",
    "ModifyPushConfigRequest",
    "PublishRequest",
    "PublishResponse",
    "PubsubMessage",
    "PullRequest",
    "PullResponse",
    "PushConfig",
    "ReceivedMessage",
    "Schema",
    "SeekRequest",
    "SeekResponse",
    "Snapshot",
    "StreamingPullRequest",
    "StreamingPullResponse",
    "Subscription",
    "Topic",
    "UpdateSnapshotRequest",
    "UpdateSubscriptionRequest",
    "UpdateTopicRequest",
    "ValidateMessageRequest",
    "ValidateMessageResponse",
    "ValidateSchemaRequest",
    "ValidateSchemaResponse",
    "copy_resource",
]
