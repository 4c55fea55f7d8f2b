"""What all services of the embedded cloud share: clock, journal, transports."""
