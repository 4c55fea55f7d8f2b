"""What Google refuses of a grant: members, accounts and roles that are not there, conditions."""

import re
from collections.abc import Callable

from local.core.iam_policies import Grant
from local.core.rest import invalid_argument

_MEMBER_PATTERN = re.compile(
    r"allUsers|allAuthenticatedUsers|(?:user|group|serviceAccount|domain|deleted|principal|principalSet"
    r"|projectOwner|projectEditor|projectViewer):\S+"
)
_ACCOUNT_PATTERN = re.compile(
    r"serviceAccount:(?P<email>(?!service-\d+@)[^@]+@[^@]+\.iam\.gserviceaccount\.com)"
)
"""An account that somebody has created; agents of Google's services are named `service-NUMBER`."""


class GrantRules:
    """Refuses grants as Google does."""

    def __init__(self, has_account: Callable[[str], bool], has_role: Callable[[str], bool]) -> None:
        """`has_account` knows service accounts by address, `has_role` custom roles by name."""
        self._has_account = has_account
        self._has_role = has_role

    def check(self, grant: Grant) -> None:
        """Raises: StatusError INVALID_ARGUMENT."""
        if not _MEMBER_PATTERN.fullmatch(grant.member):
            raise invalid_argument(f"Invalid member: {grant.member}")
        account = _ACCOUNT_PATTERN.fullmatch(grant.member)
        if account and not self._has_account(account["email"]):
            raise invalid_argument(f"Service account {account['email']} does not exist.")
        if not grant.role.startswith("roles/") and not self._has_role(grant.role):
            raise invalid_argument(f"Role ({grant.role}) does not exist in the resource's hierarchy.")
