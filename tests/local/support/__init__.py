"""What the tests of the embedded cloud set up, by service."""
