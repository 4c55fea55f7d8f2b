"""Operator commands, one module each."""
