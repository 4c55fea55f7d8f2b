"""ID tokens of our own service account, by the Service Account Credentials API.

Shape: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
(read 2026-11). The metadata server would give one without a permission, but tells nobody which
account it is of; this one is asked for by name.
"""

from msgspec import Struct

from shared.adapters.gcp.rest import Rest

HOST = "iamcredentials.googleapis.com"
PERMISSIONS = ("iam.serviceAccounts.getOpenIdToken",)
"""On the account itself."""


class _Signed(Struct, frozen=True):
    token: str


class ServiceAccountTokenSource:
    """An IdTokenSource of one account."""

    def __init__(self, rest: Rest, account: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/-/serviceAccounts/{account}:generateIdToken"

    def token(self, audience: str) -> str:
        return self._rest.post(self._path, {"audience": audience, "includeEmail": True}, _Signed).token
