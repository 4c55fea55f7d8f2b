"""A browser's request to the console, and its answer, with what keeps others out of it. Pure.

What is sent back runs no script and no style but the console's own files, is framed by nobody and
kept by no cache. A form counts only with the mark of the session that it was made for, from a page
of our own.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from shared.core.codec import FrozenStruct

SESSION_COOKIE = "__Host-rollback"
"""The cookie that holds the ID token of whoever has signed in."""
VISITOR_COOKIE = "__Host-rollback-visitor"
"""The cookie of whoever has not: random, for the form of signing in."""
CSRF_FIELD = "mark"
"""The field of a form that shows which session it was made for."""
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer a form's Origin would be null
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}
_TOKEN = re.compile(r"[A-Za-z0-9._-]+")


class ConsoleRequest(FrozenStruct):
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""

    @property
    def is_cross_site(self) -> bool:
        """Whether a page of somebody else's has sent it, as far as the browser says.

        `Sec-Fetch-Site` (fetch.spec.whatwg.org) tells; else `Origin`, which each form carries.
        """
        site, origin = self.headers.get("sec-fetch-site", ""), self.headers.get("origin", "")
        if site:
            return site not in ("same-origin", "none")
        return bool(origin) and urlsplit(origin).netloc != self.headers.get("host", "")

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, to renew a part of a page."""
        return "hx-request" in self.headers

    @property
    def address(self) -> str:
        """Where a browser comes back to it: path and query."""
        words = urlencode(self.query)
        return f"{self.path}?{words}" if words else self.path


class ConsoleResponse(FrozenStruct):
    """What is sent back."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes = b""


def html_response(html: str, status: HTTPStatus = HTTPStatus.OK, cookie: str = "") -> ConsoleResponse:
    """A page of HTML, kept nowhere."""
    headers = {**SECURITY_HEADERS, "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return ConsoleResponse(status, {**headers, **_cookie_header(cookie)}, html.encode())


def self_contained_response(html: str, style: str) -> ConsoleResponse:
    """One whole file of HTML with a style of its own, named by its hash; nothing in it runs."""
    page = html_response(html)
    let_be = CONTENT_SECURITY_POLICY.replace("style-src 'self'", f"style-src '{style}'")
    alone = let_be.replace("script-src 'self'", "script-src 'none'")
    return ConsoleResponse(page.status, {**page.headers, "Content-Security-Policy": alone}, page.body)


def asset_response(content: bytes, content_type: str) -> ConsoleResponse:
    """A file of ours, which its address names by its content."""
    session_cookie = {"Content-Type": content_type, "Cache-Control": "public, max-age=31536000, immutable"}
    return ConsoleResponse(HTTPStatus.OK, {**SECURITY_HEADERS, **session_cookie}, content)


def redirect_response(visit: ConsoleRequest, address: str, cookie: str = "") -> ConsoleResponse:
    """The browser goes to another page of ours; where htmx asks, the whole page does."""
    session_cookie = {**SECURITY_HEADERS, "Cache-Control": "no-store", **_cookie_header(cookie)}
    if visit.is_partial:
        return ConsoleResponse(HTTPStatus.OK, {**session_cookie, "HX-Redirect": address})
    return ConsoleResponse(HTTPStatus.SEE_OTHER, {**session_cookie, "Location": address})


def own_path(address: str) -> str:
    """The address, where it is a path of ours; else the first page."""
    is_a_path = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_a_path and address.isprintable() else "/"


def is_cookie_value(value: str) -> bool:
    """Whether a cookie can hold it as it is; what a browser sends back may be somebody else's."""
    return _TOKEN.fullmatch(value) is not None


def session_cookie(name: str, value: str, seconds: int) -> str:
    """A cookie that scripts cannot read and that no other site sends; no seconds: it goes.

    Raises: ValueError for a value that is no token.
    """
    if value and not is_cookie_value(value):
        raise ValueError("a cookie of other signs than a token has")
    return f"{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"


def csrf_token(secret: str) -> str:
    """What a form shows to be of a session, which only the session's pages know."""
    return hashlib.sha256(f"form of {secret}".encode()).hexdigest()


def has_csrf_token(visit: ConsoleRequest, secret: str) -> bool:
    """Whether a form is of that session, and of a page of ours."""
    said = visit.form.get(CSRF_FIELD, "")
    return (
        bool(secret)
        and not visit.is_cross_site
        and hmac.compare_digest(said.encode(), csrf_token(secret).encode())
    )


def _cookie_header(cookie: str) -> dict[str, str]:
    return {"Set-Cookie": cookie} if cookie else {}
