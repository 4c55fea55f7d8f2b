"""Tests of `contracts/resources`."""
