"""Tests of `shared/policy_files`."""
