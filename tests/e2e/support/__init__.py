"""What the end-to-end tests set up: processes, deployments, the CLI."""
