"""Tests of `responders/scenarios/products`."""
