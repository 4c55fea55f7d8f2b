"""The embedded Pub/Sub: Google's own gRPC API, push over HTTP, and durable messages."""

from local.services.pubsub.service import PubSub

__all__ = ["PubSub"]
