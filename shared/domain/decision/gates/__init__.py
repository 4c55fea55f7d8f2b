"""The gates, by what they ask."""
