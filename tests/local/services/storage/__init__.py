"""Tests of `local/services/pubsub`."""
