"""The responders as they are installed in the embedded cloud."""
