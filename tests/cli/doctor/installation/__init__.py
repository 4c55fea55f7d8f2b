"""Tests of `cli/doctor/installation`."""
