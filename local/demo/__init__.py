"""One whole emergency, played for real: bad release, alert, rollback, watch, and every law."""
