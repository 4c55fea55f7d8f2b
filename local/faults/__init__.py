"""Fault injection: the plan, its points and what it injects."""
