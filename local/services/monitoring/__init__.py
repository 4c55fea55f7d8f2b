"""The embedded Cloud Monitoring: counted requests as time series, and the alerts on them."""

from local.services.monitoring.alert_evaluator import AlertEvaluator
from local.services.monitoring.alerts import Alerts
from local.services.monitoring.configuration import MonitoringConfiguration
from local.services.monitoring.ingestion_delay import IngestionDelay
from local.services.monitoring.service import MetricService

__all__ = ["AlertEvaluator", "Alerts", "IngestionDelay", "MetricService", "MonitoringConfiguration"]
