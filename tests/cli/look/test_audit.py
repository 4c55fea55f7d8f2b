"""`rollback audit`, as a person runs it: over the wire, on a trail that was lived through."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1 import types
from typer.testing import CliRunner, Result

from cli.app import app
from cli.look.audit import Format, write
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.installation.provisioning import NO_CALL_CONTEXT, audit_bucket
from local.services.identity import Account
from local.services.storage.conditions import Preconditions
from shared.core import topics
from shared.core.store import Put, Query
from shared.domain.audit.audit_lines import audit_line_of_event
from shared.domain.audit.chain import create_event
from shared.wiring.adapters import Wiring
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE, Settings
from tests.e2e.support.world import responders
from tests.support.cli import operator
from tests.support.fakes.runtime.clock import START
from tests.support.faults.tampering import Tamperer
from tests.support.notices.audit_history import ANCHORED, DOCUMENTS, FIRST, LIVED, NOW, SECOND
from tests.support.runtime.world import POLICIES, World

INCIDENT, OTHER = FIRST.partition("/")[2], SECOND.partition("/")[2]


class Vault:
    """The stored trail, in the hands of somebody with all rights on the database."""

    def __init__(self, wiring: Wiring) -> None:
        self.store = wiring.store
        self._client = wiring.clients.firestore
        self._root = f"projects/{LIVED.policy.project}/databases/rollback/documents"
        self.store.commit([Put(path, fields) for path, fields in DOCUMENTS.items()])

    def exports(self) -> list[dict[str, Any]]:
        """Those that are on record, in order."""
        asked = Query("commands", where=(("command", "==", "export"),))
        found = (dict(one.fields or {}) for one in self.store.query(asked))
        return sorted(found, key=lambda one: one["received_at"])

    def remove(self, path: str) -> None:
        self._client.delete_document(name=f"{self._root}/{path}")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """An embedded cloud with the anchors of that trail, and responders that answer commands."""
    cloud = Cloud.start([LIVED.policy], seed=1, clock=CloudClock(NOW), alerter=False, ticks=False)
    bucket = audit_bucket(cloud.home)
    for object_name, content in ANCHORED.items():
        cloud.buckets.put(bucket, object_name, content, "application/json", {}, Preconditions())
    (tmp_path / "example.yaml").symlink_to((POLICIES / "example.yaml").resolve())
    with ExitStack() as closing:
        closing.callback(cloud.stop)
        responders(monkeypatch, tmp_path, cloud, closing)
        yield cloud


@pytest.fixture
def vault(cloud: Cloud) -> Iterator[Vault]:
    settings = Settings(cloud.home, local_cloud=f"http://{cloud.addresses['control']}")
    wiring = Wiring(settings, {}, deployed=False)
    yield Vault(wiring)
    wiring.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["--without-sign-in", "audit", *arguments])


def test_show_tells_a_rollback_from_its_order_to_its_end(vault: Vault) -> None:
    """When, what, who, from where, why; before and after of each change."""
    result = run("show", INCIDENT)

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "rollback.ordered" in lines[0]
    assert "by eve (on_command)  a test" in lines[0]
    assert any("DECIDING -> RUNNING" in line for line in lines)
    assert any("step.done" in line and "BEGUN -> DONE" in line for line in lines)
    told = json.loads(run("show", INCIDENT, "--json").output)
    assert len(told) == len(lines)
    assert {one["rollback"] for one in told} == {INCIDENT}
    assert told[0]["system"] == LIVED.policy.system


def test_show_tells_of_a_system(vault: Vault) -> None:
    """Its events outside of rollbacks; of one without any, it says so."""
    refused = json.loads(run("show", "--system", "unclaimed", "--json").output)

    assert [one["event"] for one in refused] == ["message.refused"] * 2
    assert refused[0]["origin"].endswith("/topics/rollback-alerts")
    nothing = run("show", "--system", "all")
    assert (nothing.exit_code, nothing.output) == (0, "no event is stored of all\n")


WRONG = (
    (("show",), "name an incident"),
    (("show", "INC-1", "--system", "all"), "name an incident"),
    (("show", "--system", "shop"), "no system shop; there is bookshop, all, unclaimed"),
    (("verify",), "--all"),
    (("verify", "--all", "INC-1"), "--all"),
    (("export", "--since", "yesterday"), "is no time"),
    (("export", "--system", "shop"), "no system shop"),
    (("export", "-o", "/no/such/folder/file"), "cannot be written"),
    (("export", "--format", "xml"), "xml"),
)
"""What is said, and why it cannot be done."""


def test_what_cannot_be_done_is_said(vault: Vault) -> None:
    """One sentence and exit code 2; nothing is published."""
    done = {words: run(*words) for words, _ in WRONG}

    assert {words: one.exit_code for words, one in done.items()} == {words: 2 for words, _ in WRONG}
    unsaid = [said for words, said in WRONG if said not in " ".join(done[words].output.split())]
    assert unsaid == []
    assert vault.exports() == []


def test_what_is_not_there_is_no_wrong_usage(vault: Vault) -> None:
    """Exit code 1, as `report` and `watch` have it for an incident that nobody knows."""
    unknown = (("show", "INC-20200101-001"), ("verify", "INC-20200101-001"), ("verify", "--system", "all"))

    done = [run(*words) for words in unknown]

    assert [one.exit_code for one in done] == [1, 1, 1]
    assert all(
        f"no audit log is stored or anchored of {words[-1]}" in one.output
        for words, one in zip(unknown, done, strict=True)
    )


def test_verify_of_an_intact_trail(vault: Vault) -> None:
    """Exit code 0, and each chain with how far it is anchored."""
    result = run("verify", "--all")

    assert result.exit_code == 0
    assert [line.split(",")[0] for line in result.output.splitlines()] == [
        f"rollbacks/{INCIDENT}: intact",
        f"rollbacks/{OTHER}: intact",
        f"systems/{LIVED.policy.system}: intact",
        "systems/unclaimed: intact",
    ]
    found = json.loads(run("verify", INCIDENT, "--json").output)
    assert [(one["verdict"], one["faults"]) for one in found] == [("intact", [])]
    assert found[0]["anchored"] == found[0]["entries"]


def test_verify_of_a_trail_that_was_edited(vault: Vault) -> None:
    """Exit code 1, and each fault on a line of its own; the others stay intact."""
    Tamperer(vault, 3).edit(FIRST)

    result = run("verify", "--all")

    assert result.exit_code == 1
    assert f"rollbacks/{INCIDENT}: broken" in result.output
    assert "  FAULT entry" in result.output
    assert f"rollbacks/{OTHER}: intact" in result.output
    assert run("verify", OTHER).exit_code == 0
    assert json.loads(run("verify", INCIDENT, "--json").output)[0]["faults"] != []


def test_verify_of_a_trail_that_was_written_anew(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the anchors find it; without them, that is what it says."""
    Tamperer(vault, 3).rewrite(FIRST)
    assert run("verify", INCIDENT).exit_code == 1

    monkeypatch.delenv("ROLLBACK_AUDIT_BUCKET")
    result = run("verify", INCIDENT)

    assert result.exit_code == 0
    assert "note: no ROLLBACK_AUDIT_BUCKET: a chain that was written anew" in result.output


def test_verify_of_what_has_expired(vault: Vault, cloud: Cloud) -> None:
    """Gone in its time is not broken; gone before it is."""
    for path in DOCUMENTS:
        if path == FIRST or path.startswith(f"{FIRST}/audit/"):
            vault.remove(path)
    early = run("verify", INCIDENT)
    assert early.exit_code == 1
    assert "none of it is there" in early.output

    expires_at: Any = DOCUMENTS[FIRST]["expires_at"]
    cloud.clock.advance(expires_at - NOW)

    late = run("verify", INCIDENT)
    assert late.exit_code == 0
    assert f"rollbacks/{INCIDENT}: expired, 0 entries, anchored up to" in late.output


def test_nothing_is_kept_yet(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project is no fault, and says what it is."""
    monkeypatch.delenv("ROLLBACK_AUDIT_BUCKET")

    verified, exported = run("verify", "--all"), run("export")

    assert (verified.exit_code, verified.output) == (0, "no audit log is stored or anchored\n")
    assert exported.exit_code == 0
    [record] = [json.loads(line) for line in exported.stdout.splitlines()]
    assert record["event"] == "command.export"


def test_export_is_whole_in_order_and_on_record(vault: Vault, tmp_path: Path) -> None:
    """Every event once, by time, in both forms; the record that it was done is the last."""
    result = run("export", "--reason", "yearly audit")

    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    times = [one["at"] for one in lines]
    assert times == sorted(times)
    assert f"{len(lines)} events exported" in result.stderr
    rollbacks = sum(
        len(fields["events"])
        for path, fields in DOCUMENTS.items()
        if path.startswith("rollbacks/") and "/audit/" in path
    )
    singles = sum(path.startswith("systems/") and "/audit/" in path for path in DOCUMENTS)
    assert len(lines) == rollbacks + singles + 1
    assert (lines[-1]["event"], lines[-1]["why"]) == ("command.export", "yearly audit")
    assert lines[-1]["facts"]["command"]["format"] == "ndjson"

    file = tmp_path / "trail.csv"
    exported = run("export", "--format", "csv", "-o", str(file), "--json")
    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    assert [row["event"] for row in rows][:-1] == [one["event"] for one in lines]
    assert json.loads(rows[0]["facts"]) == lines[0]["facts"]
    told = json.loads(exported.stdout)
    assert (told["events"], told["format"], told["file"]) == (len(rows), "csv", str(file))
    assert told["command"] == vault.exports()[-1]["id"]


def test_export_of_a_system_and_a_time(vault: Vault) -> None:
    """From its first moment up to and without its last; of one system, its rollbacks too."""
    whole = [json.loads(line) for line in run("export").stdout.splitlines()]
    since, until = whole[5]["at"], whole[20]["at"]

    some = run("export", "--since", since, "--until", until).stdout.splitlines()
    system = run("export", "--system", LIVED.policy.system).stdout.splitlines()
    other = run("export", "--system", "unclaimed").stdout.splitlines()

    assert [json.loads(line) for line in some] == [one for one in whole if since <= one["at"] < until]
    exports = {json.loads(line)["system"] for line in system if "command.export" in line}
    assert exports == {LIVED.policy.system}
    assert len(system) + len(other) == len(whole) - 1 + len(exports)
    assert {json.loads(line)["system"] for line in other} == {"unclaimed"}
    [said] = [one for one in map(json.loads, run("export").stdout.splitlines()) if facts(one)]
    assert datetime.fromisoformat(facts(said)) == datetime.fromisoformat(since)


def facts(one: dict[str, Any]) -> str:
    """From when an export was to be, where it is one and said so."""
    return str(one["facts"].get("command", {}).get("since", ""))


def test_a_refused_export_hands_out_nothing(cloud: Cloud, vault: Vault, tmp_path: Path) -> None:
    """Who may only look gets no line of it, on standard output or in a file, and is told why."""
    viewer = Account("vic@example.com", "pw", role="viewer", totp_secret=operator.ADA.totp_secret)
    file = tmp_path / "trail"
    file.write_text("the one of last year")
    operator.sign_in_at_prompt(cloud, viewer)

    for words in ((), ("--json",), ("-o", str(file))):
        refused = operator.run_cli_line("audit", "export", *words)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "refused: " in refused.stderr
        assert "responder" in refused.stderr

    assert file.read_text() == "the one of last year"
    assert vault.exports() == []


def test_no_record_no_export(cloud: Cloud, vault: Vault, tmp_path: Path) -> None:
    """Where the command cannot be published, nothing is written out."""
    topic = types.DeleteTopicRequest.pb()(topic=f"projects/{cloud.home}/topics/{topics.OVERRIDE}")
    cloud.pubsub.publisher.DeleteTopic(topic, NO_CALL_CONTEXT)
    file = tmp_path / "trail"

    result = run("export", "-o", str(file))

    assert result.exit_code == 3
    assert "no answer" in result.stderr
    assert not file.exists()


def test_a_service_that_gives_no_answer(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3: unknown is neither intact nor broken."""
    monkeypatch.setenv("ROLLBACK_AUDIT_BUCKET", "no-such-bucket")
    assert run("verify", "--all").exit_code == 3

    monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, "http://127.0.0.1:9")
    result = run("verify", "--all")
    assert (result.exit_code, "no answer" in result.output) == (3, True)


def test_an_export_is_recorded_like_every_command() -> None:
    """Who, when, why, and of what; a second delivery records nothing more."""
    world = World()
    command = {"command": "export", "format": "csv", "since": "2026-03-01T00:00:00Z", "actor": "eve"}

    for _ in range(2):
        world.command(id="export-1", system=world.policy.system, **command)
        world.settle()

    documents = world.documents
    [kept] = [
        fields
        for path, fields in documents.items()
        if path == f"systems/{world.policy.system}/audit/command:export-1"
    ]
    assert (kept["name"], kept["actor"]) == ("command.export", "eve")
    assert kept["facts"]["command"]["since"] == "2026-03-01T00:00:00Z"
    assert documents["commands/export-1"]["result"] == f"csv of {world.policy.system}"
    world.command(command="export", format="xml")
    world.settle()
    [refused] = [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert "format" in refused.attributes["reason"]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_carried_out_by_a_spreadsheet(begin: str) -> None:
    """What would be a formula is a text, and its rows and quotes stay its own."""
    evil = f'{begin}HYPERLINK("http://evil.example")\nsecond,row'
    stream = io.StringIO(newline="")

    write([audit_line_of_event(create_event("x", START, evil, reason=evil), "shop")], Format.CSV, stream)

    [row] = csv.DictReader(io.StringIO(stream.getvalue(), newline=""))
    assert row["actor"] == row["why"] == f"'{evil}"


def test_nothing_that_is_shown_moves_the_cursor(vault: Vault) -> None:
    """A name with control signs is shown, not obeyed."""
    path = f"{FIRST}/audit/000003"
    events = [{**DOCUMENTS[path]["events"][0], "actor": "\x1b[2Jeve\r\n"}]
    vault.store.commit([Put(path, {**DOCUMENTS[path], "events": events})])

    shown, verified = run("show", INCIDENT), run("verify", INCIDENT)

    assert "\x1b" not in shown.output + verified.output
    assert "\\x1b[2Jeve\\r\\n" in shown.output
