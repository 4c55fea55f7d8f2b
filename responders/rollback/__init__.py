"""The life of a rollback: case, approval, completion, reports."""
