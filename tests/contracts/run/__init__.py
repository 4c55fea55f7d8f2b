"""Tests of `contracts/run`."""
