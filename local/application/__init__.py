"""The application under protection: functions with revisions, traffic, errors and counted requests.

It knows nothing but its policy. Nothing in it runs: what has happened by now is computed from the
clock whenever somebody looks.
"""

from local.application.application import Application
from local.application.front import Answer

__all__ = ["Answer", "Application"]
