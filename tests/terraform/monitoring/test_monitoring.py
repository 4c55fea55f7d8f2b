"""The monitoring half of the Terraform module, on evaluated values."""

import base64
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.domain.policy.system_policy import Policy
from shared.domain.reports.monthly_stats import IncidentTally
from shared.domain.signals import monitoring_notification
from shared.domain.signals.registry import SIGNALS
from shared.policy_files import loader
from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.evaluator.values import Unevaluable
from tests.terraform.monitoring.alert_rules import violations
from tests.terraform.monitoring.findings import CHANNEL, POLICY, findings
from tests.terraform.monitoring.mistakes import MISTAKES, condition
from tests.terraform.monitoring.plan import ROOT, Attributes, Resources, plan, resources_of

SHIPPED = [ROOT / "policies" / "cvplus.yaml", ROOT / "policies" / "example.yaml"]

BARE = """\
system: bare-bones
project: bare-bones
region: europe-west1
groups: {{ all: {{ functions: [read_it, writeIt] }} }}
probes:
  - {{ name: site, url: "https://bare.example:8080?deep=1", status_below: 403, timeout: 90s }}
  - {{ name: read, url: "https://bare.example/read", function: read_it }}
  - name: sign-in
    sign_in: {{ email: a@bare.example, password_secret: password, api_key_secret: key }}
signals:
{signals}
scenarios: {{ functions: act }}
gates: {{ auto_close: 30m }}
"""
"""Says as little as a policy file may."""


def bare(folder: Path, **signals: str) -> Path:
    """A policy file of every signal without a threshold, but for what is given."""
    lines = (
        f"  {name}: {{ severity: HIGH, scenario: functions, mode: act, {signals.get(name, '')} }}"
        for name in SIGNALS
    )
    path = folder / "bare.yaml"
    path.write_text(BARE.format(signals="\n".join(lines)))
    return path


def edit(path: Path, old: str, new: str) -> None:
    """Write something else into a file in the place of what it says."""
    path.write_text(path.read_text().replace(old, new))


def loaded(*paths: Path) -> dict[str, Policy]:
    return {policy.system: policy for policy in map(loader.load_policy, paths)}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    variables = {"billing_account": "012345-6789AB-CDEF01", "dead_man_url": "https://switch.example/ping"}
    return plan(tmp_path_factory.mktemp("shipped"), SHIPPED, variables)


@pytest.fixture
def resources(shipped: Configuration) -> Resources:
    return deepcopy(resources_of(shipped))


def planned(folder: Path, *policies: Path, **variables: Any) -> Resources:
    """What is made of these policy files."""
    return resources_of(plan(folder, [*policies], variables))


def findings_of(made: Configuration, *paths: Path, resources: Resources | None = None) -> list[str]:
    """Where what is made, or `resources` in its place, differs from these policy files."""
    return findings(resources or resources_of(made), loaded(*paths), made.outputs["signals_without_alert"])


def test_the_alert_policies_are_what_the_policy_files_say(shipped: Configuration) -> None:
    """Every signal has its conditions with the file's thresholds, or a reason for having none."""
    assert findings_of(shipped, *SHIPPED) == []


def test_the_alert_policies_of_each_example_are_what_its_policy_files_say(example: Configuration) -> None:
    """Nothing that a reader copies has a mistake that a plan does not show."""
    rollback = example.outputs["rollback"]
    policies = {
        system: policy for system, policy in loaded(*SHIPPED).items() if system in rollback["applications"]
    }

    assert findings(resources_of(example), policies, rollback["signals_without_alert"]) == []


def test_what_costs_money_is_off_until_it_is_asked_for(tmp_path: Path) -> None:
    """What a rollback answers has its alerts; no check, no dashboard, no counter for it."""
    off = {"alert_severities": ["CRITICAL", "HIGH"], "dashboards": False, "uptime_checks": False}

    configuration = plan(tmp_path, SHIPPED[:1], off)

    resources, why = resources_of(configuration), configuration.outputs["signals_without_alert"]
    assert findings_of(configuration, SHIPPED[0]) == []
    assert "google_monitoring_uptime_check_config" not in resources
    assert "google_monitoring_dashboard" not in resources
    assert "cvplus/shifts" not in resources["google_logging_metric"]["counter"]
    assert why["cvplus/slow_response"] == "alert_severities has no MEDIUM"
    assert "own looks" in why["cvplus/frontend_unavailable"]
    assert all(why[name] for name in why)


def test_without_any_alert_nothing_is_measured_for_one(tmp_path: Path) -> None:
    """The responders' own alerts are left, their counters, and what verifies a rollback."""
    resources = planned(tmp_path, SHIPPED[0], alert_severities=[], dashboards=False, uptime_checks=False)

    assert "signal" not in resources[POLICY]
    assert set(resources["google_logging_metric"]["counter"]) == {
        "cvplus/sign_in_failures",
        "cvplus/sign_ins",
    }
    assert set(resources["google_logging_metric"]) == {*("counter", "due", "events", "responder_errors")}


def test_a_file_without_thresholds_gets_those_of_the_embedded_cloud(tmp_path: Path) -> None:
    """What is rehearsed in the embedded cloud is what Cloud Monitoring does."""
    path = bare(tmp_path)

    configuration = plan(tmp_path, [path])

    assert findings_of(configuration, path) == []


def test_operations_and_application_in_one_project(tmp_path: Path) -> None:
    """One project has one set of pagers, and its alerts on itself beside those of the system."""
    configuration = plan(tmp_path, SHIPPED[:1], {"operations_project": "cvplus"})

    assert findings_of(configuration, SHIPPED[0]) == []
    assert configuration.warnings == []
    assert len(resources_of(configuration)[CHANNEL]["pager"]) == 1


def test_no_alert_policy_of_a_service_has_a_pager_channel(shipped: Configuration) -> None:
    """A bad release raises an alert of each service; people are notified of its incident alone."""
    made = resources_of(shipped)
    pagers = {channel["id"]: channel["project"] for channel in made[CHANNEL]["pager"].values()}
    notified = {
        name: {*pagers} & {channel for alert in alerts.values() for channel in alert["notification_channels"]}
        for name, alerts in made[POLICY].items()
    }

    assert {*pagers.values()} == {"rollback-operations"}
    assert notified == {"signal": set(), "self": {*pagers}}


def test_only_what_no_metric_shows_has_no_alert(shipped: Configuration) -> None:
    """Each of them says why."""
    missing = shipped.outputs["signals_without_alert"]

    assert {name.split("/")[1] for name in missing} == {"database_corruption", "data_loss", "security_breach"}
    assert all(missing.values())


def test_a_notification_of_each_alert_policy_is_taken_as_the_systems_own(resources: Resources) -> None:
    """Its labels name system and signal, and where it stands is no foreign project."""
    policies = loaded(*SHIPPED)

    for policy in resources[POLICY]["signal"].values():
        incident = {
            "incident_id": "0.abc",
            "state": "open",
            "policy_user_labels": policy["user_labels"],
            "scoping_project_id": policy["project"],
        }
        sent = json.dumps({"version": "1.2", "incident": incident})
        notification = monitoring_notification.parse_notification(sent.encode())
        claimed = monitoring_notification.match_policy(notification, policies)
        assert claimed is not None
        assert claimed == (
            policies[policy["user_labels"]["rollback_system"]],
            policy["user_labels"]["rollback_signal"],
        )
        assert not monitoring_notification.is_of_foreign_project(notification, claimed[0])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, resources: Resources, shipped: Configuration) -> None:
    """What a plan would not tell, these checks do."""
    spoil, told = MISTAKES[mistake]

    spoil(resources)

    assert [one for one in findings_of(shipped, *SHIPPED, resources=resources) if told in one]


def test_each_probe_is_asked_as_the_policy_file_says(resources: Resources) -> None:
    """Address, time-out and healthy statuses are the probe's own."""
    checks = resources["google_monitoring_uptime_check_config"]["probe"]

    for policy in loaded(*SHIPPED).values():
        for probe in (one for one in policy.probes if one.sign_in is None):
            check = checks.pop(f"{policy.system}/{probe.name}")
            address, asked = urlsplit(probe.url), check["http_check"][0]
            path = (address.path or "/") + (f"?{address.query}" if address.query else "")
            assert check["project"] == policy.project
            assert check["monitored_resource"][0]["labels"]["host"] == address.hostname
            assert (asked["path"], asked["use_ssl"]) == (path, True)
            assert check["timeout"] == f"{probe.timeout.total_seconds():g}s"
            assert check["period"] == ("60s" if probe.signal in (None, "frontend_unavailable") else "300s")
            assert asked["request_method"] == probe.method
            body = base64.b64decode(asked.get("body") or "") or b"null"
            assert json.loads(body) == probe.body
            status = probe.expect.status
            assert healthy(asked, status or probe.status_below - 1)
            assert not healthy(asked, status + 1 if status else probe.status_below)
    assert checks == {}


def healthy(asked: Attributes, status: int) -> bool:
    """Whether a check takes this status for a good one."""
    accepted = asked["accepted_response_status_codes"]
    return {"status_value": status} in accepted or {
        "status_class": f"STATUS_CLASS_{status // 100}XX"
    } in accepted


def test_an_address_with_a_port_and_a_bound_within_a_class(tmp_path: Path) -> None:
    """A bound of 403 takes 402 and no 403, no check is too patient for Google, none signs in."""
    resources = planned(tmp_path, bare(tmp_path))

    checks = resources["google_monitoring_uptime_check_config"]["probe"]
    check = checks["bare-bones/site"]
    assert set(checks) == {"bare-bones/site", "bare-bones/read"}

    asked = check["http_check"][0]
    assert (asked["port"], asked["use_ssl"], asked["path"]) == ("8080", True, "/?deep=1")
    assert check["timeout"] == "60s"
    assert healthy(asked, 402)
    assert not healthy(asked, 403)


def test_a_check_that_posts(tmp_path: Path) -> None:
    """Body, headers and the expected text are the probe's own; Google takes the body in base64."""
    policy = bare(tmp_path)
    expected = "expect: { text: ok }, headers: { content-type: text/plain, X-Test: enabled }"
    post = f'function: read_it, method: POST, body: "a=1", {expected}'
    edit(policy, "function: read_it", post)

    resources = planned(tmp_path, policy)

    check = resources["google_monitoring_uptime_check_config"]["probe"]["bare-bones/read"]
    asked = check["http_check"][0]
    assert (asked["request_method"], base64.b64decode(asked["body"])) == ("POST", b"a=1")
    assert (asked["content_type"], asked["custom_content_type"]) == ("USER_PROVIDED", "text/plain")
    assert asked["headers"] == {"X-Test": "enabled"}
    assert check["content_matchers"] == [{"content": "ok", "matcher": "CONTAINS_STRING"}]


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        ({"function_failure_rate": "duration: 90s"}, "durations are whole minutes"),
        ({"database_connectivity": "duration: 30s"}, "durations are whole minutes"),
        ({"quota_usage": "also: [{ unit: count, threshold: 2 }]"}, "would mean something else"),
        ({"authentication_failure": "also: [{ unit: ratio, threshold: 0.5 }]"}, "would mean something else"),
    ],
)
def test_what_monitoring_cannot_do_is_refused(signals: dict[str, str], told: str, tmp_path: Path) -> None:
    """Before anything is made, and with the reason."""
    with pytest.raises(Unevaluable, match=told):
        plan(tmp_path, [bare(tmp_path, **signals)])


def test_auto_close_beyond_what_monitoring_takes_is_refused(tmp_path: Path) -> None:
    """The responders and Monitoring must mean the same time."""
    path = bare(tmp_path)
    edit(path, "auto_close: 30m", "auto_close: 29m")

    with pytest.raises(Unevaluable, match="between 30m and 7d"):
        plan(tmp_path, [path])


def test_half_a_minute_holds_where_a_query_watches(tmp_path: Path) -> None:
    """Thirty seconds are the runbook's for the frontend; a filter knows whole minutes only."""
    path = bare(tmp_path, frontend_unavailable="duration: 30s, threshold: 3")

    configuration = plan(tmp_path, [path])

    assert findings_of(configuration, path) == []
    assert condition(resources_of(configuration), "bare-bones/frontend_unavailable")["duration"] == "30s"


def test_a_share_counts_from_as_many_calls_as_the_gates_ask_for(tmp_path: Path) -> None:
    """Two failed calls of a rare function raise no alert; its `also` does not wait for more."""
    path = bare(tmp_path, function_failure_rate="also: [{ unit: seconds, threshold: 9, duration: 1m }]")
    edit(path, "auto_close: 30m", "auto_close: 30m, minimum_requests: 50")

    configuration = plan(tmp_path, [path])

    resources = resources_of(configuration)
    assert findings_of(configuration, path) == []
    alerts = resources[POLICY]["signal"]
    share, also = alerts["bare-bones/function_failure_rate"], alerts["bare-bones/function_failure_rate/also"]
    assert (share["combiner"], also["combiner"]) == ("AND_WITH_MATCHING_RESOURCE", "OR")
    assert share["user_labels"] == also["user_labels"]
    assert condition(resources, "bare-bones/function_failure_rate", 1)["threshold_value"] == 49
    assert condition(resources, "bare-bones/error_rate")["query"].endswith("[5m])) >= 50")


def test_the_counters_name_every_function_of_their_system(resources: Resources) -> None:
    """A log filter has room for all of them: 20,000 characters."""
    counters = resources["google_logging_metric"]["counter"]

    for policy in loaded(*SHIPPED).values():
        for name in ("requests", "server_errors"):
            text = counters[f"{policy.system}/{name}"]["filter"]
            assert all(f'"{function.lower()}"' in text for function in policy.functions)
            assert len(text) <= 20_000


def test_the_responders_log_what_is_counted_of_them(resources: Resources) -> None:
    """Each event and each field that a metric of ours reads is one that they write."""
    code = "\n".join(
        file.read_text() for folder in ("responders", "shared") for file in (ROOT / folder).rglob("*.py")
    )
    metrics = [
        metric
        for name, found in resources["google_logging_metric"].items()
        if name != "counter"  # of what the application logs
        for metric in found.values()
    ]
    read = [
        *(said for one in metrics for said in re.findall(r"jsonPayload\.event=(.*)", one["filter"])),
        *(one.get("value_extractor", "") for one in metrics),
    ]

    events = {name for said in read for name in re.findall(r'"([^"]+)"', said)}
    fields = {name for said in read for name in re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", said)}

    assert events == {
        *(
            "backup.failed",
            "backup.unproven",
            "backups.missing",
            "deployment.unrestorable",
            "incident.tallied",
            "incident.unanswered",
            "work.due",
        ),
        *("rollback.cancelled", "rollback.failed", "rollback.succeeded"),
    }
    assert fields == {"due_seconds"}
    assert [one for one in events if f'"{one}"' not in code] == []
    assert [one for one in fields if f"{one}=" not in code] == []
    labels = [one for metric in metrics for one in metric.get("label_extractors", {}).values()]
    of_facts = re.findall(r"EXTRACT\(jsonPayload\.facts\.(\w+)\)", " ".join([*read, *labels]))
    assert {*of_facts} <= {*IncidentTally.__struct_fields__}


def test_the_dashboards_lie_side_by_side_and_show_the_runbooks_numbers(resources: Resources) -> None:
    """No tile covers another; each limit of the runbook's health is drawn."""
    pages = {
        key: json.loads(page["dashboard_json"])
        for key, page in resources["google_monitoring_dashboard"]["page"].items()
    }

    assert set(pages) == {"responders", "systems/bookshop", "systems/cvplus"}
    for page in pages.values():
        tiles = page["mosaicLayout"]["tiles"]
        assert len({(tile.get("xPos"), tile.get("yPos")) for tile in tiles}) == len(tiles)
        assert all(tile.get("xPos", 16) % tile["width"] == 0 for tile in tiles)
        assert all(tile.get("yPos", 12) % tile["height"] == 0 for tile in tiles)
    charts = [tile["widget"]["xyChart"] for tile in pages["systems/cvplus"]["mosaicLayout"]["tiles"]]
    titles = [tile["widget"]["title"] for page in pages.values() for tile in page["mosaicLayout"]["tiles"]]
    for shown in ("Rollbacks", "Backlog", "Dead letters", "Oldest due work", "Cost: "):
        assert any(title.startswith(shown) for title in titles)
    drawn = {limit.get("value", 0) for chart in charts for limit in chart.get("thresholds", [])}
    assert drawn == {3000, 5000, 0.999, 30000, 0.05, 0.95, 0.1, 0.5}


def test_silence_stays_an_incident_and_a_burst_of_errors_ends(resources: Resources) -> None:
    """Without data an incident closes by itself: right for errors, wrong for a silent clock."""
    strategies = {
        key: policy["alert_strategy"][0]["auto_close"] for key, policy in resources[POLICY]["self"].items()
    }

    assert strategies["silent_clock"] == "604800s"
    assert {key for key, value in strategies.items() if value != "1800s"} == {"silent_clock"}
    assert set(strategies) == {
        "dead_letters",
        "errors",
        "overdue_work",
        "silent_clock",
        "unanswered_incident",
        "unrestorable",
        "waiting_messages",
    }


def test_people_are_notified_of_each_event_that_they_have_to_act_on(resources: Resources) -> None:
    """One counter has all of them; each condition reads its own, and none is left out."""
    read = {
        block["display_name"]: {*re.findall(r'"((?:backups?|deployment|incident)\.\w+)"', repr(block))}
        for alert in resources[POLICY]["self"].values()
        for block in alert["conditions"]
        if "user/rollback_events" in repr(block)
    }

    assert read == {
        "unanswered incident": {"incident.unanswered"},
        "unproven backup": {"backup.failed", "backup.unproven", "backups.missing"},
        "unrestorable deployment": {"deployment.unrestorable"},
    }


def test_a_refused_message_rings_no_pager(resources: Resources) -> None:
    """The alert counts messages that Pub/Sub gave up, at the subscriptions of the responders."""
    [condition] = resources[POLICY]["self"]["dead_letters"]["conditions"]

    [threshold] = condition["condition_threshold"]
    assert "/subscription/dead_letter_message_count" in threshold["filter"]
    assert 'full_match("rollback-.*-push")' in threshold["filter"]
    [aggregation] = threshold["aggregations"]
    assert aggregation["per_series_aligner"] == "ALIGN_DELTA"
    assert threshold["threshold_value"] == 0
    read = [one for alert in resources[POLICY]["self"].values() for one in alert["conditions"]]
    assert not [one for one in read if "rollback-dead-letters-kept" in repr(one)]


def test_a_clock_that_never_ticked_is_silent_too(resources: Resources) -> None:
    """A condition of absence waits for a first point; the query takes no series for no tick.

    The first points come up to four minutes after the first apply, which is no silence.
    """
    [condition] = resources[POLICY]["self"]["silent_clock"]["conditions"]

    [query] = condition["condition_prometheus_query_language"]
    assert query["query"].endswith("[5m])) or vector(0)) < 1")
    assert 'response_class="ack"' in query["query"]
    assert query["duration"] == "300s"


def test_the_runbook_s_figures_notify_people_and_start_no_rollback(tmp_path: Path) -> None:
    """Answers within 3 s, 99.9 % available, reads within 100 ms, writes within 500 ms.

    By channels of their own in the project of the application, and by no pager.
    """
    team = {"team": {"type": "email", "labels": {"email_address": "team@example.com"}}}
    given = {"health_alerts": True, "health_channels": team}
    resources = planned(tmp_path, *SHIPPED[:1], **given)
    alerts = resources[POLICY]["health"]
    channels = resources["google_monitoring_notification_channel"]["health"]

    assert {*alerts} == {
        "cvplus/average_response",
        "cvplus/database_reads",
        "cvplus/database_writes",
        *(
            f"cvplus/{what}_availability_{how}"
            for what in ("functions", "probe-site")
            for how in ("fast", "slow", "steady")
        ),
    }
    limits = {}
    for key, alert in alerts.items():
        [condition] = alert["conditions"]
        limits[key.partition("/")[2]] = condition["condition_threshold"][0]["threshold_value"]
        assert alert["project"] == "cvplus"
        assert alert["notification_channels"] == [one["id"] for one in channels.values()]
        assert "rollback_signal" not in alert["user_labels"]
    assert (limits["database_reads"], limits["database_writes"]) == (100, 500)
    assert [limits[f"probe-site_availability_{how}"] for how in ("fast", "slow", "steady")] == [13.44, 5.6, 1]
    assert limits["average_response"] == 3000
    goals = [one["goal"] for one in resources["google_monitoring_slo"]["availability"].values()]
    assert goals == [0.999, 0.999]


def test_a_site_that_is_down_counts_although_other_checks_pass(tmp_path: Path) -> None:
    """A window is good if any series is, so each check of the site has an objective of its own."""
    policy = tmp_path / "two-sites.yaml"
    one_more = "  - { name: legacy, url: 'https://old.cvplus.com/', signal: frontend_unavailable }\n"
    policy.write_text(SHIPPED[0].read_text().replace("probes:\n", f"probes:\n{one_more}", 1))
    resources = planned(tmp_path, policy, health_alerts=True)
    judged = {
        one["slo_id"]: re.findall(r'probe\["([^"]+)"\]', windows["good_bad_metric_filter"])
        for one in resources["google_monitoring_slo"]["availability"].values()
        for windows in one["windows_based_sli"]
    }

    assert judged == {"probe-legacy": ["cvplus/legacy"], "probe-site": ["cvplus/site"]}


def test_the_budget_writes_mail_and_nothing_else(resources: Resources) -> None:
    """A budget's message on a topic of ours would become a dead letter."""
    [budget] = resources["google_billing_budget"]["operations"].values()

    [rule] = budget["all_updates_rule"]
    assert "pubsub_topic" not in rule
    assert len(rule["monitoring_notification_channels"]) == 1


def test_the_dead_mans_switch_is_kept_quiet_from_another_region(resources: Resources) -> None:
    """It is called each minute, by Cloud Scheduler itself."""
    [job] = resources["google_cloud_scheduler_job"]["dead_man"].values()

    assert job["http_target"][0]["uri"] == "https://switch.example/ping"
    assert (job["schedule"], job["region"]) == ("* * * * *", "us-east1")


def test_nothing_is_made_that_was_not_asked_for(tmp_path: Path) -> None:
    """No budget without a billing account, no ping without an address, no counter for no signal."""
    resources = planned(tmp_path, *SHIPPED[1:])

    assert "google_billing_budget" not in resources
    assert "google_cloud_scheduler_job" not in resources
    assert set(resources["google_logging_metric"]["counter"]) == {
        "bookshop/requests",
        "bookshop/server_errors",
        "bookshop/shifts",
    }


def test_without_a_pager_the_plan_says_that_nobody_is_woken(tmp_path: Path) -> None:
    """A warning that names the project; the responders work without a person."""
    [warning] = plan(tmp_path, SHIPPED, {"pager_channels": {}}).warnings

    assert "No pager channel in rollback-operations" in warning


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"billing_account": "012345"}, "012345-6789AB-CDEF01"),
        ({"budget_amount": 0.5}, "whole number"),
        ({"alert_severities": ["URGENT"]}, "CRITICAL, HIGH"),
        ({"dead_man_url": "http://switch.example"}, "https address"),
        ({"existing_pager_channels": ["oncall"]}, "projects/P/notificationChannels/N"),
        ({"existing_pager_channels": ["projects/cvplus/notificationChannels/1"]}, "operations project"),
        ({"pager_channels": {"duty": {"type": "pagerduty", "labels": {}}}}, "need no secret"),
        ({"pager_channels": {"duty": {"type": "sms", "labels": {"email_address": "a"}}}}, "number"),
        ({"uptime_regions": ["EUROPE", "EUROPE", "USA_IOWA"]}, "three different"),
        ({"uptime_regions": ["EUROPE", "USA_IOWA", "MARS"]}, "Of ASIA_PACIFIC"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(
    variables: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """The message says what is wanted."""
    with pytest.raises(Unevaluable, match=told):
        plan(tmp_path, SHIPPED[1:], variables)


def test_quiet_groups_are_those_whose_services_are_known(tmp_path: Path) -> None:
    """A pattern has its regular expression; a single function, a codebase and "*" have none."""
    path = bare(tmp_path)
    groups = """
  all: { functions: [read_it, writeIt] }
  pattern: { functions: ["get*"] }
  single: { functions: [a_b] }
  built: { functions: [c, d], codebases: [e] }
  rest: { functions: ["*"] }
"""
    edit(path, "{ all: { functions: [read_it, writeIt] } }", groups)

    configuration = plan(tmp_path, [path])

    query = condition(resources_of(configuration), "bare-bones/function_failure_rate/quiet", 1)["query"]
    assert not [text for text in findings_of(configuration, path) if "function_failure_rate" in text]
    assert re.findall(r'service_name=~"([^"]*)"', query) == ["read-it|writeit"] * 2 + ["get.*"] * 2
    assert re.findall(r'"group", "([^"]*)"', query) == ["all", "pattern"]


def test_a_query_of_many_groups_is_divided(tmp_path: Path) -> None:
    """Each condition of groups has at most about 10,000 characters, and no group is lost."""
    names = [f"{number:02}" for number in range(40)]
    groups = ", ".join(f"g{name}: {{ functions: [read{name}, write{name}] }}" for name in names)
    path = bare(tmp_path)
    edit(path, "all: { functions: [read_it, writeIt] }", groups)

    alert = planned(tmp_path, path)[POLICY]["signal"]["bare-bones/function_failure_rate/quiet"]

    queries = [one["condition_prometheus_query_language"][0]["query"] for one in alert["conditions"][1:]]
    assert [*violations(alert)] == []
    assert len(queries) > 1
    assert max(map(len, queries)) < 10_000
    assert [*re.findall(r'"group", "g(\d+)"', " ".join(queries))] == names


@pytest.mark.parametrize(
    ("group", "counted", "measured"),
    [
        (
            "functions: [read_it, 'get*', 'c_?']",
            'resource.labels.service_name=~"^(c-.|get.*|read-it)$"',
            'resource.label.service_name=monitoring.regex.full_match("c-.|get.*|read-it")',
        ),
        (
            "functions: [read_it, '*']",
            'NOT resource.labels.service_name=("rollback-on-alert" OR ',
            'resource.label.service_name!="rollback-on-alert" AND ',
        ),
        (
            "codebases: [payments]",
            'NOT resource.labels.service_name=("rollback-on-alert" OR ',
            'resource.label.service_name!="rollback-on-alert" AND ',
        ),
    ],
)
def test_alerts_of_functions_that_patterns_cover(
    tmp_path: Path, group: str, counted: str, measured: str
) -> None:
    """A new function needs no apply: its service fits the filter; our own services never do."""
    path = bare(tmp_path)
    edit(path, "functions: [read_it, writeIt]", group)

    resources = planned(tmp_path, path)

    assert counted in resources["google_logging_metric"]["counter"]["bare-bones/requests"]["filter"]
    [condition] = resources[POLICY]["signal"]["bare-bones/slow_response"]["conditions"]
    [threshold] = condition["condition_threshold"]
    assert measured in threshold["filter"]
    assert [*violations(resources[POLICY]["signal"]["bare-bones/slow_response"])] == []
