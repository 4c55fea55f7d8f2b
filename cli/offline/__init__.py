"""Commands that need no cloud: compute costs, parse a message."""
