"""Firebase Authentication and Google's ID tokens, as far as a command's proof of identity needs."""

from local.services.identity.service import HOSTS, EmbeddedIdentity, IdentityReply
from local.services.identity.users import Account, User

__all__ = ["HOSTS", "Account", "EmbeddedIdentity", "IdentityReply", "User"]
