"""Measurements, run by hand and by the chaos target; none of them is a test."""
