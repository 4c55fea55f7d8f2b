"""The console: what operators see, what they may say, and who else gets in."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest

from shared.core import topics
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.commands.console_operator import OPERATOR_KEY, operator_fields
from shared.domain.commands.credential import TOKEN_KEY, command_fingerprint
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import RestoreTest, restore_test_path
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.scenario_names import Mode
from shared.domain.presentation.console_http import (
    CONTENT_SECURITY_POLICY,
    SESSION_COOKIE,
    VISITOR_COOKIE,
    ConsoleRequest,
    ConsoleResponse,
    csrf_token,
    own_path,
)
from tests.support.cli.browser import ADA, HOST, Browser, visible_text
from tests.support.data.corrupted_bookshop import CorruptedShop
from tests.support.decision.outages import record_live_deployment
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.bookshop_resources import build_healthy_shop, deploy_bad_release
from tests.support.rollbacks.pins import build_rolled_back_world
from tests.support.rollbacks.stored_images import record_with_image
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def browser(world: World) -> Browser:
    browser = Browser(world)
    assert browser.sign_in().status is HTTPStatus.OK
    return browser


def troubled(world: World, mode: Mode = Mode.ASK) -> str:
    """An incident of a bad release, about which people are asked."""
    world.carry_out("promote", mode=mode.name.lower())
    world.deploy_bad()
    world.alert()
    world.settle()
    return world.newest_incident.id


def test_a_cookie_that_is_none_of_ours(world: World) -> None:
    """Whatever a browser keeps under that name, there is a page to sign in by, and a new cookie."""
    browser = Browser(world)
    browser.cookies[VISITOR_COOKIE] = "%3A"

    assert browser.sign_in().status is HTTPStatus.OK
    assert browser.cookies[VISITOR_COOKIE] != "%3A"


PAGES = (
    "/",
    "/deployments",
    "/backups",
    "/pins",
    "/audit",
    "/trends",
    "/say?command=pause",
    "/said?command=x",
)


@pytest.mark.parametrize("address", [*PAGES, "/incidents/INC-20260302-001", "/nowhere"])
def test_nobody_sees_anything_before_they_have_signed_in(world: World, address: str) -> None:
    """Every page leads to the one of signing in, and back from there."""
    browser = Browser(world)

    page = browser.get(address)

    assert browser.address.startswith("/sign-in?to=%2F")
    assert "Code of the authenticator app" in visible_text(page)
    assert "bookshop" not in page.body.decode()


def test_the_session_is_out_of_everybody_s_reach(world: World) -> None:
    """No script reads its cookie, no other site sends it, and it lives an hour at most."""
    browser = Browser(world)
    page = browser.get("/sign-in")
    hidden = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.body.decode()))
    typed = {"email": ADA, "password": "pw", "code": "123456"}

    visit = ConsoleRequest("POST", "/sign-in", {}, {**hidden, **typed}, browser.cookies, {"host": HOST})
    cookie = browser.console.answer(visit).headers["Set-Cookie"]

    assert cookie.startswith(f"{SESSION_COOKIE}=ey")
    _, *said = cookie.split("; ")
    assert {*said} == {"Path=/", "Max-Age=3600", "Secure", "HttpOnly", "SameSite=Strict"}


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"password": "no"}, "wrong address or password"),
        ({"code": "000000"}, "wrong code"),
        ({"email": "without@example.com"}, "you have no second factor"),
        ({"email": "nobody@example.com"}, "you have no role here"),
    ],
)
def test_whoever_lacks_one_of_three_things_does_not_get_in(
    world: World, typed: dict[str, str], why: str
) -> None:
    """Password, second factor and a role."""
    world.ports.entrance.people |= {"without@example.com": "viewer", "nobody@example.com": "none"}
    world.ports.entrance.without_app = {"without@example.com"}
    browser = Browser(world)

    page = browser.sign_in(**typed)

    assert page.status is HTTPStatus.FORBIDDEN
    assert why in visible_text(page)
    assert SESSION_COOKIE not in browser.cookies


def test_every_page_runs_nothing_but_our_own_files(world: World, browser: Browser) -> None:
    """No inline script or style, no frame, no cache; what is loaded is named by its content."""
    incident = troubled(world)
    for address in (*PAGES, "/sign-in", f"/incidents/{incident}"):
        page = browser.get(address)
        html = page.body.decode()
        assert page.status is HTTPStatus.OK
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["Cache-Control"] == "no-store"
        assert "unsafe" not in CONTENT_SECURITY_POLICY
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son\w+=|javascript:", html)
        for source in re.findall(r'(?:src|href)="(/assets/[^"]+)"', html):
            loaded = browser.get(source)
            assert loaded.status is HTTPStatus.OK
            assert "immutable" in loaded.headers["Cache-Control"]


def test_a_question_is_answered_with_what_was_shown(world: World, browser: Browser) -> None:
    """The plan, its difference and its fingerprint; a yes is for exactly that plan, and is done."""
    incident = troubled(world)
    browser.sign_in()  # by now the first one is too old for a word
    start, seen = (visible_text(browser.get(path)) for path in ("/", f"/incidents/{incident}"))
    parked = world.rollback
    asked = browser.get(f"/say?command=approve&incident={incident}&back=/incidents/{incident}")

    response = browser.submit(ConsoleResponse(HTTPStatus.OK, {}, _main(asked)), reason="as recorded")
    world.settle()
    answered = browser.get(browser.address)

    for page in (seen, start, visible_text(asked)):
        assert "Approval required: " in page
    assert "Waiting for approval" in seen
    assert parked.question is not None
    plan = parked.question.plan.fingerprint
    assert plan in visible_text(asked)
    assert "Would serve" in visible_text(asked)
    assert "the responders have not answered yet" in visible_text(response)
    assert "approve:" in visible_text(answered)
    [word] = world.rollback.approvals
    assert (word.actor, word.person, word.plan) == (ADA, "uid-ada", plan)
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_an_answer_without_the_plan_that_was_shown_is_refused(
    world: World, browser: Browser, verb: str
) -> None:
    """By the console, and by the responder: a page of before the question has shown no plan."""
    address = f"/say?command={verb}&incident="
    world.carry_out("promote", mode="ask")
    world.deploy_bad()
    world.alert()
    incident = "INC-20260302-001"
    early = browser.get(f"{address}{incident}&plan={'0' * 64}")
    world.settle()
    browser.sign_in()
    page = _main(browser.get(address + incident)).decode()
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    plan = form.pop("plan")

    refused = browser.post("/say", {**form, "reason": "seen"})
    session = browser.console._console_sign_in.find_session(
        ConsoleRequest("GET", "/", {}, {}, browser.cookies, {})
    )
    assert session is not None
    content = {"version": 1, "command": verb, "id": "c", "reason": "seen", "system": "bookshop"}
    content |= {"incident": incident, OPERATOR_KEY: operator_fields(session.credential)}
    for said in (content, {**content, "id": "d", "plan": plan}):
        token = world.ports.voice.token(command_fingerprint(said))
        world.publish(topics.COMMANDS, {**said, TOKEN_KEY: token})
        world.deliver_commands()

    assert early.status is HTTPStatus.NOT_FOUND
    assert refused.status is HTTPStatus.FORBIDDEN
    assert "the form names no plan" in visible_text(refused)
    assert plan in visible_text(refused)
    [letter] = read_dead_letters(world)
    assert letter["reason"].startswith("the form names no plan")
    parked = world.rollback
    answers = parked.approvals if verb == "approve" else [parked.rejected]
    assert [one.command for one in answers if one] == ["d"]


def test_a_long_plan_is_paged_and_nothing_of_it_is_cut(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function stands on one page; every page names the same plan."""
    monkeypatch.setattr("responders.console.actions.MAX_LINES_PER_PAGE", 3)
    incident = troubled(world)
    address = f"/say?command=approve&incident={incident}"
    question = world.rollback.question
    assert question is not None

    pages = [browser.get(f"{address}&page={number}") for number in (1, 2, 3)]

    shown = [row for page in pages for row in re.findall(r'<th scope="row">(\w+)</th>', page.body.decode())]
    assert shown == sorted(world.policy.functions)
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of 3" in visible_text(page)
        assert "function by function: 8" in visible_text(page)
        assert question.plan.fingerprint in visible_text(page)


def test_a_question_about_documents_shows_all_that_its_plan_reports() -> None:
    """Documents, fence and what is started; who ordered it, why, and how many must approve."""
    shop = CorruptedShop()
    parked = shop.order_until_parked(reason="orders are empty")
    assert parked.question is not None
    browser = Browser(shop)
    browser.sign_in()

    page = html.unescape(visible_text(browser.get(f"/say?command=approve&incident={parked.incident}")))

    assert parked.question.plan.reported
    for line in parked.question.plan.reported:
        assert " ".join(line.split()) in page
    assert "ordered by alice: orders are empty" in page
    assert "approved by alice: 1 of 2" in page


@pytest.mark.parametrize(
    ("scenario", "part", "shown"),
    [
        ("complete", "rules", "release rules cloud.firestore: r2 → r1"),
        ("auth", "identity", 'mfa.state "DISABLED" → authorizedDomains ["a","b"], mfa.state "ENABLED"'),
    ],
)
def test_a_question_shows_the_present_and_the_future_of_each_resource(
    scenario: str, part: str, shown: str
) -> None:
    """Rules and settings of identity; the target is that of a critical rollback."""
    shop = build_healthy_shop()
    deploy_bad_release(shop, part)
    shop.carry_out("rollback", scenario=scenario, reason="breach")
    shop.advance_clock(MINUTE)
    browser = Browser(shop)
    browser.sign_in()

    incident = shop.newest_incident.id
    page = html.unescape(visible_text(browser.get(f"/say?command=approve&incident={incident}")))

    assert shown in page
    assert " after detection, within the target of 5 min" in page


@pytest.mark.parametrize("verb", ["undo", "unpin"])
def test_what_a_reversal_restores_is_shown_before_it_is_confirmed(verb: str) -> None:
    """Each function now and then; an undo warns that it restores what failed."""
    world = build_rolled_back_world()
    browser = Browser(world)
    browser.sign_in()
    about = f"incident={world.incident.id}" if verb == "undo" else "system=bookshop"

    page = html.unescape(visible_text(browser.get(f"/say?command={verb}&{about}")))

    for function in world.policy.functions:
        name = function.lower()
        assert f"{function} {name}-00001 {name}-00002" in page
    warning = "warning: this restores what the rollback removed; its recorded cause: 8 of 8 changed functions"
    counted = f"failed requests: run `rollback undo {world.incident.id} --dry-run`"
    assert [line in page for line in (warning, counted)] == [verb == "undo"] * 2


def test_an_order_that_has_failed_is_called_detected(world: World, browser: Browser) -> None:
    """On both pages, as in `status`: its time counts as an outage from then on."""
    world.deploy_bad()
    world.send_command("rollback", actor="bob", reason="checkout broken")
    world.deliver_commands()
    opened = world.incident
    addresses = ("/", f"/incidents/{opened.id}")
    before = [html.unescape(visible_text(browser.get(one))) for one in addresses]
    world.alert()
    world.deliver_newest()
    failed = world.incident
    after = [html.unescape(visible_text(browser.get(one))) for one in addresses]

    assert (opened.has_failed, failed.has_failed) == (False, True)
    assert [", ordered 2026-03-02" in page for page in (*before, *after)] == [True, True, False, False]
    assert [", detected 2026-03-02" in page for page in (*before, *after)] == [False, False, True, True]


def test_what_a_retry_repeats_is_shown_before_it_is_confirmed() -> None:
    """As the newest rollback planned it: the console reads nothing that is live."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=6))
    incident = world.incident.id
    world.carry_out("cancel", incident=incident)
    browser = Browser(world)
    browser.sign_in()

    page = html.unescape(visible_text(browser.get(f"/say?command=retry&incident={incident}")))

    assert "scenario functions, back to v1" in page
    for function in world.policy.functions:
        assert f"shift {function}: done" in page


def test_the_console_shows_who_ordered_and_the_pause(world: World, browser: Browser) -> None:
    """With the reason, and the line that resumes; nothing is forecast while nothing is done."""
    world.deploy_bad()
    world.send_command("rollback", actor="bob", reason="checkout broken")
    world.deliver_commands()
    world.send_command("pause", actor="anna", reason="I look")
    world.deliver_commands()
    opened = world.incident

    for address in ("/", f"/incidents/{opened.id}"):
        page = html.unescape(visible_text(browser.get(address)))
        assert "ordered by bob: checkout broken" in page
        assert "Acknowledged by bob at 2026-03-02 12:" in page
        assert "by anna: I look; to continue: rollback resume --system bookshop --reason WHY" in page
        assert "last shift in" not in page


def _main(page: ConsoleResponse) -> bytes:
    return page.body.partition(b"<main")[2]


def test_an_incident_is_followed_to_its_end(world: World, browser: Browser) -> None:
    """Progress batch by batch and function by function, gates with why, the trail verified."""
    incident = troubled(world, Mode.ACT)

    page = browser.get(f"/incidents/{incident}")
    audit = visible_text(browser.get(f"/audit?chain={incident}"))

    html, seen = page.body.decode(), visible_text(page)
    assert 'hx-get="/incidents/' in html
    for group in world.policy.groups:
        assert f"{group}: " in seen
    for function in world.policy.functions:
        assert f"Done {function}" in seen
    assert "Rolled back: " in seen
    assert "budget Pass" in seen
    assert "Intact" in audit
    assert "rollback.decided by" in audit
    assert "8 functions serve an old revision" in visible_text(browser.get("/pins"))
    shown = visible_text(browser.get("/deployments"))
    assert "Nothing is known to be missing, as of" in shown
    assert "; not all of it was seen." in shown


def test_until_when_images_are_stored_is_on_the_page_of_deployments(world: World, browser: Browser) -> None:
    """With what a restoration takes afterwards."""
    record_with_image(world, days=60)

    shown = visible_text(browser.get("/deployments"))

    assert "images stored until 2026-05-01 12:0" in shown
    assert "UTC, then " in shown


def test_a_deployment_that_nobody_has_proven_is_on_the_page(world: World, browser: Browser) -> None:
    """The page does not fail because no proof has run yet."""
    record_live_deployment(world, "r7", DeploymentStatus.LIVE, timedelta(minutes=1))

    assert "nobody has looked yet" in visible_text(browser.get("/deployments"))


def test_one_pin_and_one_change_are_counted_in_the_singular(world: World) -> None:
    """And what lifting the pin does is told with the shares that may return."""
    change = Difference(InventoryPart.FUNCTIONS, "getBook", ChangeKind.CHANGED)
    record_live_deployment(world, "r7", DeploymentStatus.LIVE, MINUTE, changes=(change,))
    world.deploy_bad(["searchBooks"])
    world.send_command("rollback", functions=["searchBooks"])
    world.pass_time(timedelta(hours=1))

    browser = Browser(world)
    browser.sign_in()
    assert "1 function serves an old revision" in visible_text(browser.get("/pins"))
    assert "1 change " in visible_text(browser.get("/deployments")).replace("\n", " ")
    assert "or the shares set before the pins" in visible_text(
        browser.get("/say?command=unpin&system=bookshop")
    )


SWITCHES: list[tuple[str, str, str]] = [
    ("/say?command=pause&system=bookshop", "systems/bookshop", "pause"),
    ("/say?command=pause", "controls/global", "pause"),
]


@pytest.mark.parametrize(("address", "path", "field"), SWITCHES)
def test_a_switch_is_thrown(world: World, browser: Browser, address: str, path: str, field: str) -> None:
    """In the operator's name, and on record with their reason."""
    browser.say(address, "we look ourselves")
    world.settle()

    kept = world.documents[path][field]
    assert (kept["actor"], kept["reason"]) == (ADA, "we look ourselves")
    assert "Paused" in visible_text(browser.get("/"))


def test_two_taps_are_one_command(world: World, browser: Browser) -> None:
    """The form's own id makes them one, however often it is sent."""
    form = ConsoleResponse(HTTPStatus.OK, {}, _main(browser.get("/say?command=pause&system=bookshop")))

    for _ in range(2):
        browser.submit(form, reason="once")
        world.settle()

    commands = [path for path in world.documents if path.startswith("commands/console-")]
    assert len(commands) == 1


def said_here(world: World) -> list[str]:
    """The commands of the console that were carried out."""
    documents = world.documents
    return [path for path in documents if path.startswith("commands/console-")]


def without_mark(browser: Browser, form: dict[str, str]) -> ConsoleResponse:
    return browser.post("/say", {**form, "mark": ""})


def of_another_session(browser: Browser, form: dict[str, str]) -> ConsoleResponse:
    return browser.post("/say", {**form, "mark": csrf_token("another")})


def from_another_site(browser: Browser, form: dict[str, str]) -> ConsoleResponse:
    return browser.post("/say", form, sec_fetch_site="cross-site")


def from_another_origin(browser: Browser, form: dict[str, str]) -> ConsoleResponse:
    return browser.post("/say", form, origin="https://evil.example")


@pytest.mark.parametrize("sent", [without_mark, of_another_session, from_another_site, from_another_origin])
def test_a_form_that_is_none_of_ours_says_nothing(
    world: World, browser: Browser, sent: Callable[[Browser, dict[str, str]], ConsoleResponse]
) -> None:
    """Whatever cookies come with it."""
    html = _main(browser.get("/say?command=pause&system=bookshop")).decode()
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html))

    page = sent(browser, {**form, "reason": "not mine"})
    world.settle()

    assert page.status is HTTPStatus.FORBIDDEN
    assert "of another sign-in, or of another page" in visible_text(page)
    assert said_here(world) == []


def demoted(world: World) -> None:
    world.ports.sign_in.roles["uid-ada"] = "viewer"


def late(world: World) -> None:
    world.advance_clock(6 * MINUTE)


def viewer(world: World) -> None:
    world.ports.entrance.people[ADA] = "viewer"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (viewer, None, "is viewer; pause needs responder"),
        (None, late, "signed in more than 5m ago: sign in again"),
        (None, demoted, "Refused: ada@example.com is viewer; pause needs responder"),
    ],
)
def test_who_may_not_say_it_is_told_so(
    world: World, before: Callable[[World], None] | None, after: Callable[[World], None] | None, why: str
) -> None:
    """Here at once, where the session tells; by on_command, where only Google knows by now."""
    if before:
        before(world)
    browser = Browser(world)
    browser.sign_in()
    if after:
        after(world)

    page = browser.say("/say?command=pause&system=bookshop")
    world.settle()

    assert why in visible_text(page) or why in visible_text(browser.get(browser.address))
    assert world.documents["systems/bookshop"].get("pause") is None


@pytest.mark.parametrize("out", ["disabled", "revoked"])
def test_who_is_out_is_out_at_once(world: World, browser: Browser, out: str) -> None:
    """The session ends with the next request."""
    world.advance_clock(MINUTE)
    if out == "disabled":
        world.ports.sign_in.disabled.add("uid-ada")
    else:
        world.ports.sign_in.valid_since["uid-ada"] = world.now.timestamp()

    browser.get("/")

    assert browser.address.startswith("/sign-in")


def test_signing_out(browser: Browser) -> None:
    """The cookie is gone."""
    mark = csrf_token(browser.cookies[SESSION_COOKIE])

    browser.post("/sign-out", {"mark": mark})

    assert browser.cookies[SESSION_COOKIE] == ""
    assert browser.address.startswith("/sign-in")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
def test_signing_in_leads_nowhere_else(to: str) -> None:
    """A link cannot send whoever has signed in to another site."""
    assert own_path(to) == "/"


def test_when_sign_in_gives_no_answer(world: World, browser: Browser) -> None:
    """The page says so, and changes nothing."""
    world.ports.sign_in.is_down = True

    page = browser.get("/")

    assert page.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert "No answer" in visible_text(page)


def test_a_part_of_a_page_without_a_session_sends_the_whole_page_away(world: World) -> None:
    """Htmx is told to leave, instead of a page of signing in in the middle of another one."""
    browser = Browser(world)

    page = browser.get("/incidents/INC-20260302-001", hx_request="true")

    assert (page.status, page.body) == (HTTPStatus.OK, b"")
    assert page.headers["HX-Redirect"] == "/sign-in?to=%2Fincidents%2FINC-20260302-001"


def test_text_of_others_is_only_read(world: World, browser: Browser) -> None:
    """Whatever stands in reasons and names is text, on every page."""
    evil = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    world.carry_out("pause", reason=evil)
    world.deploy_bad()
    world.alert()
    world.settle()
    chains = ("/audit?chain=bookshop", f"/incidents/{world.newest_incident.id}")

    seen = [browser.get(address).body.decode() for address in (*PAGES, *chains)]

    assert all("<img" not in html for html in seen)
    assert any("&lt;img src=x" in html for html in seen)
    assert not any(word == "49" for html in seen for word in re.findall(r"\b49\b", html))


@pytest.mark.parametrize(
    ("status", "faults", "said"),
    [
        (FillStatus.PROVEN, (), "restored in 9 min 0 s, 12 documents counted, 5 compared"),
        (FillStatus.FAILED, ("orders: 3 are missing",), "orders: 3 are missing"),
        (FillStatus.RESTORING, (), "It is being restored to try it"),
    ],
)
def test_a_backup_stands_with_its_proof(
    world: World, browser: Browser, status: FillStatus, faults: tuple[str, ...], said: str
) -> None:
    """Whether it was restored to try it, how long that took, and what came of it."""
    now = world.now
    tried = RestoreTest(
        id="proof-1",
        system="bookshop",
        backup="projects/p/locations/l/backups/b",
        source="projects/p",
        snapshot_at=now,
        original="d",
        database="s",
        began_at=now - 10 * MINUTE,
        filled_at=now - MINUTE,
        counts={"orders": 12},
        compared=5,
        status=status,
        faults=faults,
    )
    world.store.commit([Put(restore_test_path(tried.id), encode(tried))])

    assert said in visible_text(browser.get("/backups"))


def test_the_report_is_a_page_of_its_own(world: World, browser: Browser) -> None:
    """With each phase beside its target; its own style is let be by its hash, and nothing runs."""
    incident = troubled(world, Mode.ACT)

    page = browser.get(f"/incidents/{incident}/report")

    policy = page.headers["Content-Security-Policy"]
    assert "style-src 'sha256-" in policy
    assert "script-src 'none'" in policy
    assert f"Report of {incident}" in visible_text(page)
    assert 'class="chart"' in page.body.decode()
    assert Browser(world).get(f"/incidents/{incident}/report").body.count(b"Report of") == 0


CONTROL_SIGNS = "\u202e\u200b\x1b[31m\x00\u2066"


def test_no_page_holds_control_or_direction_signs(world: World, browser: Browser) -> None:
    """A reason, a barrier, a cause and an actor cannot change how the text beside them reads."""
    evil = f"it {CONTROL_SIGNS}\nfails <b>"
    world.announce("v9", barrier=evil)
    incident = troubled(world)
    world.send_command("pause", reason=evil)
    about = {"system": "bookshop", "incident": incident, "reason": evil}
    world.command(command="root-cause", cause=evil, prevention=evil, **about)
    until = f"{world.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    for said in ({"command": "ack", **about}, {"command": "freeze", "until": until, "reason": evil}):
        world.publish(topics.OVERRIDE, {"version": 1, **said, "actor": evil})
    world.settle()
    own = (f"/incidents/{incident}", f"/incidents/{incident}/report", "/audit?chain=bookshop")

    seen = [browser.get(address).body.decode() for address in (*PAGES, *own)]

    assert [sign for html in seen for sign in CONTROL_SIGNS if not sign.isprintable() and sign in html] == []
    assert sum("fails &lt;b&gt;" in html for html in seen) >= 3
