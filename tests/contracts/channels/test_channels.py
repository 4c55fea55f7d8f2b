"""Each way to people, over its real client, to a server that takes down what it is told."""

import re
from collections.abc import Callable

import pytest

from shared.adapters.channels import atlassian_statuspage
from shared.adapters.channels.apprise import send_message
from shared.adapters.channels.atlassian_statuspage import Statuspage
from shared.adapters.channels.sender import ChannelSender
from shared.adapters.gcp.firebase.messaging import FirebasePush
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.domain.notices.message import NoticeMessage
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.presentation.notice_facts import template_facts, template_name
from shared.domain.presentation.notice_templates import TEMPLATE_NAMES, NoticeTemplates
from tests.contracts.support.channels import KEY, TOLD, WORDS, Known, Server
from tests.contracts.support.lost_answers import raises_exactly
from tests.support.faults.hostile_text import (
    ATTACKS,
    ID,
    MEANS_SOMETHING,
    build_hostile_facts,
    build_hostile_notice,
)


@pytest.fixture(autouse=True)
def statuspage_is_the_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlassian_statuspage, "API_URL", f"http://{server.address}")


def ways(server: Server, push: FirebasePush) -> dict[str, Callable[[NoticeMessage], None]]:
    page = Statuspage("p1", "key\n")
    return {
        "apprise": lambda words: send_message(f"json://{server.address}/", words, "chat"),
        "push": lambda words: push.send_to_topic("outages", words, KEY),
        "statuspage": lambda words: page.post_update(ID, "detected", words, KEY),
    }


@pytest.mark.parametrize("way", ["apprise", "push", "statuspage"])
def test_the_words_arrive_as_they_are(way: str, server: Server, push: FirebasePush) -> None:
    """Subject and body, and nothing added or turned into markup."""
    ways(server, push)[way](WORDS)

    [(method, _, headers, said)] = server.told
    body = WORDS.body.strip()
    assert method == "POST"
    if way == "apprise":
        assert (said["title"], said["message"].strip()) == (WORDS.subject, body)
    elif way == "push":
        shown = said["message"]["notification"]
        assert (shown["title"], shown["body"]) == (WORDS.subject, body)
        assert said["message"]["topic"] == "outages"
        assert said["message"]["android"]["collapse_key"] == KEY
    else:
        told = said["incident"]
        assert told == {"name": f"{WORDS.subject} ({ID})", "body": body, "status": "investigating"}
        assert headers["Idempotency-Key"] == KEY
        assert headers["Authorization"] == "OAuth key"


@pytest.mark.parametrize("way", ["push", "statuspage"])
@pytest.mark.parametrize(("status", "meaning"), [(400, Rejected), (404, Rejected), (429, Unavailable)])
def test_what_a_refusal_means(
    way: str, status: int, meaning: type[RollbackError], server: Server, push: FirebasePush
) -> None:
    """What will not change is no; everything else is tried again. No error quotes a key."""
    server.status = status

    with raises_exactly(meaning) as caught:
        ways(server, push)[way](WORDS)

    assert "key" not in str(caught.value).lower()


def test_apprise_does_not_say_why(server: Server) -> None:
    """So whatever it is, it is tried again, and given up by the limit."""
    server.status = 404
    with pytest.raises(Unavailable) as caught:
        send_message(f"json://user:hush@{server.address}/", WORDS, "chat")

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("addresses", ["", "\n", "nothing-known://hush", "hush"])
def test_a_secret_without_an_address(addresses: str) -> None:
    """It never will be one, and what it holds is said to nobody."""
    with pytest.raises(Rejected) as caught:
        send_message(addresses, WORDS, "chat")

    assert "hush" not in str(caught.value)


def test_several_addresses_in_one_secret(server: Server) -> None:
    """Each is told."""
    send_message(f"json://{server.address}/a\njson://{server.address}/b\n", WORDS, "chat")

    assert sorted(path.strip("/") for _, path, _, _ in server.told) == ["a", "b"]


def test_an_incident_on_the_page_goes_on(server: Server) -> None:
    """It is begun once, and each turn is one update, however often its message comes."""
    page = Statuspage("p1", "key")
    over = NoticeMessage("The Bookshop: all clear", "It works again.\n")

    for _ in range(2):
        page.post_update(ID, "detected", WORDS, "a")
    for _ in range(2):
        page.post_update(ID, "resolved", over, "b")

    assert [(method, path) for method, path, _, _ in server.told] == [
        ("POST", "/v1/pages/p1/incidents"),
        ("PATCH", "/v1/pages/p1/incidents/s1"),
    ]
    assert server.told[1][3]["incident"]["status"] == "resolved"


def test_a_page_that_cannot_be_looked_at_is_not_written(server: Server) -> None:
    """Not found is not the same as could not look: a second incident is not begun."""
    server.status = 503
    with pytest.raises(Unavailable):
        Statuspage("p1", "key").post_update(ID, "detected", WORDS, "a")

    assert server.told == []


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("rolling back", "identified"),
        ("unpinning (paused)", "identified"),
        ("rolling back (monitoring)", "monitoring"),
        ("investigating", "investigating"),
        ("resolved", "resolved"),
        ("recovery not observed", "identified"),
        ("", "identified"),
    ],
)
def test_the_pages_status_is_that_of_the_public_word(word: str, status: str, server: Server) -> None:
    """Only an observed recovery closes the incident there."""
    page = Statuspage("p1", "key")
    page.post_update(ID, "changing", WORDS, "a")

    page.post_update(ID, word, NoticeMessage("The Bookshop", "Other words.\n"), "b")

    assert server.incidents[0]["status"] == status


def test_a_notice_of_no_incident_has_no_status(server: Server) -> None:
    """Such as the result of a dry run: nothing is sent that calls it identified."""
    Statuspage("p1", "key").post_update(ID, "", WORDS, "a")

    assert server.incidents[0]["status"] is None


def test_the_same_words_after_others_correct_the_status(server: Server) -> None:
    """It fails again within the minute in which it worked: the page does not stay at monitoring."""
    page = Statuspage("p1", "key")
    page.post_update(ID, "investigating", WORDS, "a")
    page.post_update(ID, "rolling back (monitoring)", NoticeMessage("x", "It works again.\n"), "b")

    page.post_update(ID, "investigating", WORDS, "c")

    assert server.incidents[0]["status"] == "investigating"


def test_the_sender_takes_each_way(server: Server, push: FirebasePush) -> None:
    """By the kind of the channel, with what its secret holds."""
    known = Known(chat=f"json://{server.address}/chat", atlassian="key")
    sender = ChannelSender(secrets=known, push={"bookshop": push})

    for channel in (
        Channel("chat", ChannelKind.APPRISE, secret="chat"),
        Channel("users", ChannelKind.PUSH, target="outages"),
        Channel("page", ChannelKind.STATUSPAGE, secret="atlassian", target="p1"),
    ):
        sender.send(channel, KEY, TOLD)

    assert [path for _, path, _, _ in server.told] == [
        "/chat",
        "/v1/projects/shop/messages:send",
        "/v1/pages/p1/incidents",
    ]


@pytest.mark.parametrize("kind", [ChannelKind.APPRISE, ChannelKind.PUSH, ChannelKind.STATUSPAGE])
def test_a_rehearsal_reaches_nobody(kind: ChannelKind, server: Server, push: FirebasePush) -> None:
    """In an embedded cloud nothing leaves, though every way would lead somewhere."""
    sender = ChannelSender(lambda host: server.address, push={"bookshop": push})

    sender.send(
        Channel("x", kind, secret="x", target="x"),
        KEY,
        {"system": "bookshop", "incident": ID, "event": "detected", "subject": "x", "body": "x"},
    )

    assert server.told == []


HANDED_OVER = {
    ChannelKind.APPRISE: lambda said: [said["title"], said["message"]],
    ChannelKind.PUSH: lambda said: [said["message"]["notification"][one] for one in ("title", "body")],
    ChannelKind.STATUSPAGE: lambda said: [said["incident"]["name"], said["incident"]["body"]],
    ChannelKind.WEBHOOK: lambda said: [said["subject"], said["body"]],
}


@pytest.mark.parametrize("kind", HANDED_OVER)
@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_no_way_makes_more_of_text_of_others(
    template: str, kind: ChannelKind, server: Server, push: FirebasePush
) -> None:
    """For each template on each kind of channel: what arrives is as harmless as what was worded."""
    foreign = " ".join(ATTACKS.values())[:400] + "\r\nBcc: x\r\n"
    words = NoticeTemplates().render(
        template,
        template_facts(
            build_hostile_notice(f"{ID} CRITICAL: {foreign}"), build_hostile_facts(foreign), repeated=True
        ),
    )
    known = Known(chat=f"json://{server.address}/", atlassian="key")
    sender = ChannelSender(secrets=known, push={"bookshop": push})
    channel = Channel(
        "x",
        kind,
        f"http://{server.address}/hook",
        secret="chat" if kind is ChannelKind.APPRISE else "atlassian",
        target="outages",
    )
    sender.send(channel, KEY, TOLD | {"subject": words.subject, "body": words.body})

    if kind is ChannelKind.PUSH:
        sender.send_each(channel, KEY, TOLD | {"subject": words.subject, "body": words.body}, ["t"])
    assert len(server.told) == (2 if kind is ChannelKind.PUSH else 1)
    for _, _, headers, said in server.told:
        subject, body = HANDED_OVER[kind](said)
        assert "Bcc" not in headers
        assert "\n" not in subject
        for what, pattern in MEANS_SOMETHING.items():
            assert not re.search(pattern, f"{subject}\n{body}"), what


def test_every_audience_has_its_words() -> None:
    """No channel of a policy is without a template."""
    assert {template_name(build_hostile_notice(), one, build_hostile_facts()) for one in Audience} <= set(
        TEMPLATE_NAMES
    )
