"""Steps that change functions."""
