"""ID tokens of our own service account, by the Service Account Credentials API.

Shape: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
(read 2026-11). The metadata server would give one without a permission, but tells nobody which
account it is of; this one is asked for by name.
"""

from dataclasses import dataclass

from shared.adapters.gcp.rest import Answer, Rest

HOST = "iamcredentials.googleapis.com"
PERMISSIONS = ("iam.serviceAccounts.getOpenIdToken",)
"""On the account itself."""


class _Signed(Answer):
    token: str


@dataclass
class ServiceAccountTokenSource:
    """An IdTokenSource of one account."""

    _rest: Rest
    _account: str

    def token(self, audience: str) -> str:
        path = f"/v1/projects/-/serviceAccounts/{self._account}:generateIdToken"
        return self._rest.post(path, {"audience": audience, "includeEmail": True}, _Signed).token
