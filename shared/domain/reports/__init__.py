"""Incident reports, impact and monthly statistics."""
