"""The decision whether to roll back: facts, gates, target."""
