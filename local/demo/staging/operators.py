"""The people of the play: each signs in with a second factor, and proves who says a command."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from local.demo.staging.processes import Broken, Stage
from local.services.identity.users import code
from shared.adapters.sign_in import Challenge, SignIn
from shared.core import topics
from shared.core.errors import RollbackError
from shared.domain.commands.credential import TOKEN

PEOPLE = ("operator@example.com", "second@example.com")
PASSWORD = "of the play"  # noqa: S105 - it protects nothing
APP_SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105 - of an authenticator app that is played, too
API_KEY = "of-the-play"
WAY_IN = f"as {PEOPLE[0]}, password: {PASSWORD}, secret of the authenticator app: {APP_SECRET}"
"""What whoever wants to look must know; the first command makes the person."""


def command(stage: Stage, content: Mapping[str, Any], email: str = PEOPLE[0]) -> None:
    """Publish a command with a person's token in it. Raises: Broken."""
    stage.publish(topics.COMMANDS, {**content, TOKEN: _token(stage, email)})


def _token(stage: Stage, email: str) -> str:
    """A token of an admin who has just signed in."""
    account = {"email": email, "password": PASSWORD, "role": "admin", "totp_secret": APP_SECRET}
    stage.enrol(account)
    sign_in = SignIn(API_KEY, stage.addresses["control"])
    try:
        asked = sign_in.begin(email, PASSWORD)
        if not isinstance(asked, Challenge):
            raise Broken("the operator was asked for no second factor")
        return sign_in.finish(asked, code(APP_SECRET, time.time())).id_token
    except RollbackError as error:
        raise Broken(f"the operator cannot sign in: {error}") from error
