"""The judge of decisions: how often rollbacks are right in worlds whose truth is known."""
