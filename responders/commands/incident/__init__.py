"""Commands about an incident."""
