"""Tests of `contracts/pubsub`."""
