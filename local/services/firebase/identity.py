"""Identity Platform, `admin/v2`: the configuration of a project, without versions and etags.

Shapes: https://cloud.google.com/identity-platform/docs/reference/rest/v2/Config (read 2026-11).
"""

import base64
from collections.abc import Callable
from typing import Any

import grpc
from msgspec import Struct, ValidationError

from local.application import names
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest, invalid_argument
from shared.core.codec import from_builtins

HOST = "identitytoolkit.googleapis.com"
MAX_PAGE_SIZE = 1000
_OUTPUT_ONLY = ("name", "subtype")
_CONFIG_FIELDS = frozenset(
    {
        "signIn",
        "notification",
        "quota",
        "monitoring",
        "multiTenant",
        "authorizedDomains",
        "client",
        "mfa",
        "blockingFunctions",
        "recaptchaConfig",
        "smsRegionConfig",
        "autodeleteAnonymousUsers",
        "passwordPolicyConfig",
        "emailPrivacyConfig",
        "mobileLinksConfig",
        "defaultHostingSite",
    }
)


_NESTED_FIELDS = {
    "signIn": frozenset({"email", "phoneNumber", "anonymous", "allowDuplicateEmails"}),
    "mfa": frozenset({"state", "enabledProviders", "providerConfigs"}),
    "client": frozenset({"permissions"}),
    "blockingFunctions": frozenset({"triggers", "forwardInboundCredentials"}),
    "smsRegionConfig": frozenset({"allowByDefault", "allowlistOnly"}),
}
"""What a mask can name below a field, of some fields; what the server alone says is not there."""
_PERSON_FIELDS = {
    **dict.fromkeys(("displayName", "email", "localId", "password", "phoneNumber", "photoUrl"), str),
    "emailVerified": bool,
}
_MAP_FIELDS = frozenset({"blockingFunctions.triggers"})
"""A mask ends at a map (google/protobuf/field_mask.proto)."""


class _Email(Struct):
    enabled: bool = False
    passwordRequired: bool = False  # noqa: N815 - Google's name


class _SignIn(Struct):
    """How people sign in, as far as the application follows it."""

    email: _Email | None = None


class IdentityPlatformService:
    """The configuration of every project, secrets included, as the real one hands them out."""

    def __init__(self, journal: Journal) -> None:
        self._shelf = ResourceStore(journal, "identity")
        self.configured: Callable[[str, Resource], None] = lambda project, config: None
        """Told whenever a project's configuration is another one."""
        self._founded: set[str] = set()

    def is_password_sign_in_off(self, api_key: str) -> bool:
        """Whether signing in by e-mail is off in the project whose own web API key that is."""
        with self._shelf.lock:
            configs = [self._shelf.find(name) for name in sorted(self._founded)]
        of_it = [one for one in configs if one.get("client", {}).get("apiKey") == api_key]
        return any(not allows_email_sign_in(one) for one in of_it)

    def api_key(self, project: str) -> str:
        """A project's own web API key; one that is nobody's, where nothing of it is configured."""
        name = f"projects/{project}/config"
        with self._shelf.lock:
            config = self._shelf.find(name) if name in self._shelf else _build_initial_config(project)
        return str(config["client"]["apiKey"])

    def provision(self, project: str) -> None:
        """Give a project its configuration, unless it has one."""
        name = f"projects/{project}/config"
        self._founded.add(name)
        with self._shelf.lock:
            if name not in self._shelf:
                self._shelf.put({"name": name, **_build_initial_config(project)})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        config = "/admin/v2/projects/{project}/config"
        accounts = "/v1/projects/{project}/accounts"
        return (
            RestMethod("projects.getConfig", "GET", config, self._get),
            RestMethod(
                *("projects.updateConfig", "PATCH", config, self._patch),
                *(dict.fromkeys((*_CONFIG_FIELDS, *_OUTPUT_ONLY), Any), ("updateMask",)),
            ),
            RestMethod("projects.accounts", "POST", accounts, self._sign_up, _PERSON_FIELDS),
            RestMethod(
                *("projects.accounts.batchGet", "GET", f"{accounts}:batchGet", self._people),
                parameters=("maxResults", "nextPageToken"),
            ),
            RestMethod(
                *("projects.accounts.update", "POST", f"{accounts}:update", self._change),
                {**_PERSON_FIELDS, "validSince": str | int},
            ),
        )

    def _sign_up(self, request: RestRequest) -> Resource:
        """A person of the application, by the id that is given."""
        person = {"validSince": "0", **request.body}
        self._shelf.put({"name": f"{_accounts_project(request)}/{_read_person_id(request)}", **person})
        return person

    def _people(self, request: RestRequest) -> Resource:
        """A page of them, in order of their ids; the token is the last one."""
        after, stated = request.query.get("nextPageToken", ""), request.query.get("maxResults", "20")
        if not stated.isdecimal() or not 0 < int(stated) <= MAX_PAGE_SIZE:
            raise invalid_argument(f"maxResults '{stated}' is no number from 1 to {MAX_PAGE_SIZE}")
        most = int(stated)
        with self._shelf.lock:
            found = [one for one in self._shelf.below(_accounts_project(request)) if one["localId"] > after]
        page = [{key: one[key] for key in one if key != "name"} for one in found[:most]]
        more = {"nextPageToken": page[-1]["localId"]} if len(found) > most else {}
        return {"users": page, **more} if page else {}

    def _change(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            name = f"{_accounts_project(request)}/{_read_person_id(request)}"
            if name not in self._shelf:
                raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "USER_NOT_FOUND")
            self._shelf.put({**self._shelf.find(name), **request.body})
        return {"localId": request.body["localId"]}

    def _get(self, request: RestRequest) -> Resource:
        return self._shelf.find(f"projects/{request.ids['project']}/config")

    def _patch(self, request: RestRequest) -> Resource:
        """The configuration with the fields of `updateMask` as in the body, absent ones cleared.

        Nothing can make it conditional.
        """
        _check_sign_in(request.body.get("signIn"))
        paths = [path for path in request.query.get("updateMask", "").split(",") if path]
        with self._shelf.lock:
            config = self._shelf.find(f"projects/{request.ids['project']}/config")
            for path in paths or [key for key in request.body if key not in _OUTPUT_ONLY]:
                parts = path.split(".")
                if not _is_maskable(parts):
                    raise StatusError(
                        grpc.StatusCode.INVALID_ARGUMENT, f"updateMask: there is no field '{path}'"
                    )
                config = _set_field(config, parts, request.body)
            self._shelf.put(config)
            self.configured(request.ids["project"], config)
            return config


def allows_email_sign_in(config: Resource) -> bool:
    """Whether people sign in by e-mail in the project of that configuration."""
    return bool(((config.get("signIn") or {}).get("email") or {}).get("enabled", False))


def _read_person_id(request: RestRequest) -> str:
    found = request.body.get("localId")
    if not isinstance(found, str) or not found:
        raise invalid_argument("localId is missing")
    return found


def _check_sign_in(value: object) -> None:
    try:
        from_builtins({} if value is None else value, _SignIn)
    except ValidationError as error:
        raise invalid_argument(f"Invalid value at 'signIn': {error}") from error


def _accounts_project(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/accounts"


def _is_maskable(parts: list[str]) -> bool:
    first, *deeper = parts
    if first not in _CONFIG_FIELDS:
        return False
    if deeper and first in _NESTED_FIELDS and deeper[0] not in _NESTED_FIELDS[first]:
        return False
    return ".".join(parts[:2]) not in _MAP_FIELDS or len(parts) == 2


def _set_field(resource: Resource, parts: list[str], given: Any) -> Resource:
    """The resource with one field, however deep, as it is given."""
    first, *deeper = parts
    there = given.get(first) if isinstance(given, dict) else None
    if deeper:
        inner = resource.get(first)
        there = _set_field(inner if isinstance(inner, dict) else {}, deeper, there)
    kept = {key: value for key, value in resource.items() if key != first}
    return kept if there is None else {**kept, first: there}


def _build_initial_config(project: str) -> Resource:
    """A project with sign-in by e-mail; its keys are made of its name."""
    key = base64.b64encode(names.digest(f"{project}/signer").encode()).decode()
    return {
        "subtype": "IDENTITY_PLATFORM",
        "signIn": {
            "email": {"enabled": True, "passwordRequired": True},
            "allowDuplicateEmails": False,
            "hashConfig": {
                "algorithm": "SCRYPT",
                "signerKey": key,
                "saltSeparator": "Bw==",
                "rounds": 8,
                "memoryCost": 14,
            },
        },
        "notification": {
            "sendEmail": {
                "method": "CUSTOM_SMTP",
                "smtp": {
                    "host": f"smtp.{project}.example",
                    "port": 587,
                    "username": "mailer",
                    "password": names.digest(f"{project}/smtp")[:20],
                    "securityMode": "START_TLS",
                },
            }
        },
        "authorizedDomains": [f"{project}.firebaseapp.com", f"{project}.web.app"],
        "client": {
            "apiKey": f"AIza{names.base36(project, 35)}",
            "permissions": {"disabledUserSignup": False},
        },
        "mfa": {"state": "DISABLED"},
    }
