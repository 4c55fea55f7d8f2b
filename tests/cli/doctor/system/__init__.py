"""Tests of `cli/doctor/system`."""
