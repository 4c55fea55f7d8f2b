"""Cloud KMS, as far as somebody grants the use of a key."""
