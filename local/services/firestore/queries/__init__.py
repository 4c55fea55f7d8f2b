"""Queries, aggregations, listings and listeners."""
