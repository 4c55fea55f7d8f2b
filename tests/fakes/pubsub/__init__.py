"""Tests of `fakes/pubsub`."""
