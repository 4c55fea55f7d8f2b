"""Worlds in memory behind the product's ports: one thread, no I/O, no real time, no chance."""
