"""Tests of `contracts/project`."""
