"""Cloud KMS, `v1`: every key is there, and has an IAM policy; nothing is encrypted by one."""

from local.core.iam_policies import IamPolicies
from local.core.rest import RestMethod, RestRequest

HOST = "cloudkms.googleapis.com"
_PATH = "/v1/projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}"


class CryptoKeys:
    """The keys of every project."""

    def __init__(self, policies: IamPolicies) -> None:
        self._policies = policies

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        return self._policies.calls("projects.locations.keyRings.cryptoKeys", _PATH, "GET", _name)


def _name(request: RestRequest) -> str:
    return _PATH.removeprefix("/v1/").format_map(request.ids)
