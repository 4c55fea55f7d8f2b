"""The embedded Cloud Monitoring: counted requests as time series, and the alerts on them."""

from local.monitoring.alerter import Alerter
from local.monitoring.alerts import Alerts
from local.monitoring.ingestion import Ingestion
from local.monitoring.metrics import Metrics
from local.monitoring.setup import Setup

__all__ = ["Alerter", "Alerts", "Ingestion", "Metrics", "Setup"]
