"""Operator commands: registry, schema, permissions, credentials."""
