"""Notices, status page, devices and the audit log they leave."""
