"""Commands that show the state: status, report, explain, audit log. An export is recorded first."""
