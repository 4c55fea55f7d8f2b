"""The embedded Cloud Monitoring: counted requests as time series, and the alerts on them."""

from local.services.monitoring.alert_evaluator import Alerter
from local.services.monitoring.alerts import Alerts
from local.services.monitoring.configuration import Setup
from local.services.monitoring.ingestion_delay import Ingestion
from local.services.monitoring.service import Metrics

__all__ = ["Alerter", "Alerts", "Ingestion", "Metrics", "Setup"]
