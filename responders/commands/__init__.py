"""Operator commands: `registry` has their handlers, `execution` and `worker` run them."""
