"""Firebase's own control planes: Hosting, Remote Config, Rules, Identity Platform."""

from local.firebase.hosting import Hosting
from local.firebase.identity import Identity
from local.firebase.remote_config import RemoteConfig
from local.firebase.rules import Rules

__all__ = ["Hosting", "Identity", "RemoteConfig", "Rules"]
