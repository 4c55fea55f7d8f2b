"""Every other side of a way to people: it takes down what it is told, and answers as asked for."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from firebase_admin import credentials
from google.auth.credentials import AnonymousCredentials

from shared.domain.notices.message import NoticeMessage
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from tests.contracts.support.http_server import Quiet
from tests.support.faults.hostile_text import ID

WORDS = NoticeMessage("The Bookshop: not working", "Shop: not working since 12:00 UTC.\n")
KEY = f"{ID}:detected:page"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
USERS = Channel("users", ChannelKind.PUSH, audience=Audience.USERS)
TOLD = {
    "system": "bookshop",
    "incident": ID,
    "event": "detected",
    "public_word": "detected",
    "subject": WORDS.subject,
    "body": WORDS.body,
}


class Server(ThreadingHTTPServer):
    """Plays every other side: answers with `status`, keeps incidents as Statuspage does."""

    leave: Callable[[], None]
    """From then on nobody is there."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.status = 200
        self.told: list[tuple[str, str, dict[str, str], Any]] = []
        """Method, path, headers, content of whatever is no look."""
        self.incidents: list[dict[str, Any]] = []
        self.refusals: dict[str, tuple[int, str, str]] = {}
        """Of messages to devices, by token: status, its name, and FCM's own code."""

    def answer(self, method: str, path: str, said: Any) -> Any:
        if "/incidents" not in path:
            return {"name": "projects/p/messages/1"}
        if method == "GET":
            return self.incidents
        [_, _, *rest] = path.partition("/incidents/")
        if method == "POST":
            self.incidents.append({"id": "s1", "incident_updates": [], **said["incident"]})
        known = next(one for one in self.incidents if one["id"] == (rest[0] or "s1"))
        known["incident_updates"].append({"body": said["incident"]["body"]})
        known["status"] = said["incident"].get("status", known.get("status"))
        return known


class Handler(Quiet, BaseHTTPRequestHandler):
    server: Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is answered in the same way."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._respond

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = json.loads(body) if body else None
        if self.command != "GET":
            self.server.told.append((self.command, self.path, dict(self.headers), said))
        status, answer = self._judged(said)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _judged(self, said: Any) -> tuple[int, Any]:
        message = said.get("message") if isinstance(said, dict) else None
        token = message.get("token", "") if isinstance(message, dict) else ""
        if token in self.server.refusals:
            status, name, code = self.server.refusals[token]
            details = [{"@type": FCM_ERROR, "errorCode": code}]
            error = {"status": name, "message": f"{token} is refused", "details": details}
            return status, {"error": error}
        if self.server.status != 200:
            return self.server.status, {}
        return 200, self.server.answer(self.command, self.path, said)


class Refreshable(AnonymousCredentials):  # type: ignore[misc]
    def refresh(self, request: object) -> None: ...


class Anonymous(credentials.Base):  # type: ignore[misc]
    def get_credential(self) -> Any:
        return Refreshable()


class Known:
    """Secrets, by name."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def read(self, name: str) -> str:
        return self._values[name]
