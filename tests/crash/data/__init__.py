"""Tests of `crash/data`."""
