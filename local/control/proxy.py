"""How a process reaches the embedded cloud as if it were Google: by a proxy and its authority.

firebase-admin knows Google's addresses by heart and asks over TLS. Left as it is, it goes where
HTTPS_PROXY leads, and trusts whom REQUESTS_CA_BUNDLE names (requests, "SSL Cert Verification" and
"Proxies", read 2026-11-24). An instance on Cloud Run refuses both
(`shared.wiring.settings.PROXY_VARIABLES`).
"""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from shared.wiring.settings import PROXY_VARIABLES

CALL_TIMEOUT_SECONDS = 10.0
NO_PROXY = "127.0.0.1,localhost"
AUTHORITY_VARIABLES = (
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_CREDENTIALS = {
    "type": "authorized_user",
    **dict.fromkeys(("client_id", "client_secret", "refresh_token"), "embedded-cloud"),
}


def build_proxy_environment(control: str, folder: Path) -> dict[str, str]:
    """The variables that lead a process to the cloud at `control` (`127.0.0.1:port`).

    The authority's certificate is written into the folder.
    """
    connection = HTTPConnection(control, timeout=CALL_TIMEOUT_SECONDS)
    try:
        proxy: str = _ask(connection, "addresses")["proxy"]
        certificate: str = _ask(connection, "identity")["certificate"]
    finally:
        connection.close()
    return {
        "HTTPS_PROXY": f"http://{proxy}",
        "NO_PROXY": NO_PROXY,
        "REQUESTS_CA_BUNDLE": str(write_authority(folder, certificate)),
    }


def build_client_environment(proxy: str, authority: Path, project: str) -> dict[str, str]:
    """The variables with which unchanged clients in any language reach the cloud as Google.

    gRPC's core reads lower case and a list of its own. The credentials, which are written beside
    the authority, are of nobody: each exchange of them gives a token.
    """
    credentials = authority.with_name("credentials.json")
    credentials.write_text(json.dumps(_CREDENTIALS))
    proxies = ("HTTPS_PROXY", "https_proxy", "grpc_proxy")
    return {
        **dict.fromkeys(proxies, f"http://{proxy}"),
        **dict.fromkeys(("NO_PROXY", "no_proxy", "no_grpc_proxy"), NO_PROXY),
        **dict.fromkeys(AUTHORITY_VARIABLES, str(authority)),
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "GOOGLE_CLOUD_PROJECT": project,
    }


def write_authority(folder: Path, certificate: str) -> Path:
    """The file of the authority that clients of the proxy must trust."""
    authority = folder / "authority.pem"
    authority.write_text(certificate)
    return authority


def _ask(connection: HTTPConnection, verb: str) -> dict[str, Any]:
    connection.request("GET", f"/_cloud/{verb}")
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def remove_proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without anybody else's proxy; a lower-case one would win over ours."""
    lists = {"no_proxy", "NO_PROXY", "no_grpc_proxy"}
    elsewhere = {*PROXY_VARIABLES, *lists, "grpc_proxy", "FIREBASE_AUTH_EMULATOR_HOST"}
    return {name: value for name, value in environment.items() if name not in elsewhere}
