"""Commands that begin or undo a rollback."""
