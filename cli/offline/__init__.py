"""Commands that need no cloud: check a policy, parse a message."""
