"""Cloud Scheduler, `v1`."""
