"""Tests of `contracts/storage`."""
