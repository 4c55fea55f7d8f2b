"""console: serve the pages of the operator console; every change is a command."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode

from responders.console.actions import ConsoleActions
from responders.console.pages import ConsolePages, Facts, View
from responders.console.sign_in import ConsoleSession, ConsoleSignIn
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.system_policy import Policies
from shared.domain.presentation import console_html
from shared.domain.presentation.console_http import (
    ConsoleRequest,
    ConsoleResponse,
    asset_response,
    html_response,
    own_path,
    redirect_response,
    self_contained_response,
)
from shared.domain.reports import html as report_html
from shared.ports.groups import Ports

ASSETS, INCIDENTS, REPORT = "/assets/", "/incidents/", "/report"


class ConsoleTrigger:
    """Dispatches requests of browsers. Without a session, only the sign-in page is shown."""

    def __init__(self, ports: Ports, policies: Policies) -> None:
        self._ports = ports
        self._policies = policies
        self._console_sign_in = ConsoleSignIn(ports)
        self._pages = ConsolePages(ports, policies)
        self._actions = ConsoleActions(ports, policies, self._pages)
        self._views: dict[str, tuple[str, View]] = {
            "/": ("systems", self._pages.systems),
            "/audit": ("audit", self._pages.audit),
            "/backups": ("backups", self._pages.backups),
            "/deployments": ("deployments", self._pages.deployments),
            "/pins": ("pins", self._pages.pins),
            "/trends": ("trends", self._pages.trends),
            "/said": ("said", self._actions.answer),
        }

    def answer(self, visit: ConsoleRequest) -> ConsoleResponse:
        """Return a page for every request; an error page where a service gives no answer."""
        try:
            return self._route_request(visit)
        except Rejected as no:
            return self._render_message(str(no), HTTPStatus.NOT_FOUND)
        except Unavailable as failure:
            return self._render_message(f"No answer: {failure}", HTTPStatus.SERVICE_UNAVAILABLE)

    def _route_request(self, visit: ConsoleRequest) -> ConsoleResponse:
        """Raises: Rejected, Unavailable."""
        if visit.path.startswith(ASSETS):
            return _asset_page(visit.path.rpartition("/")[2])
        if visit.path == "/sign-in":
            return self._sign_in(visit)
        session = self._console_sign_in.find_session(visit)
        if session is None:
            return self._redirect_sign_in(visit)
        if visit.method == "POST":
            return self._handle_post(visit, session)
        if visit.path == "/say":
            return self._render_page("say", self._actions.confirmation_page(visit.query), visit, session)
        if visit.path.startswith(INCIDENTS) and visit.path.endswith(REPORT):
            return self_contained_response(
                report_html.render_html(self._pages.report(visit)), report_html.report_style_hash()
            )
        template, view = self._find_view(visit)
        return self._render_page(template, view(visit), visit, session)

    def _sign_in(self, visit: ConsoleRequest) -> ConsoleResponse:
        why = ""
        if visit.method == "POST":
            done = self._console_sign_in.sign_in(visit)
            if isinstance(done, ConsoleResponse):
                return done
            why = done
        facts, cookie = self._console_sign_in.form(visit, why)
        status = HTTPStatus.FORBIDDEN if why else HTTPStatus.OK
        return html_response(console_html.render_page("sign-in", facts), status, cookie)

    def _redirect_sign_in(self, visit: ConsoleRequest) -> ConsoleResponse:
        """Redirect to the sign-in page, and from there back here; the content of a form is lost."""
        to = visit.address if visit.method == "GET" else visit.form.get("back", "/")
        if visit.is_partial:
            to = own_path(visit.path)
        return redirect_response(visit, f"/sign-in?{urlencode({'to': to})}")

    def _handle_post(self, visit: ConsoleRequest, session: ConsoleSession) -> ConsoleResponse:
        actions: dict[str, Callable[[ConsoleRequest, ConsoleSession], ConsoleResponse | str]] = {
            "/say": self._actions.publish_command,
            "/sign-out": self._console_sign_in.sign_out,
        }
        if visit.path not in actions:
            raise Rejected("There is no such page.")
        done = actions[visit.path](visit, session)
        if isinstance(done, ConsoleResponse):
            return done
        facts = self._actions.confirmation_page(visit.form, done)
        return self._render_page("say", facts, visit, session, HTTPStatus.FORBIDDEN)

    def _find_view(self, visit: ConsoleRequest) -> tuple[str, View]:
        if visit.path.startswith(INCIDENTS):
            return "incident", self._pages.incident
        if visit.path not in self._views:
            raise Rejected("There is no such page.")
        return self._views[visit.path]

    def _render_page(
        self,
        template: str,
        facts: Facts,
        visit: ConsoleRequest,
        session: ConsoleSession,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> ConsoleResponse:
        now = self._ports.clock.now()
        within = min(one.identity.auth_within for one in self._policies.values())
        speaks_until = session.credential.authenticated_at + within
        every = {
            "who": session.credential,
            "role": (session.credential.role.name.lower() if session.credential.role else ""),
            "speaks_until": speaks_until if speaks_until > now else None,
            "mark": session.csrf_token,
            "here": visit.address,
            "policies": self._policies,
            "now": now,
        }
        return html_response(console_html.render_page(template, {**every, **facts}), status)

    def _render_message(self, text: str, status: HTTPStatus) -> ConsoleResponse:
        return html_response(console_html.render_page("told", {"text": text}), status)


def _asset_page(name: str) -> ConsoleResponse:
    """Raises: Rejected."""
    try:
        return asset_response(console_html.read_asset(name), console_html.ASSET_CONTENT_TYPES[name])
    except KeyError:
        raise Rejected("There is no such page.") from None
