"""The kinds of step, by what they change."""
