"""Steps that change resources beside functions."""
