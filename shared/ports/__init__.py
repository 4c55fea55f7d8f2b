"""The ports: protocols, grouped by what they are for."""
