"""The product in one thread of virtual time, where a seed decides what happens when."""
