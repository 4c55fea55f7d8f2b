"""The inventory: state, differences, traffic."""
