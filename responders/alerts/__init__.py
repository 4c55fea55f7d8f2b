"""Alerts: recording, joining, preemption."""
