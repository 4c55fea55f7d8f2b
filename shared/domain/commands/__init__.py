"""Operator commands: schema, permissions, credentials."""
