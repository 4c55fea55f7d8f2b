"""Tests of `terraform/evaluator`."""
