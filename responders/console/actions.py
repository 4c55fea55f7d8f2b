"""What operators say at the console: each change is a command, signed by the console's account."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from responders.console.pages import ConsolePages, Facts
from responders.console.sign_in import FOREIGN_FORM_TEXT, ConsoleSession
from responders.rollback.approval import ANSWER_VERBS, NO_PLAN_TEXT
from shared.core import topics
from shared.core.codec import JsonObject
from shared.core.errors import Refused, Rejected
from shared.domain.commands import command as commands
from shared.domain.commands import console_operator
from shared.domain.commands.credential import TOKEN_KEY, command_fingerprint
from shared.domain.commands.permissions import PermissionRequest, objections
from shared.domain.policy.system_policy import Policies
from shared.domain.presentation.console_http import (
    ConsoleRequest,
    ConsoleResponse,
    has_csrf_token,
    own_path,
    redirect_response,
)
from shared.ports.groups import Ports

ACTION_DESCRIPTIONS = {
    "approve": "Exactly this plan is executed.",
    "reject": "Nothing is done; the incident stays open.",
    "cancel": "The rollback ends: calls in flight settle, nothing is undone, the rest is listed.",
    "ack": "You acknowledge the incident. The escalation stops.",
    "retry": "A further rollback of this incident begins.",
    "undo": "The state before its rollbacks is restored.",
    "accept": "The incident ends as it is.",
    "publish": "The status page shows the incident now.",
    "root-cause": "The report contains the cause. The reminders stop.",
    "pause": "Each rollback stops before its next effect.",
    "resume": "Paused rollbacks continue.",
    "unpin": "The newest revisions, or the shares set before the pins, receive the requests again.",
    "mark-stable": "It becomes a target of rollbacks.",
    "mark-bad": "It is excluded as a target of rollbacks.",
}
FIELDS = ("system", "incident", "plan", "deployment")
TEXT_FIELD_LABELS = {
    "root-cause": {
        "cause": "What did it come from?",
        "prevention": "What keeps it from coming again? (may be left empty)",
        "public": "What do users read of it on the status page? (may be left empty)",
    }
}
"""What else is asked for than a reason, by verb; the first of them must be given."""
MAX_LINES_PER_PAGE = 200
"""Functions, and other lines, of a plan that waits for approval."""
MULTI_VALUE_FIELDS = ("functions",)
"""Fields that hold several names, one here."""


@dataclass
class ConsoleActions:
    """Asks for a reason and a second tap, then publishes the command and shows its answer."""

    _ports: Ports
    _policies: Policies
    _pages: ConsolePages

    def confirmation_page(self, fields: Mapping[str, str], why: str = "") -> Facts:
        """Return the facts of the page that confirms a command, with its plan. Raises: Rejected."""
        verb = fields.get("command", "")
        if verb not in ACTION_DESCRIPTIONS:
            raise Rejected(f"{verb!r} is not offered at the console")
        said = {name: fields[name] for name in (*FIELDS, *MULTI_VALUE_FIELDS) if fields.get(name)}
        asked = None
        if "incident" in said or verb in ANSWER_VERBS:
            incident = self._pages.find_incident(said.get("incident", ""))
            said["system"] = incident.system
            if verb in ANSWER_VERBS:
                asked = self._pages.find_question(incident)
                said["plan"] = asked.plan
            elif verb == "undo":
                asked = self._pages.recorded_undo(incident)
            elif verb == "retry":
                asked = self._pages.recorded_retry(incident)
        elif verb == "unpin":
            asked = self._pages.recorded_pins(said.get("system", ""), said.get("functions", ""))
        return {
            "verb": verb,
            "does": ACTION_DESCRIPTIONS[verb],
            "fields": {"command": verb, "id": f"console-{self._ports.ids()}", **said},
            "asked": asked,
            "page": int(fields["page"]) if fields.get("page", "").isdecimal() else 1,
            "page_size": MAX_LINES_PER_PAGE,
            "texts": TEXT_FIELD_LABELS.get(verb, {}),
            "said": fields,
            "reason": fields.get("reason", ""),
            "back": own_path(fields.get("back", "/")),
            "why": why,
        }

    def publish_command(self, visit: ConsoleRequest, session: ConsoleSession) -> ConsoleResponse | str:
        """Publish a form's command, once; return the way on, or a fault. Raises: Unavailable."""
        if not has_csrf_token(visit, session.token):
            return FOREIGN_FORM_TEXT
        content = self._build_command(visit, session)
        if content["command"] in ANSWER_VERBS and "plan" not in content:
            return NO_PLAN_TEXT
        try:
            commands.parse_command(json.dumps(content).encode(), content["id"], self._policies)
        except Refused as faulty:
            return faulty.reason
        policy, now = self._policies.get(content.get("system", "")), self._ports.clock.now()
        concerned = [policy] if policy else list(self._policies.values())  # all, where it names none
        found = objections(PermissionRequest.from_content(content), session.credential, concerned, now)
        if found:
            return "; ".join(found)
        token = self._ports.operators.own_token.token(command_fingerprint(content))
        message = self._ports.bus.publish(topics.COMMANDS, json.dumps({**content, TOKEN_KEY: token}).encode())
        back = own_path(visit.form.get("back", "/"))
        parameters = {"command": content["id"], "message": message, "back": back}
        return redirect_response(visit, f"/said?{urlencode(parameters)}")

    def answer(self, visit: ConsoleRequest) -> Facts:
        """What became of a command."""
        command, message = (visit.query.get(name, "") for name in ("command", "message"))
        if "/" in command or "/" in message or not command:
            raise Rejected("no such command")
        found = self._pages.answer(command, topics.COMMANDS, message)
        return {**found, "command": command, "back": own_path(visit.query.get("back", "/"))}

    def _build_command(self, visit: ConsoleRequest, session: ConsoleSession) -> JsonObject:
        form = visit.form
        verb = form.get("command", "")
        said = {name: form[name] for name in FIELDS if form.get(name)}
        return {
            "version": 1,
            "command": verb if verb in ACTION_DESCRIPTIONS else "",
            "id": form.get("id", ""),
            "reason": form.get("reason", ""),
            **said,
            **{name: [form[name]] for name in MULTI_VALUE_FIELDS if form.get(name)},
            **{name: form[name] for name in TEXT_FIELD_LABELS.get(verb, {}) if form.get(name)},
            console_operator.OPERATOR_KEY: console_operator.operator_fields(session.credential),
        }
