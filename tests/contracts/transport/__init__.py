"""Tests of `contracts/transport`."""
