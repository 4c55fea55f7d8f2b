"""The rollback system: values, decisions, engine and adapters."""
