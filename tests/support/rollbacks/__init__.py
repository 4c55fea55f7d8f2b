"""Rollbacks in every phase: approvals, steps, pins, drills."""
