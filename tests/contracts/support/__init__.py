"""Tests of `contracts/support`."""
