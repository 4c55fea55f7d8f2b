"""One module per trigger: decode, dispatch."""
