"""Service Account Credentials, `v1`: ID tokens of any service account, as a REST product.

Shape: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
(read 2026-11). Whoever knows the host by heart asks the front door, which answers alike.
"""

import grpc
import msgspec

from local.core.grpc_services import StatusError
from local.core.rest import Resource, RestMethod, RestRequest
from local.services.identity.service import EmbeddedIdentity

HOST = "iamcredentials.googleapis.com"


class Credentials:
    """The tokens of the embedded identity's service accounts."""

    def __init__(self, identity: EmbeddedIdentity) -> None:
        self._identity = identity

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        path = "/v1/projects/-/serviceAccounts/{account}:generateIdToken"
        generate = ("projects.serviceAccounts.generateIdToken", "POST", path, self._signed)
        return (RestMethod(*generate, {"audience": str, "includeEmail": bool}),)

    def _signed(self, request: RestRequest) -> Resource:
        path = f"/v1/projects/-/serviceAccounts/{request.ids['account']}:generateIdToken"
        body = msgspec.json.encode(request.body)
        reply = self._identity.respond("POST", HOST, path, {}, body)
        if reply.status != 200:
            raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, str(reply.content["error"]["message"]))
        return reply.content
