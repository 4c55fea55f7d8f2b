"""The policy of a protected system, typed."""
