"""A browser at the operators' console, and what a person reads there."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from responders.triggers.console import ConsoleTrigger
from shared.domain.presentation.console_http import ConsoleRequest, ConsoleResponse
from tests.support.runtime.world import World

ADA = "ada@example.com"
HOST = "console.example"


class Browser:
    """As much of one as a form needs: it keeps cookies, follows redirects, sends what it sees."""

    def __init__(self, world: World) -> None:
        self.console = ConsoleTrigger(world.ports, {world.policy.system: world.policy})
        self.cookies: dict[str, str] = {}
        self.address = ""

    def get(self, address: str, **headers: str) -> ConsoleResponse:
        """A page, after redirects."""
        return self._went("GET", address, {}, headers)

    def post(self, address: str, form: dict[str, str], **headers: str) -> ConsoleResponse:
        """The answer to a form, after redirects."""
        return self._went("POST", address, form, {"origin": f"https://{HOST}", **headers})

    def submit(self, page: ConsoleResponse, **typed: str) -> ConsoleResponse:
        """Send the last form of a page, with what was typed."""
        html = page.body.decode().rpartition("<form")[2]
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html))
        action = re.search(r'action="([^"]+)"', html)
        assert action is not None
        return self.post(action[1], {**hidden, **typed})

    def sign_in(self, **typed: str) -> ConsoleResponse:
        """By the form, as Ada but for what is typed."""
        known = {"email": ADA, "password": "pw", "code": "123456"}
        return self.submit(self.get("/sign-in?to=%2Fpins"), **{**known, **typed})

    def say(self, address: str, reason: str = "a test") -> ConsoleResponse:
        """Open the page of a command, and confirm it."""
        form = self.get(address).body.decode().partition("<main")[2]
        return self.submit(ConsoleResponse(HTTPStatus.OK, {}, form.encode()), reason=reason)

    def _went(self, method: str, address: str, form: dict[str, str], headers: Any) -> ConsoleResponse:
        url = urlsplit(address)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        visit = ConsoleRequest(
            method, url.path, dict(parse_qsl(url.query)), form, dict(self.cookies), {"host": HOST, **said}
        )
        page = self.console.answer(visit)
        if "Set-Cookie" in page.headers:
            name, _, rest = page.headers["Set-Cookie"].partition("=")
            self.cookies[name] = rest.partition(";")[0]
        self.address = address
        if page.status is HTTPStatus.SEE_OTHER:
            return self._went("GET", page.headers["Location"], {}, {})
        return page


def visible_text(page: ConsoleResponse) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.body.decode()).split())
