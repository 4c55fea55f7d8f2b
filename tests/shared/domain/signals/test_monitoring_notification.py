"""Notifications of Cloud Monitoring: verdicts, owners, keys, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import Refused
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.monitoring_notification import (
    DEFAULT_AUTO_CLOSE,
    Notification,
    NotificationMeaning,
    NotificationState,
    affected_function,
    is_of_foreign_project,
    match_policy,
    notification_key,
    parse_notification,
    unmatched_reason,
)
from shared.policy_files import loader

FIXTURES = Path(__file__).parent.parent.parent.parent / "fixtures" / "monitoring"
POLICIES = loader.load_policies(Path(__file__).parent.parent.parent.parent.parent / "policies")
CVPLUS, BOOKSHOP = POLICIES["cvplus"], POLICIES["bookshop"]
LABELS = {"rollback_system": "cvplus", "rollback_signal": "function_failure_rate"}


def notification(version: object = "1.2", **incident: Any) -> Notification:
    """A notification of an open incident, with what the test changes in it."""
    body = {"incident_id": "0.abc", "state": "open", "started_at": 1756293629, **incident}
    return parse_notification(json.dumps({"version": version, "incident": body}).encode())


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        parse_notification(data)
    return caught.value.reason


CAPTURES = {
    # name: verdict, project, policy id
    "docs_example_v1_1_fallback": ("open", None, None),
    "docs_example_v1_2_closed_ended_at_null": ("closed", "internal-project", "1234567890123456789"),
    "docs_example_v1_2_with_severity_links": ("open", "internal-project", "1234567890123456789"),
    "logmatch_open_k8s_2023": ("open", "scoping-project", "1000000000000000001"),
    "test_notification_int_project_number": ("test", "12345", "12345"),
    "threshold_closed_gce_cancelled_policy_edit_pubsub_2025": (
        "cancelled",
        "scoping-project",
        "1000000000000000001",
    ),
    "threshold_closed_nat_2022": ("closed", "workload-project", "1000000000000000001"),
    "threshold_open_gce_2022": ("open", "workload-project", "1000000000000000001"),
    "threshold_open_gce_critical_2025": ("open", "scoping-project", "1000000000000000001"),
    "threshold_open_gce_pubsub_2025": ("open", "scoping-project", "1000000000000000001"),
    "threshold_open_log_entry_count_cloud_function_2022": ("open", "scoping-project", "1000000000000000001"),
    "uptime_closed_2020_minimal": ("closed", None, None),
    "uptime_open_2020": ("open", None, "1000000000000000001"),
}


def test_every_captured_payload_is_in_the_table() -> None:
    """No capture is left untested."""
    assert {file.stem for file in FIXTURES.glob("*.json")} == set(CAPTURES)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_captured_payload(name: str) -> None:
    """Real notifications of every age are understood, and are nobody's without our labels."""
    verdict, project, policy_id = CAPTURES[name]
    content = (FIXTURES / f"{name}.json").read_bytes()

    parsed = parse_notification(content)

    assert (parsed.verdict, parsed.project, parsed.policy_id) == (verdict, project, policy_id)
    assert parsed.document == content.decode()
    assert match_policy(parsed, POLICIES) is None


@pytest.mark.parametrize("name", CAPTURES)
def test_a_captured_payload_with_our_labels(name: str) -> None:
    """Two labels make any notification ours."""
    document = json.loads((FIXTURES / f"{name}.json").read_bytes())
    document["incident"].setdefault("policy_user_labels", {}).update(LABELS)

    claimed = match_policy(parse_notification(json.dumps(document).encode()), POLICIES)

    assert claimed == (CVPLUS, "function_failure_rate")


def test_what_is_read_of_a_notification() -> None:
    """The fields are those of the payload; times are aware UTC."""
    name = "threshold_open_log_entry_count_cloud_function_2022"
    content = (FIXTURES / f"{name}.json").read_bytes()

    parsed = parse_notification(content)

    assert parsed == Notification(
        version="1.2",
        incident_id="0.mp9ojt5e6800",
        state=NotificationState.OPEN,
        started_at=datetime(2022, 11, 18, 17, 21, 58, tzinfo=UTC),
        ended_at=None,
        project="scoping-project",
        resource_type="cloud_function",
        resource_labels={
            "function_name": "function-name-1",
            "project_id": "scoping-project",
            "region": "us-central1",
        },
        metric_service="",
        policy_id="1000000000000000001",
        user_labels={"foo": "bar"},
        summary=parsed.summary,
        observed_value="1.000",
        document=content.decode(),
    )
    assert parsed.summary.startswith("Log entries for scoping-project")


@pytest.mark.parametrize("state", ["open", "OPEN", " Open "])
def test_an_open_incident_however_it_is_written(state: str) -> None:
    """The console writes OPEN, alert policies open: both fire."""
    assert notification(state=state).verdict is NotificationMeaning.OPEN


@pytest.mark.parametrize(
    "state", [None, "", "null", "acknowledged", "opened", True, 1, ["open"], {"open": 1}]
)
def test_a_state_that_is_not_known(state: object) -> None:
    """An incident of unknown state is never firing: it is refused."""
    with pytest.raises(Refused, match="unknown state"):
        notification(state=state)


@pytest.mark.parametrize("version", [None, "", "1.0", "1.3", "2", "null", [], {}])
def test_a_version_that_is_not_known(version: object) -> None:
    """A schema that we do not know is refused, not guessed."""
    with pytest.raises(Refused, match="unknown version"):
        notification(version=version)


def test_a_version_written_as_a_number() -> None:
    """Numbers and text are told apart by nobody who re-serialises JSON."""
    assert notification(version=1.2).version == "1.2"


@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_test_notification(state: str) -> None:
    """The console's test button never fires, whatever its state says."""
    assert notification(version="test", state=state).verdict is NotificationMeaning.TEST


EDITED = "Incident cancelled because the alert policy condition was deleted or modified while"


@pytest.mark.parametrize("field", ["observed_value", "summary"])
@pytest.mark.parametrize("said", [EDITED, EDITED.upper(), "x: alert policy was deleted."])
def test_closed_because_the_policy_was_edited(field: str, said: str) -> None:
    """An edited alert policy closes its incidents, and nobody has recovered."""
    assert notification(state="closed", **{field: said}).verdict is NotificationMeaning.CANCELLED
    assert notification(state="open", **{field: said}).verdict is NotificationMeaning.OPEN


DAY = 86400
WEEK = 7 * DAY


@pytest.mark.parametrize(
    ("started_at", "ended_at", "verdict"),
    [
        (1000, 1000 + WEEK - 1, NotificationMeaning.CLOSED),
        (1000, 1000 + WEEK, NotificationMeaning.CANCELLED),
        ("1000", str(1000 + WEEK), NotificationMeaning.CANCELLED),
        (1000.0, 1000.0 + WEEK, NotificationMeaning.CANCELLED),
        (1000, None, NotificationMeaning.CLOSED),
        (1000, "null", NotificationMeaning.CLOSED),
        (None, 1000 + WEEK, NotificationMeaning.CLOSED),
        (0, WEEK, NotificationMeaning.CLOSED),
        (1000 + WEEK, 1000, NotificationMeaning.CLOSED),
        (1000, 10**30, NotificationMeaning.CLOSED),
        (-1000, WEEK, NotificationMeaning.CLOSED),
        ("yesterday", "1e9", NotificationMeaning.CLOSED),
        ([1000], {"s": WEEK}, NotificationMeaning.CLOSED),
    ],
)
def test_closed_after_no_data(started_at: object, ended_at: object, verdict: NotificationMeaning) -> None:
    """Cloud Monitoring closes by itself after 7 days; that is no recovery."""
    closed = notification(state="closed", started_at=started_at, ended_at=ended_at)

    assert closed.verdict is verdict


def test_closed_after_the_policy_s_own_time() -> None:
    """Where a policy closes its incidents earlier, that time is the measure."""
    closed = notification(state="closed", started_at=1000, ended_at=1000 + DAY)

    assert closed.verdict is NotificationMeaning.CLOSED
    assert closed.verdict_after(timedelta(days=1)) is NotificationMeaning.CANCELLED


@pytest.mark.parametrize("absent", [None, "", "null", [], {}, True])
def test_what_is_absent_in_its_many_ways(absent: object) -> None:
    """Absent, null, empty and "null" are one."""
    names = ["summary", "observed_value", "condition_name", "condition"]
    parsed = notification(**dict.fromkeys(names, absent), scoping_project_id=absent)

    assert (parsed.summary, parsed.observed_value) == ("", "")
    assert (parsed.project, parsed.policy_id) == (None, None)


def test_numbers_where_text_is_expected() -> None:
    """A number is the text that it is written as."""
    parsed = notification(incident_id=12345, observed_value=0.5, scoping_project_id=12345)

    assert (parsed.incident_id, parsed.observed_value, parsed.project) == ("12345", "0.5", "12345")


REFUSED = {
    "nothing": (b"", "empty"),
    "no JSON": (b"hello", "not JSON"),
    "not UTF-8": (b'{"version": "\xff"}', "not JSON"),
    "a lone surrogate": (b'{"version": "\\ud800"}', "not JSON"),
    "NaN": (b'{"version": NaN}', "not JSON"),
    "a number out of range": (b'{"version": 1e999}', "not JSON"),
    "a huge number": (b'{"version": ' + b"9" * 5000 + b"}", "not JSON"),
    "a list": (b"[]", "no object"),
    "deep nesting": (b'{"incident":' * 20000 + b"1" + b"}" * 20000, "nested too deeply"),
    "10 MB": (b" " * 10_000_000, "at most 262144 are read"),
    "a manual message": (b'{"scenario": "functions"}', "no incident"),
    "an incident that is text": (b'{"version": "1.2", "incident": "0.abc"}', "no incident"),
    "no id": (b'{"version": "1.2", "incident": {"state": "open"}}', "no incident_id"),
    "an id that is a list": (
        b'{"version": "1.2", "incident": {"state": "open", "incident_id": ["a"]}}',
        "no incident_id",
    ),
    "an id of 201 bytes": (
        b'{"version": "1.2", "incident": {"state": "open", "incident_id": "' + b"a" * 201 + b'"}}',
        "more than 200 bytes",
    ),
    "labels that are text": (
        b'{"version": "1.2", "incident": {"state": "open", "incident_id": "a", "policy_user_labels": "a"}}',
        "policy_user_labels is not an object",
    ),
    "a label that is a list": (
        b'{"version": "1.2", "incident": {"state": "open", "incident_id": "a",'
        b' "resource": {"labels": {"project_id": ["a"]}}}}',
        "'project_id' is not text",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(data: bytes, reason: str) -> None:
    """What cannot be understood is refused with a reason that a person understands."""
    assert reason in refusal(data)


def test_doubled_keys() -> None:
    """Of a key that stands twice the last counts, as for other readers of JSON."""
    data = b'{"version":"1.2","incident":{"incident_id":"a","state":"open","state":"closed"}}'

    assert parse_notification(data).verdict is NotificationMeaning.CLOSED


@pytest.mark.parametrize(
    ("incident_id", "state", "key"),
    [
        ("0.abc", "open", "0.abc:open"),
        ("0.abc", "CLOSED", "0.abc:closed"),
        ("a/b:c d", "open", "a%2Fb%3Ac%20d:open"),
        ("é", "open", "%C3%A9:open"),
        ("..", "open", "..:open"),
        ("a" * 200, "open", "a" * 200 + ":open"),
    ],
)
def test_the_key_of_a_notification(incident_id: str, state: str, key: str) -> None:
    """One document per incident and state, under a name that Firestore takes."""
    assert notification_key(notification(incident_id=incident_id, state=state)) == key


@pytest.mark.parametrize("incident_id", ["", "a" * 201, "é" * 101])
def test_a_notification_without_a_key(incident_id: str) -> None:
    """An id that makes no key is refused, wherever the notification came from."""
    known = msgspec.structs.replace(notification(), incident_id=incident_id)

    with pytest.raises(Refused):
        notification_key(known)


CONDITION = {"name": "projects/p/alertPolicies/4815162342/conditions/1"}
OTHER = {"name": "projects/p/alertPolicies/1/conditions/4815162342"}

CLAIMS = {
    "by labels": ({"policy_user_labels": LABELS}, (CVPLUS, "function_failure_rate")),
    "by id": ({"condition": CONDITION}, (BOOKSHOP, "function_failure_rate")),
    "labels before id": (
        {"policy_user_labels": LABELS, "condition": CONDITION},
        (CVPLUS, "function_failure_rate"),
    ),
    "labels of others beside the id": (
        {"policy_user_labels": {"team": "cvplus"}, "condition": CONDITION},
        (BOOKSHOP, "function_failure_rate"),
    ),
    "by nothing": ({}, None),
    "id of others": ({"condition": OTHER}, None),
    "system unknown, id known": (
        {"policy_user_labels": {**LABELS, "rollback_system": "x"}, "condition": CONDITION},
        None,
    ),
    "signal unknown": ({"policy_user_labels": {**LABELS, "rollback_signal": "x"}}, None),
    "signal of another system's policy": (
        {"policy_user_labels": {"rollback_system": "bookshop", "rollback_signal": "data_loss"}},
        None,
    ),
    "system alone": ({"policy_user_labels": {"rollback_system": "cvplus"}}, None),
    "signal alone": ({"policy_user_labels": {"rollback_signal": "data_loss"}}, None),
    "prose": ({"policy_name": "cvplus", "summary": "rollback_system=cvplus"}, None),
}


@pytest.mark.parametrize(("incident", "claimed"), CLAIMS.values(), ids=CLAIMS)
def test_whose_a_notification_is(incident: dict[str, Any], claimed: tuple[Policy, str] | None) -> None:
    """The system and the signal come from labels or a listed id, never from prose."""
    parsed = notification(**incident)

    assert match_policy(parsed, POLICIES) == claimed
    if claimed is None:
        assert unmatched_reason(parsed, POLICIES)


@pytest.mark.parametrize(
    ("labels", "scoping", "is_foreign"),
    [
        ({"project_id": "cvplus"}, "elsewhere", False),
        ({"project_id": "elsewhere"}, "cvplus", True),
        ({}, "cvplus", False),
        ({}, "elsewhere", True),
        ({"project_id": None}, "elsewhere", True),
        ({}, None, False),
    ],
)
def test_a_project_whose_alerts_do_not_count(
    labels: dict[str, Any], scoping: str | None, is_foreign: bool
) -> None:
    """The resource's project decides, else the scoping one; no project at all is accepted."""
    parsed = notification(resource={"labels": labels}, scoping_project_id=scoping)

    assert is_of_foreign_project(parsed, CVPLUS) is is_foreign


def test_a_policy_without_alert_projects() -> None:
    """Where a policy names no alert projects, its own project is the one."""
    policy = msgspec.structs.replace(CVPLUS, alert_projects=())

    assert not is_of_foreign_project(notification(scoping_project_id="cvplus"), policy)
    assert is_of_foreign_project(notification(scoping_project_id="other"), policy)


@pytest.mark.parametrize(
    ("resource_type", "labels", "function"),
    [
        ("cloud_run_revision", {"service_name": "processcv"}, "processCV"),
        ("cloud_run_revision", {"service_name": "unknown"}, "unknown"),
        ("cloud_function", {"function_name": "sendReceipt"}, "sendreceipt"),
        ("cloud_run_revision", {"function_name": "processCV"}, None),
        ("cloud_run_revision", {}, None),
        ("cloud_function", {"function_name": "processCV"}, "processCV"),
        ("gce_instance", {"service_name": "processcv"}, None),
    ],
)
def test_the_function_that_an_alert_names(
    resource_type: str, labels: dict[str, str], function: str | None
) -> None:
    """Cloud Run names the service, the function in lower case; of an unknown one that is known."""
    parsed = notification(resource={"type": resource_type, "labels": labels})

    assert affected_function(parsed, CVPLUS) == function


@pytest.mark.parametrize(
    "resource", [None, {"type": "cloud_run_revision", "labels": {"project_id": "cvplus"}}]
)
def test_the_metric_names_the_function_where_the_resource_names_none(resource: Any) -> None:
    """The result of a PromQL query by service has its label, and perhaps no resource."""
    parsed = notification(resource=resource, metric={"labels": {"service_name": "processcv"}})

    assert affected_function(parsed, CVPLUS) == "processCV"


def test_the_default_of_auto_close() -> None:
    """Without a policy it is Cloud Monitoring's 7 days, which is the policy's default too."""
    assert Gates().auto_close == DEFAULT_AUTO_CLOSE == timedelta(days=7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    sorted(json.loads((FIXTURES / "threshold_open_gce_critical_2025.json").read_text())["incident"])
)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever comes, it is refused: bytes by chance are no notification."""
    assert refusal(data)


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=6), JSON)
def test_any_incident(changes: dict[str, Any], version: Any) -> None:
    """Whatever stands in a notification's fields, it is understood or refused."""
    document = json.loads((FIXTURES / "threshold_open_gce_critical_2025.json").read_text())
    document["incident"].update(changes)
    for known in ("1.2", version):
        data = json.dumps({**document, "version": known}).encode("utf-8", "surrogatepass")
        try:
            parsed = parse_notification(data)
        except Refused as refused:
            said = refused.reason
        else:
            said = notification_key(parsed) + parsed.verdict
            match_policy(parsed, POLICIES)
            affected_function(parsed, CVPLUS)
        assert said
