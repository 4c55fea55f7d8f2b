"""Rollbacks: record, plan, pins, drill, quota."""
