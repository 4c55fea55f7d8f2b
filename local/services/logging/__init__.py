"""Cloud Logging: sinks, exclusions and log-based metrics as they are declared."""
