"""Projects: IAM, quotas, secrets, Cloud Scheduler."""
