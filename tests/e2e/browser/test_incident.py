"""An operator and the public, through a whole rollback on the embedded cloud."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from local.services.identity.users import totp_code
from shared.domain.policy.scenario_names import Mode
from shared.domain.rollback.rollback import RollbackStatus
from tests.e2e.browser.conftest import DESK, PHONE, faults, page_of, picture
from tests.e2e.conftest import NOON
from tests.e2e.support.world import World, until
from tests.support.cli.operator import ADA

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
MINUTE = timedelta(minutes=1)
THUMB = 44
"""So many pixels high is what a thumb hits."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    """A bookshop whose automation asks first, and Ada, who is asked."""
    with ExitStack() as closing:
        world = World(monkeypatch, tmp_path, closing, NOON)
        world.cloud.identity.put(ADA)
        world.command(command="promote", system="bookshop", mode="ask")
        until("the promotion", lambda: _mode(world) is Mode.ASK)
        yield world


def _mode(world: World) -> Mode | None:
    found = world.evidence.system()
    return found.mode if found else None


def sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("E-mail").fill(ADA.email)
    page.get_by_label("Password").fill(ADA.password)
    page.get_by_label("Code of the authenticator app").fill(totp_code(ADA.totp_secret, time.time()))
    page.get_by_role("button", name="Sign in").click()


def status_of(world: World) -> RollbackStatus | None:
    rollback = world.rollback()
    return rollback.status if rollback else None


def trouble(world: World) -> str:
    """A bad release, its alert, and the incident that comes of it."""
    world.deploy_bad()
    world.alert(started_at=int((world.cloud.clock.now() - MINUTE).timestamp()))
    until("the question", lambda: status_of(world) is RollbackStatus.PARKED)
    return world.evidence.incidents()[0].id


def error_of(said: ConsoleMessage) -> Iterator[str]:
    """What the browser complains of; that a page has no picture for its tab is no fault."""
    if said.type == "error" and not said.location["url"].endswith("/favicon.ico"):
        yield said.text


def test_an_incident_is_walked_through_on_a_phone(world: World, chromium: Browser) -> None:
    """The public reads of it in a minute; an operator says yes with a thumb, and sees it end."""
    console = f"http://{world.addresses['console']}"
    public, phone = page_of(chromium), page_of(chromium)
    broken: list[str] = []
    for page in (public, phone):
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda said: broken.extend(error_of(said)))

    until("the first status page", lambda: "All parts work." in world.evidence.page())
    public.goto(world.evidence.page_address)
    expect(public.get_by_text("All parts work.")).to_be_visible()

    incident = trouble(world)
    until("the public's word", lambda: "Some parts do not work." in world.evidence.page())
    public.reload()
    expect(public.get_by_text("Some parts do not work.")).to_be_visible()
    assert faults(public) == []
    picture(public, "status-page")

    sign_in(phone, f"{console}/incidents/{incident}")
    expect(phone.get_by_role("heading", name=incident, exact=True)).to_be_visible()
    expect(phone.locator("#live").get_by_text("Approval required: ")).to_be_visible()
    approve = phone.get_by_role("link", name="approve")
    box = approve.bounding_box()
    assert box is not None
    assert box["height"] >= THUMB
    assert box["y"] > PHONE["height"] / 2  # where the thumb is
    assert faults(phone) == []
    picture(phone, "console-question")

    approve.click()
    expect(phone.get_by_text("Would serve").first).to_be_attached()
    assert faults(phone) == []
    phone.get_by_label("Why?").fill("as recorded")
    picture(phone, "console-approve")
    phone.get_by_role("button", name="approve").click()
    expect(phone.get_by_text("approve:")).to_be_visible(timeout=30_000)
    phone.get_by_role("link", name="Back", exact=True).click()

    expect(phone.locator("#live")).to_contain_text("Monitoring", timeout=60_000)  # by htmx alone
    for function in world.policy.functions:
        expect(phone.locator(".rows").get_by_text(function).first).to_be_visible()
    assert world.live == world.stable
    assert faults(phone) == []
    picture(phone, "console-progress")

    watched = world.rollback()
    assert watched is not None
    assert watched.watch_until is not None
    world.advance_to(watched.watch_until)
    until("the end", lambda: status_of(world) is RollbackStatus.SUCCEEDED)
    expect(phone.locator("#live")).to_contain_text("Resolved", timeout=60_000)
    until("the last status page", lambda: "All parts work." in world.evidence.page())
    public.reload()
    expect(public.get_by_text("The incident is over.").first).to_be_visible()
    assert faults(public) == []

    phone.context.clear_cookies()  # half an hour later nobody speaks with the session of before
    sign_in(phone, f"{console}/incidents/{incident}")
    phone.get_by_role("link", name="root cause").click()
    assert faults(phone) == []
    phone.get_by_label("What did it come from?").fill("a migration <b>locked</b> the orders")
    phone.get_by_label("What do users read").fill("A change had locked the orders.")
    phone.get_by_label("Why?").fill("analysed")
    phone.get_by_role("button", name="root cause").click()
    expect(phone.get_by_text("root-cause:")).to_be_visible(timeout=30_000)
    phone.get_by_role("link", name="Back", exact=True).click()
    expect(phone.get_by_text("a migration <b>locked</b> the orders")).to_be_visible()
    phone.get_by_role("link", name="the report, with its times drawn").click()
    expect(phone.get_by_role("heading", name="Root cause")).to_be_visible()
    assert faults(phone) == []
    picture(phone, "console-report")
    until("its cause", lambda: "A change had locked the orders." in world.evidence.page())
    public.reload()
    assert faults(public) == []
    assert broken == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_is_fit_for_everybody(world: World, chromium: Browser, size: dict[str, int]) -> None:
    """Axe finds nothing serious, nothing is wider than the screen, and no link leads to nothing."""
    incident = trouble(world)
    page = page_of(chromium, size)
    console = f"http://{world.addresses['console']}"
    page.goto(f"{console}/sign-in")
    assert faults(page) == []
    sign_in(page, console)

    lists = ("/", "/deployments", "/backups", "/pins", "/audit", "/trends")
    seen = {*lists, f"/audit?chain={incident}"}
    for address in sorted(seen):
        answer = page.goto(console + address)
        assert answer is not None
        assert answer.status == 200
        assert faults(page) == [], address
    for said in ("pause&system=bookshop", f"root-cause&incident={incident}"):
        page.goto(f"{console}/say?command={said}")
        assert faults(page) == []
    page.goto(f"{console}/incidents/{incident}/report")
    assert faults(page) == []
    if size is DESK:
        page.goto(console)
        picture(page, "console-now")
    else:
        page.goto(f"{console}/deployments")
        picture(page, "console-deployments")


def test_another_site_cannot_say_anything(world: World, chromium: Browser) -> None:
    """Its form reaches the console without the session, which is then asked for."""
    console = f"http://{world.addresses['console']}"
    page = page_of(chromium)
    sign_in(page, console)
    page.goto(f"http://localhost:{world.addresses['console'].partition(':')[2]}/sign-in")
    page.evaluate(
        """(address) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = address;
            document.body.append(form);
        }""",
        f"{console}/say",
    )
    blocked: list[str] = []
    page.on("console", lambda said: blocked.append(said.text))

    page.evaluate("document.forms[document.forms.length - 1].submit()")
    page.wait_for_timeout(200)

    assert any("form-action" in one for one in blocked)
    assert page.url.startswith("http://localhost")
    assert world.evidence.commands() == [
        one for one in world.evidence.commands() if one.actor.startswith("override: ")
    ]
