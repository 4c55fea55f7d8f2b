"""The operator console: pages, actions, sign-in."""
