"""A bookshop with data: corrupted, repaired, backed up, erased."""
