"""Tests of `contracts/channels`."""
