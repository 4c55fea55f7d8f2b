"""The decision: facts, gates, plan, preview."""
