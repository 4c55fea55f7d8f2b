"""What the demo sets up: processes, people, releases, faults."""
