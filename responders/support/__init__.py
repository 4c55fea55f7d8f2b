"""What several responders share."""
