"""Operator commands, one module each; `execution` and `worker` run them."""
