"""The people of the play: each signs in with a second factor, and proves who says a command."""

import time
from collections.abc import Mapping
from typing import Any

from local.demo.staging.processes import DemoFailed, DemoStage
from local.services.identity.users import totp_code
from shared.adapters.sign_in import Challenge, SignIn
from shared.core import topics
from shared.core.errors import RollbackError
from shared.domain.commands.credential import TOKEN_KEY

OPERATOR_EMAILS = ("operator@example.com", "second@example.com")
PASSWORD = "demo-password"  # noqa: S105 - it protects nothing
APP_SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105 - of an authenticator app that is played, too
API_KEY = "of-the-play"
SIGN_IN_HINT = (
    f"sign in as {OPERATOR_EMAILS[0]}, password: {PASSWORD}, secret of the authenticator app: {APP_SECRET}"
)
"""What whoever wants to look must know; the first command makes the person."""


def publish_command(stage: DemoStage, content: Mapping[str, Any], email: str = OPERATOR_EMAILS[0]) -> None:
    """Publish a command with a person's token in it. Raises: Broken."""
    stage.publish(topics.COMMANDS, {**content, TOKEN_KEY: _create_token(stage, email)})


def _create_token(stage: DemoStage, email: str) -> str:
    """A token of an admin who has just signed in."""
    account = {"email": email, "password": PASSWORD, "role": "admin", "totp_secret": APP_SECRET}
    stage.enrol(account)
    sign_in = SignIn(API_KEY, stage.addresses["control"])
    try:
        asked = sign_in.begin(email, PASSWORD)
        if not isinstance(asked, Challenge):
            raise DemoFailed("the operator was not asked for a second factor")
        return sign_in.finish(asked, totp_code(APP_SECRET, time.time())).id_token
    except RollbackError as error:
        raise DemoFailed(f"the operator cannot sign in: {error}") from error
