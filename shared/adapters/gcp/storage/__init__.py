"""Cloud Storage: objects, mirrors, public pages."""
