"""Topics, subscriptions, snapshots and filters."""
