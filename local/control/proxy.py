"""How a process reaches the embedded Identity as if it were Google: by a proxy and its authority.

firebase-admin knows Google's addresses by heart and asks over TLS. Left as it is, it goes where
HTTPS_PROXY leads, and trusts whom REQUESTS_CA_BUNDLE names (requests, "SSL Cert Verification" and
"Proxies", read 2026-11-24). An instance on Cloud Run refuses both
(`shared.wiring.settings.PROXY_VARIABLES`).
"""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

from shared.wiring.settings import PROXY_VARIABLES

CALL_TIMEOUT_SECONDS = 10.0


def build_proxy_environment(control: str, folder: Path) -> dict[str, str]:
    """The variables that lead a process to the cloud at `control` (`127.0.0.1:port`).

    The authority's certificate is written into the folder.
    """
    connection = HTTPConnection(control, timeout=CALL_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/_cloud/identity")
        certificate: str = json.loads(connection.getresponse().read())["certificate"]
    finally:
        connection.close()
    bundle = folder / "authority.pem"
    bundle.write_text(certificate)
    return {
        "HTTPS_PROXY": f"http://{control}",
        "NO_PROXY": "127.0.0.1,localhost",
        "REQUESTS_CA_BUNDLE": str(bundle),
    }


def remove_proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without anybody else's proxy; a lower-case one would win over ours."""
    elsewhere = {*PROXY_VARIABLES, "no_proxy", "NO_PROXY", "FIREBASE_AUTH_EMULATOR_HOST"}
    return {name: value for name, value in environment.items() if name not in elsewhere}
