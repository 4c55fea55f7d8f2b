"""The gates, grouped by their question; `registry` lists all of them in order."""
