"""Identity Platform, `admin/v2`: the configuration of a project, without versions and etags.

Shapes: https://cloud.google.com/identity-platform/docs/reference/rest/v2/Config (read 2026-11).
"""

from __future__ import annotations

import base64
from typing import Any

import grpc

from local.application import names
from local.journal import Journal
from local.rest import Call, Request, Resource
from local.shelf import Shelf
from local.wire import Refused

HOST = "identitytoolkit.googleapis.com"
_OUTPUT_ONLY = ("name", "subtype")
_FIELDS = frozenset(
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


class Identity:
    """The configuration of every project, secrets included, as the real one hands them out."""

    def __init__(self, journal: Journal) -> None:
        self._shelf = Shelf(journal, "identity")

    def found(self, project: str) -> None:
        """Give a project its configuration, unless it has one."""
        name = f"projects/{project}/config"
        with self._shelf.lock:
            if name not in self._shelf:
                self._shelf.put({"name": name, **_first(project)})

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        config = "/admin/v2/projects/{project}/config"
        return (
            Call("projects.getConfig", "GET", config, self._get),
            Call("projects.updateConfig", "PATCH", config, self._patch),
        )

    def _get(self, request: Request) -> Resource:
        return self._shelf.find(f"projects/{request.ids['project']}/config")

    def _patch(self, request: Request) -> Resource:
        """The configuration with the fields of `updateMask` as in the body, absent ones cleared.

        Nothing can make it conditional.
        """
        paths = [path for path in request.query.get("updateMask", "").split(",") if path]
        with self._shelf.lock:
            config = self._shelf.find(f"projects/{request.ids['project']}/config")
            for path in paths or [key for key in request.body if key not in _OUTPUT_ONLY]:
                parts = path.split(".")
                if parts[0] not in _FIELDS:
                    raise Refused(
                        grpc.StatusCode.INVALID_ARGUMENT, f"updateMask: there is no field '{path}'"
                    )
                config = _with(config, parts, request.body)
            self._shelf.put(config)
            return config


def _with(resource: Resource, parts: list[str], given: Any) -> Resource:
    """The resource with one field, however deep, as it is given."""
    first, *deeper = parts
    there = given.get(first) if isinstance(given, dict) else None
    if deeper:
        inner = resource.get(first)
        there = _with(inner if isinstance(inner, dict) else {}, deeper, there)
    kept = {key: value for key, value in resource.items() if key != first}
    return kept if there is None else {**kept, first: there}


def _first(project: str) -> Resource:
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
