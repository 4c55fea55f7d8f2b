"""Service Usage."""
