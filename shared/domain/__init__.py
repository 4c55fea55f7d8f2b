"""Values and pure rules, grouped by subject; no I/O."""
