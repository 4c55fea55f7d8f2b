"""The product in one process: world, entry points, installation."""
