"""Policy files: loader, schema, validation."""
