"""One module per trigger: decode, dispatch; `registry` lists the triggers."""
