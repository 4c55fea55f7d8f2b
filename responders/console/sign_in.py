"""Who is at the console: signed in with a second factor and a role, by the token in a cookie."""

from dataclasses import dataclass
from datetime import timedelta

from shared.core.codec import FrozenStruct
from shared.core.errors import Rejected
from shared.domain.commands.credential import Credential, CredentialKind
from shared.domain.presentation.console_http import (
    SESSION_COOKIE,
    VISITOR_COOKIE,
    ConsoleRequest,
    ConsoleResponse,
    csrf_token,
    has_csrf_token,
    is_cookie_value,
    own_path,
    redirect_response,
    session_cookie,
)
from shared.ports.groups import Ports

MAX_SESSION_DURATION = timedelta(hours=1)
"""As long as an ID token lives."""
NO_ROLE = "you have no role here: an administrator can give you one (docs/identity.md)"
NO_SECOND_FACTOR = "you have no second factor: first enrol an app (rollback enrol)"
FOREIGN_FORM_TEXT = "this form is of another sign-in, or of another page: open it anew"


class ConsoleSession(FrozenStruct):
    """Somebody who may look, and perhaps change something."""

    credential: Credential
    token: str

    @property
    def csrf_token(self) -> str:
        """What their forms show."""
        return csrf_token(self.token)


@dataclass
class ConsoleSignIn:
    """Signs operators in and out, and knows them again.

    The session is the ID token itself, which Google has signed: nothing of it is kept here. It is
    verified, and its user looked up, on each request, so whoever is disabled or revoked is out at
    once.
    """

    _ports: Ports

    def find_session(self, visit: ConsoleRequest) -> ConsoleSession | None:
        """Whose request it is; None: nobody is signed in who may look. Raises: Unavailable."""
        token = visit.cookies.get(SESSION_COOKIE, "")
        if not token:
            return None
        try:
            credential = self._ports.operators.tokens.verify(token)
        except Rejected:
            return None
        return None if _find_access_obstacle(credential) else ConsoleSession(credential, token)

    def form(self, visit: ConsoleRequest, why: str = "") -> tuple[dict[str, object], str]:
        """What the page of signing in shows, and the cookie that its form is of."""
        known = visit.cookies.get(VISITOR_COOKIE, "")
        visitor = known if is_cookie_value(known) else self._ports.ids()
        facts: dict[str, object] = {
            "mark": csrf_token(visitor),
            "to": own_path(visit.form.get("to") or visit.query.get("to", "/")),
            "why": why,
            "email": visit.form.get("email", ""),
        }
        return facts, session_cookie(VISITOR_COOKIE, visitor, int(MAX_SESSION_DURATION.total_seconds()))

    def sign_in(self, visit: ConsoleRequest) -> ConsoleResponse | str:
        """Return the way on after a sign-in, else the reason for the form. Raises: Unavailable."""
        if not has_csrf_token(visit, visit.cookies.get(VISITOR_COOKIE, "")):
            return FOREIGN_FORM_TEXT
        said = (visit.form.get(name, "") for name in ("email", "password", "code"))
        try:
            token = self._ports.operators.sign_in.sign_in(*said)
            credential = self._ports.operators.tokens.verify(token)
        except Rejected as rejected:
            return str(rejected)
        fault = _find_access_obstacle(credential)
        if fault:
            return fault
        left = credential.expires_at - self._ports.clock.now()
        seconds = int(min(MAX_SESSION_DURATION, left).total_seconds())
        to = own_path(visit.form.get("to", "/"))
        cookie = session_cookie(SESSION_COOKIE, token, seconds)
        return redirect_response(visit, to, cookie)

    def sign_out(self, visit: ConsoleRequest, session: ConsoleSession) -> ConsoleResponse:
        """Nobody is signed in there any more. Raises: Rejected."""
        if not has_csrf_token(visit, session.token):
            raise Rejected(FOREIGN_FORM_TEXT)
        cookie = session_cookie(SESSION_COOKIE, "", 0)
        return redirect_response(visit, "/sign-in", cookie)


def _find_access_obstacle(credential: Credential) -> str:
    """Why somebody may not even look; "" when they may."""
    if credential.kind is not CredentialKind.PERSON or credential.role is None:
        return NO_ROLE
    return "" if credential.second_factor else NO_SECOND_FACTOR
