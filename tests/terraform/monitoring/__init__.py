"""Tests of `terraform/monitoring`."""
