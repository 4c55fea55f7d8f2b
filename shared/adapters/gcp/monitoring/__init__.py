"""Cloud Monitoring: metrics, alert states, configuration."""
