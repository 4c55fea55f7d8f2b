"""Firebase's own control planes: Hosting, Remote Config, Rules, Identity Platform."""

from local.services.firebase.hosting import HostingService
from local.services.firebase.identity import IdentityPlatformService
from local.services.firebase.remote_config import RemoteConfigService
from local.services.firebase.rules import RulesService

__all__ = ["HostingService", "IdentityPlatformService", "RemoteConfigService", "RulesService"]
