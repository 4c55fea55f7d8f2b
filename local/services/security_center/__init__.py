"""Security Command Center: where findings are published."""
