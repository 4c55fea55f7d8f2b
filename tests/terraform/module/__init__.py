"""Tests of `terraform/module`."""
