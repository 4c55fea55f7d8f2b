"""The calls of google.pubsub.v1.Publisher."""

import grpc
from google.protobuf.empty_pb2 import Empty

from local.core.pages import page
from local.services.pubsub import names
from local.services.pubsub.broker import Broker
from local.services.pubsub.messages import (
    DeleteTopicRequest,
    DetachSubscriptionRequest,
    DetachSubscriptionResponse,
    GetTopicRequest,
    ListTopicSnapshotsRequest,
    ListTopicSnapshotsResponse,
    ListTopicsRequest,
    ListTopicsResponse,
    ListTopicSubscriptionsRequest,
    ListTopicSubscriptionsResponse,
    PublishRequest,
    PublishResponse,
    Topic,
    UpdateTopicRequest,
    copy_resource,
)
from local.services.pubsub.names import DELETED_SCHEMA
from local.services.pubsub.resources import topics
from local.services.pubsub.schema_service import check_messages
from local.services.pubsub.statuses import already_exists, not_found

MAX_PAGE_SIZE = 1000


class Publisher:
    """Topics, and publishing to them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def CreateTopic(self, request: Topic, context: grpc.ServicerContext) -> Topic:
        """The new topic; ALREADY_EXISTS when there is one, NOT_FOUND without its schema."""
        topic = topics.build_topic(request)
        with self._broker.change():
            if topic.name in self._broker.topics:
                raise already_exists(topic.name)
            self._check_schema(topic)
            self._broker.put_topic(topic)
        return topic

    def GetTopic(self, request: GetTopicRequest, context: grpc.ServicerContext) -> Topic:
        """The topic."""
        with self._broker.change():
            return self._broker.topic(request.topic)

    def UpdateTopic(self, request: UpdateTopicRequest, context: grpc.ServicerContext) -> Topic:
        """The topic with the masked fields changed."""
        with self._broker.change():
            topic = topics.update_topic(
                self._broker.topic(request.topic.name), request.topic, request.update_mask
            )
            self._check_schema(topic)
            self._broker.put_topic(topic)
        return topic

    def ListTopics(self, request: ListTopicsRequest, context: grpc.ServicerContext) -> ListTopicsResponse:
        """A page of the project's topics, by name."""
        with self._broker.change():
            found = [
                topic
                for name, topic in sorted(self._broker.topics.items())
                if name.startswith(f"{request.project}/")
            ]
        listed, token = page(
            found, lambda topic: str(topic.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return ListTopicsResponse(topics=listed, next_page_token=token)

    def DeleteTopic(self, request: DeleteTopicRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; the topic's subscriptions outlive it."""
        with self._broker.change():
            self._broker.topic(request.topic)
            self._broker.remove_topic(request.topic)
        return Empty()

    def ListTopicSubscriptions(
        self, request: ListTopicSubscriptionsRequest, context: grpc.ServicerContext
    ) -> ListTopicSubscriptionsResponse:
        """A page of the names of the topic's subscriptions; detached ones are not its own."""
        with self._broker.change():
            self._broker.topic(request.topic)
            found = sorted(
                name
                for name, feed in self._broker.feeds.items()
                if feed.spec.topic == request.topic and not feed.spec.detached
            )
        listed, token = page(found, str, request.page_size, request.page_token, MAX_PAGE_SIZE)
        return ListTopicSubscriptionsResponse(subscriptions=listed, next_page_token=token)

    def ListTopicSnapshots(
        self, request: ListTopicSnapshotsRequest, context: grpc.ServicerContext
    ) -> ListTopicSnapshotsResponse:
        """A page of the names of the topic's snapshots."""
        with self._broker.change():
            self._broker.topic(request.topic)
            found = sorted(
                name for name, held in self._broker.snapshots.items() if held.spec.topic == request.topic
            )
        listed, token = page(found, str, request.page_size, request.page_token, MAX_PAGE_SIZE)
        return ListTopicSnapshotsResponse(snapshots=listed, next_page_token=token)

    def DetachSubscription(
        self, request: DetachSubscriptionRequest, context: grpc.ServicerContext
    ) -> DetachSubscriptionResponse:
        """Nothing; the subscription loses its topic's messages for good, those that wait too."""
        with self._broker.change():
            feed = self._broker.find_subscription(request.subscription)
            detached = copy_resource(feed.spec)
            detached.detached = True
            feed.backlog.discard()
            self._broker.put_subscription(detached)
        return DetachSubscriptionResponse()

    def Publish(self, request: PublishRequest, context: grpc.ServicerContext) -> PublishResponse:
        """The ids of the messages, which are durable now."""
        names.require_resource_name(request.topic, "topics")
        topics.check_publish(request)
        with self._broker.change() as now:
            check_messages(self._broker, request)
            ids = self._broker.publish(request.topic, request.messages, now)
        return PublishResponse(message_ids=ids)

    def _check_schema(self, topic: Topic) -> None:
        schema = topic.schema_settings.schema
        if topic.HasField("schema_settings") and schema not in {*self._broker.schemas, DELETED_SCHEMA}:
            raise not_found(schema)
