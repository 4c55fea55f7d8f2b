"""Foundations that depend on nothing else here: errors, codec, text, log."""
