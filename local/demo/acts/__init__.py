"""The acts of the demo, one module each."""
