"""Periodic jobs of on_clock: probes, checks, seals, statistics."""
