"""A person at the CLI, the console and the documented commands."""
