"""The whole path over the real wire."""
