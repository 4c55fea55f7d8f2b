"""Service accounts and the IAM policies of projects."""
