"""What the contract tests set up: a fake and a real adapter for each port."""
