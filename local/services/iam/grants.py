"""What Google refuses of a grant: members, accounts and roles that are not there, conditions."""

import re
from collections.abc import Callable

from local.core.iam_policies import Grant
from local.core.rest import invalid_argument
from local.services.iam.conditions import check_condition

_MEMBER_PATTERN = re.compile(
    r"allUsers|allAuthenticatedUsers|(?:user|group|serviceAccount|domain|deleted|principal|principalSet"
    r"|projectOwner|projectEditor|projectViewer):\S+"
)
_AGENT = r"service-(?:(?:project|folder|org)-)?\d+@"
"""Begins the address of an agent of one of Google's services."""
_ACCOUNT_PATTERN = re.compile(rf"serviceAccount:((?!{_AGENT})[^@]+@[^@]+\.iam\.gserviceaccount\.com)")
"""An account that somebody has created."""
_AGENT_PATTERN = re.compile(
    rf"serviceAccount:({_AGENT}gcp-sa-(?:logging|monitoring-notification|pubsub|scc-notification)\..+)"
)
"""An agent that is not there before somebody needs it; most others are there with their APIs."""


class GrantRules:
    """Refuses grants as Google does."""

    def __init__(
        self,
        has_account: Callable[[str], bool],
        has_agent: Callable[[str], bool],
        has_role: Callable[[str], bool],
    ) -> None:
        """The first two know accounts by address, `has_role` custom roles by name."""
        self._known = ((_ACCOUNT_PATTERN, has_account), (_AGENT_PATTERN, has_agent))
        self._has_role = has_role

    def check(self, grant: Grant) -> None:
        """Raises: StatusError INVALID_ARGUMENT."""
        if not _MEMBER_PATTERN.fullmatch(grant.member):
            raise invalid_argument(f"Invalid member: {grant.member}")
        for pattern, is_there in self._known:
            account = pattern.fullmatch(grant.member)
            if account and not is_there(account[1]):
                raise invalid_argument(f"Service account {account[1]} does not exist.")
        if not grant.role.startswith("roles/") and not self._has_role(grant.role):
            raise invalid_argument(f"Role ({grant.role}) does not exist in the resource's hierarchy.")
        if grant.condition:
            check_condition(grant.condition)
