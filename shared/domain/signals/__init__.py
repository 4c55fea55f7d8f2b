"""Signals: alerts, metrics, probes, early warnings."""
