"""What goes out beside functions, as a build or a person's console would send it: plain REST."""

from typing import Any

import httpx

from local.demo.staging.processes import DemoFailed, DemoStage
from local.services.firebase import hosting, identity, remote_config
from local.system_resources import FAILURE_RATE_LABEL

_CALL_TIMEOUT_SECONDS = 10.0
TEMPLATE = {"parameters": {"checkout": {"defaultValue": {"value": "new"}}}}


def release_site(stage: DemoStage) -> str:
    """The name of a new version of the first site, which answers nobody, now live."""
    where = f"/v1beta1/sites/{stage.policy.resources.hosting_sites[0]}"
    said = {"config": {}, "labels": {FAILURE_RATE_LABEL: "1"}}
    version = str(_call(stage, hosting.HOST, "POST", f"{where}/versions", said)["name"])
    finalized = {"status": "FINALIZED"}
    _call(stage, hosting.HOST, "PATCH", f"/v1beta1/{version}?updateMask=status", finalized)
    _call(stage, hosting.HOST, "POST", f"{where}/releases?versionName={version}", {})
    return version.rpartition("/")[2]


def publish_template(stage: DemoStage) -> None:
    """Another template of Remote Config is published."""
    where = f"/v1/projects/{stage.policy.project}/remoteConfig"
    _call(stage, remote_config.HOST, "PUT", where, TEMPLATE, {"If-Match": "*"})


def disable_email_sign_in(stage: DemoStage) -> None:
    """Signing in by e-mail is switched off."""
    where = f"/admin/v2/projects/{stage.policy.project}/config?updateMask=signIn.email.enabled"
    _call(stage, identity.HOST, "PATCH", where, {"signIn": {"email": {"enabled": False}}})


def _call(
    stage: DemoStage, host: str, method: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> Any:
    """What is answered. Raises: Broken, when it is not done."""
    answer = httpx.request(
        method,
        f"http://{stage.addresses['rest']}{path}",
        json=body,
        headers={"Host": host, **(headers or {})},
        timeout=_CALL_TIMEOUT_SECONDS,
        trust_env=False,
    )
    if answer.is_error:
        raise DemoFailed(f"{host} refuses {path}: {answer.text}")
    return answer.json()
