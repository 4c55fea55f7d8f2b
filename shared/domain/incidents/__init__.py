"""Incidents: opening, response, escalation."""
