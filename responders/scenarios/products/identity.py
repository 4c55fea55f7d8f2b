"""Identity Platform: each setting that is not as it was."""

import re
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from responders.scenarios.resource_plan import Portion, ResourceState
from shared.core.codec import JsonObject, from_json
from shared.domain.deployments.inventory.inventory_parts import WholeInventory, is_secret_path
from shared.domain.rollback.plan import build_step
from shared.engine.steps.resources.set_auth_config import (
    KIND,
    AuthConfigGoal,
    AuthSetting,
    describe_origin,
    mask_fields,
)

BLOCKING = "blockingFunctions.triggers"

_OUTPUT_ONLY_SETTINGS = re.compile(
    r"signIn\.hashConfig\b.*|client\.firebaseSubdomain|notification\.sendEmail\.dnsInfo\b.*"
    r"|notification\.sendEmail\.\w+Template\.customized|passwordPolicyConfig\.lastUpdateTime"
)
"""Output only, as far as is known."""


def plan_auth_config(sight: ResourceState, within: timedelta) -> Portion:
    """Return a step that sets what differs, no secrets; settings with absent functions stay."""
    recorded, live = sight.recorded, sight.live
    if not recorded.identity:
        return Portion()
    then, now = mask_fields(recorded.identity), mask_fields(live.identity or {})
    settings = [
        AuthSetting(path, then.get(path), now.get(path))
        for path in sorted(then.keys() | now.keys())
        if then.get(path) != now.get(path) and not is_secret_path(path)
    ]
    said = [one for one in settings if _OUTPUT_ONLY_SETTINGS.fullmatch(one.path)]
    called, missing = _find_blocking_functions(settings, live)
    settable = tuple(one for one in settings if one not in said and not (missing and one.path == BLOCKING))
    reported = [f"identity {one.path} is set by the platform: not changed" for one in said]
    if missing:
        reported.append(f"identity {BLOCKING} is not changed: {', '.join(missing)} does not exist")
    if any(one.path.startswith("notification.sendEmail.smtp.") for one in settable):
        reported.append("identity: the password of the mail server is not stored and is not changed")
    if not settable:
        return Portion(reported=tuple(reported))
    goal, seen = AuthConfigGoal(settable, () if missing else called), describe_origin(settable)
    return Portion((build_step("set identity", KIND, "identity", goal, within, seen=seen),), tuple(reported))


def _find_blocking_functions(
    settings: Iterable[AuthSetting], live: WholeInventory
) -> tuple[tuple[str, ...], list[str]]:
    """The functions that restored triggers call, and the addresses at which there is none."""
    goal = next((one.goal for one in settings if one.path == BLOCKING), None)
    triggers = from_json(goal, dict[str, JsonObject]) if goal else {}
    addresses = sorted({str(one.get("functionUri", "")) for one in triggers.values()})
    found = {address: _function_at(address, live) for address in addresses}
    called = tuple(sorted({name for name in found.values() if name}))
    return called, [address or "a function" for address, name in found.items() if not name]


def _function_at(address: str, live: WholeInventory) -> str:
    """Return the function of a `….cloudfunctions.net/NAME` or `SERVICE-….run.app`, or empty."""
    parts = urlsplit(address)
    host, path = parts.hostname or "", parts.path.strip("/")
    for name, function in live.function_states.items():
        service = function.service.rpartition("/")[2]
        if path == name and host.endswith(".cloudfunctions.net"):
            return name
        if service and host.startswith(f"{service}-") and host.endswith(".run.app"):
            return name
    return ""
