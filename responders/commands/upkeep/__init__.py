"""Commands that maintain a system."""
