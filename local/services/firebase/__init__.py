"""Firebase's own control planes: Hosting, Remote Config, Rules, Identity Platform."""

from local.services.firebase.hosting import Hosting
from local.services.firebase.identity import Identity
from local.services.firebase.remote_config import RemoteConfig
from local.services.firebase.rules import Rules

__all__ = ["Hosting", "Identity", "RemoteConfig", "Rules"]
