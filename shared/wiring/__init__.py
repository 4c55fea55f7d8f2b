"""Settings, and the adapters built from them."""
