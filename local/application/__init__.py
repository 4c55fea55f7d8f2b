"""The application under protection: functions with revisions, traffic, errors and counted requests.

Beside them it has a site, sign-ins and a database's traffic. It knows nothing but its policy.
Nothing in it runs: what has happened by now is computed from the clock whenever somebody looks.
"""

from local.application.application import Application
from local.application.host_router import WebAnswer
from local.application.parts import Part
from local.application.service import DocumentEventFilter, FailureStep

__all__ = ["Application", "DocumentEventFilter", "FailureStep", "Part", "WebAnswer"]
