"""Operator commands, one module each; `registry` lists them, `execution` and `worker` run them."""
