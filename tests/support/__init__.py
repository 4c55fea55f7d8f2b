"""What several tests set up, by subject."""
