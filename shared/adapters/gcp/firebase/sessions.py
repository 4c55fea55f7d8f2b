"""The sessions of an application's people, in Firebase Authentication."""

from datetime import datetime

from shared.adapters.gcp.rest import Answer, Rest
from shared.ports.resources import UserPage

HOST = "identitytoolkit.googleapis.com"
PERMISSIONS = ("firebaseauth.users.get", "firebaseauth.users.update", "serviceusage.services.use")

_PAGE = "50"


class _User(Answer):
    local_id: str
    valid_since: str = "0"
    """Seconds since 1970, as text."""


class _Users(Answer):
    users: list[_User] = []
    next_page_token: str = ""


class FirebaseSessions:
    """A Sessions over `v1` of one project, which pays for the quota too."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/accounts"
        self._headers = {"x-goog-user-project": project}

    def people(self, cursor: str, since: datetime) -> UserPage:
        """One page of `accounts:batchGet`; what it says of passwords is not read."""
        query = {"maxResults": _PAGE, **({"nextPageToken": cursor} if cursor else {})}
        page = self._rest.get(f"{self._path}:batchGet", _Users, query, self._headers)
        seconds = int(since.timestamp())
        older = tuple(one.local_id for one in page.users if int(one.valid_since) < seconds)
        return UserPage(older, page.next_page_token)

    def end(self, person: str, since: datetime) -> None:
        """By `validSince`, which ends what was begun in an earlier second."""
        changed = {"localId": person, "validSince": str(int(since.timestamp()))}
        self._rest.send_change("POST", f"{self._path}:update", changed, headers=self._headers)
