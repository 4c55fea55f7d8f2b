"""Delivery: leases, push, pull and streams."""
