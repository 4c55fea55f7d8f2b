"""Tests of `local/application`."""
