"""Commands that only read: status, report, explain, audit log."""
