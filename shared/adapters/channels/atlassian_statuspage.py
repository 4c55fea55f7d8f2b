"""Incidents on a page of Atlassian Statuspage, over its REST API.

https://developer.statuspage.io (read 2026-11): an incident has a name, a status and updates; a
key in `Authorization: OAuth KEY`. It is found by our id in its name, so that a message whose answer
was lost makes no second one, and an update that is there already is not made again.
"""

from urllib.parse import quote

import msgspec

from shared.adapters.channels.base import ChannelClients, exchange, message_of
from shared.core.codec import FrozenStruct, JsonObject, from_json
from shared.core.errors import Unavailable
from shared.domain.incidents.incident import CHECKED_STATUS_NAME, RECHECKED_STATUS_NAME
from shared.domain.notices.message import NoticeMessage
from shared.domain.policy.channels import Channel
from shared.domain.presentation.status_page import RESTORED_STATUS_NAMES, UNOBSERVED_STATUS_NAME
from shared.ports.messaging import NoticeFields

API_URL = "https://api.statuspage.io"
CALL_TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 1024 * 1024
STATUS_BY_WORD = {
    "detected": "investigating",
    "investigating": "investigating",
    CHECKED_STATUS_NAME: "investigating",
    RECHECKED_STATUS_NAME: "investigating",
    "resolved": "resolved",
    UNOBSERVED_STATUS_NAME: "",
    "": "",
}
"""Of public words beside a change and its monitoring; empty: Atlassian has none, the last stays.

A notice of no incident has no public word.
"""
_RETRYABLE_STATUSES = frozenset({408, 420, 429})


def send(clients: ChannelClients, channel: Channel, key: str, notice: NoticeFields) -> None:
    """Show the words in the incident of the channel's page. Raises: Rejected, Unavailable."""
    page = Statuspage(channel.target or "", clients.read_secret(channel))
    page.post_update(notice["incident"], notice["public_word"], message_of(notice), key)


class _Update(FrozenStruct):
    body: str | None = None


class _Incident(FrozenStruct):
    id: str
    name: str
    status: str = ""
    incident_updates: list[_Update] = []


class Statuspage:
    """One page."""

    def __init__(self, page: str, key: str) -> None:
        self._path = f"{API_URL}/v1/pages/{page}/incidents"
        self._headers = {"Authorization": f"OAuth {key.strip()}", "Accept-Encoding": "identity"}

    def post_update(self, incident: str, word: str, worded: NoticeMessage, key: str) -> None:
        """Show these words and the status of a public word, once. Raises: Rejected, Unavailable."""
        body = worded.body.strip()
        status = STATUS_BY_WORD.get(word, "monitoring" if word in RESTORED_STATUS_NAMES else "identified")
        said = {"body": body, **({"status": status} if status else {})}
        known = self._find(incident)
        if known is None:
            named = {**said, "name": f"{worded.subject} ({incident})"}
            self._send_request("POST", self._path, key, {"incident": named})
        elif body not in {one.body for one in known.incident_updates} or status not in ("", known.status):
            self._send_request("PATCH", f"{self._path}/{quote(known.id, safe='')}", key, {"incident": said})

    def _find(self, incident: str) -> _Incident | None:
        content = self._send_request("GET", f"{self._path}?q={quote(incident)}&limit=100", "", None)
        try:
            found = from_json(content, list[_Incident])
        except (msgspec.MsgspecError, UnicodeDecodeError) as unlike:
            raise Unavailable("statuspage: an answer that cannot be read") from unlike
        return next((one for one in found if one.name.endswith(f"({incident})")), None)

    def _send_request(self, method: str, url: str, key: str, said: JsonObject | None) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return exchange(
            "statuspage",
            _RETRYABLE_STATUSES,
            method,
            url,
            seconds=CALL_TIMEOUT_SECONDS,
            headers=headers,
            content=msgspec.json.encode(said) if said is not None else b"",
            reads=MAX_ANSWER_BYTES,
        )
