"""Facts, gates and minimal policies for decisions."""
