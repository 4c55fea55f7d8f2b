"""The engine: lease, checkpoints, step scheduling, pacing."""
