"""Policy files: what is read from them."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import BadConfiguration
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.function_groups import resolve_groups
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.policy_files.loader import (
    MAX_POLICY_BYTES,
    load_policies,
    load_policy,
    load_policy_files,
    parse_policy,
)
from tests.support.decision.minimal_policy import SMALL, policy_faults

POLICIES = Path(__file__).parent.parent.parent.parent / "policies"
SHARE = "execution: { write_quota: { share: 0.5 } }\n"


def test_a_small_policy_is_read_with_the_defaults_of_the_code() -> None:
    """What a file leaves out is what the code has as default."""
    policy = parse_policy(SMALL, "shop.yaml")

    assert policy == Policy(
        system=policy.system,
        project="shop-prod",
        region="europe-west1",
        groups=policy.groups,
        signals=policy.signals,
        scenarios={ScenarioName.FUNCTIONS: Mode.ACT},
        text=SMALL,
        fingerprint=hashlib.sha256(SMALL.encode()).hexdigest(),
    )
    assert policy.functions == {"listBooks": "books", "getBook": "books", "payOrder": "orders"}
    assert policy.signals["function_failure_rate"].mode is Mode.ACT


def test_durations_and_modes_are_values() -> None:
    """What is written in words is a timedelta and an enum in the code."""
    policy = parse_policy(
        SMALL
        + "gates:\n  cool_down: 1h30m\n  approvals: [database]\n"
        + "  decide_within: { CRITICAL: 30s, HIGH: 2m, MEDIUM: 1h, LOW: 7d }\n"
        + "execution: { write_quota: { per_second: 2 } }\n",
        "shop.yaml",
    )

    assert policy.gates.cool_down == timedelta(minutes=90)
    assert policy.gates.approvals == (ScenarioName.DATABASE,)
    assert policy.gates.decide_within[Severity.LOW] == timedelta(days=7)
    assert policy.execution.write_quota.per_second == 2.0


def test_the_file_is_fingerprinted_as_its_bytes_stand(tmp_path: Path) -> None:
    """The fingerprint is the SHA-256 of the file, so anybody can check it."""
    file = tmp_path / "shop.yaml"
    file.write_bytes("\ufeff".encode() + SMALL.replace("\n", "\r\n").encode())

    assert load_policy(file).fingerprint == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~"])
def test_an_empty_file(text: str) -> None:
    """An empty file protects nothing, and says so."""
    assert policy_faults(text) == ("shop.yaml:1: the file is empty",)


@pytest.mark.parametrize("text", ["shop", "- shop", "3", "[[shop]]"])
def test_a_file_that_is_no_policy(text: str) -> None:
    """What is not a mapping is refused as a whole."""
    assert "is not keys with values" in policy_faults(text)[0]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """A file over 1 MiB is refused before it is parsed."""
    file = tmp_path / "shop.yaml"
    file.write_text(SMALL + "#" + "é" * MAX_POLICY_BYTES)

    with pytest.raises(BadConfiguration, match="larger than 1048576 bytes"):
        load_policy(file)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """The line of the first strange byte is told."""
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"system: shop\nproject: \xff\n")

    with pytest.raises(BadConfiguration, match=r"shop\.yaml:2: not UTF-8"):
        load_policy(file)


def test_a_text_with_a_lone_surrogate() -> None:
    """Text that no file could hold is refused like any other."""
    assert policy_faults(SMALL.replace("shop-prod", "shop\ud800"))[0].startswith("shop.yaml:2: not UTF")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is a fault of the configuration."""
    with pytest.raises(BadConfiguration, match="cannot be read: No such file"):
        load_policy(tmp_path / "gone.yaml")


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    """Every system of the folder is known by its name; other files are left alone."""
    (tmp_path / "shop.yaml").write_text(SMALL)
    other = SMALL.replace("project: shop", "project: tea").replace("system: shop", "system: tea")
    (tmp_path / "tea.yml").write_text(other)
    (tmp_path / "README.md").write_text("not a policy")

    assert sorted(load_policies(tmp_path)) == ["shop", "tea"]


def test_two_files_that_claim_the_same(tmp_path: Path) -> None:
    """A system has one policy and an alert policy one owner, over all files."""
    text = SMALL.replace("0.5 }", "0.5, alert_policies: ['7'] }")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text + "extra: 1\n")

    with pytest.raises(BadConfiguration) as caught:
        load_policies(tmp_path)

    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert caught.value.faults == (
        f"{b}:10: unknown key 'extra'",
        f"{b}:1: system 'shop' has a policy: {a}",
        f"{b}:8: alert policy 7 is claimed by {a}",
    )


def test_a_folder_without_policies(tmp_path: Path) -> None:
    """No policy at all is no configuration."""
    with pytest.raises(BadConfiguration, match="no policy file"):
        load_policies(tmp_path)


def test_the_real_policies() -> None:
    """CVPlus is protected whole: its 151 functions, its signals, its verification."""
    policies = load_policies(POLICIES)
    cvplus, bookshop = policies["cvplus"], policies["bookshop"]

    assert len(cvplus.functions) == 151
    assert len(cvplus.groups) == 14
    assert len(cvplus.signals) == 14
    assert cvplus.groups_by_name("core-api") == ("core", "admin")
    assert cvplus.groups_by_name("payments") == ("payments",)
    assert cvplus.groups_by_name("nobody") == ()
    assert {probe.function for probe in cvplus.probes if probe.function} == {
        *("processCV", "generateCV", "getCVStatus", "sessionHealthCheck"),
        *("podcastStatus", "checkFeatureAccess", "healthCheck"),
    }
    assert len(bookshop.functions) == 8
    assert bookshop.scenarios[ScenarioName.FUNCTIONS] is Mode.ACT


def test_the_verification_of_cvplus_is_that_of_the_runbook() -> None:
    """Scenarios 1 to 3: each step is a row; the canary of each group is judged by a call."""
    cvplus = load_policy(POLICIES / "cvplus.yaml")

    def steps(scenario: ScenarioName) -> list[str]:
        return [name for name, one in cvplus.verification.items() if scenario in one.scenarios]

    assert steps(ScenarioName.COMPLETE) == ["cv-processing", "sign-in"]
    core = ["cv-processing", "sign-in", "media-generation", "payment", "payment-in-test-mode"]
    assert steps(ScenarioName.FUNCTIONS) == core
    data = ["user-profiles", "cv-data", "payment-records", "media-files"]
    assert steps(ScenarioName.DATABASE) == data
    assert all(cvplus.verification[name].collections for name in data)
    canaries = [one.canary for one in cvplus.groups.values() if one.canary]
    judged_by = [next(one for one in cvplus.probes if one.function == canary) for canary in canaries]
    assert [one.name for one in judged_by if one.expect.status is None] == ["healthCheck"]


def test_the_thresholds_of_cvplus_are_those_of_the_runbook() -> None:
    """Its alert thresholds, its rollback triggers, and the addresses of its health checks."""
    cvplus = load_policy(POLICIES / "cvplus.yaml")

    def conditions(name: str) -> list[tuple[float | None, float]]:
        """Return each threshold of a signal with its duration in seconds."""
        signal = cvplus.signals[name]
        every = [(signal.threshold, signal.duration), *((one.threshold, one.duration) for one in signal.also)]
        return [(threshold, (lasting or timedelta()).total_seconds()) for threshold, lasting in every]

    assert conditions("frontend_unavailable") == [(None, 30), (3, 120)]
    assert conditions("function_failure_rate") == [(0.5, 120)]
    assert conditions("functions_failing_share") == [(0.25, 0)]
    assert conditions("critical_path_blocked") == [(45, 60)]
    assert conditions("database_connectivity") == [(10, 60)]
    assert conditions("database_failure_rate") == [(0.5, 0)]
    assert conditions("authentication_failure")[0] == (0.8, 300)
    assert conditions("performance_degraded") == [(0.5, 0), (5, 600), (0.25, 300)]
    assert conditions("slow_response") == [(30, 0)]
    assert conditions("error_rate")[0] == (0.1, 300)
    assert conditions("quota_usage") == [(0.8, 0)]
    assert {one.url for one in cvplus.probes} >= {
        "https://cvplus.com/api/health",
        "https://us-central1-cvplus.cloudfunctions.net/processCV",
        "https://cvplus.com/auth/status",
    }


def test_the_channels_that_are_written_out_for_later() -> None:
    """Each is a channel as it stands, once its sign is taken away."""
    text = (POLICIES / "cvplus.yaml").read_text()

    every = parse_policy(text.replace("  # - {", "  - {"), "cvplus.yaml").channels

    assert len(every) > len(load_policy(POLICIES / "cvplus.yaml").channels)
    assert any(one.users for one in every)


def test_the_code_half_goes_back_unasked_after_a_breach_and_a_loss_of_data() -> None:
    """Scenarios 1 and 3 of the runbook; no scenario has documents among its parts."""
    signals = ("security_breach", "data_loss", "database_corruption", "database_connectivity")

    policy = load_policy(POLICIES / "cvplus.yaml")

    modes = {name: policy.strictest_mode(policy.signals[name]) for name in signals}

    assert modes == dict.fromkeys(signals, Mode.ACT)
    database = SCENARIO_SCOPES[ScenarioName.DATABASE]
    assert database.acts == {InventoryPart.FUNCTIONS, InventoryPart.INDEXES}
    assert database.asks == {InventoryPart.RULES}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Whatever a file holds, it is a policy or a list of faults."""
    with pytest.raises(BadConfiguration) as caught:
        parse_policy(text, "any.yaml")

    assert caught.value.faults
    assert all(fault.startswith("any.yaml:") for fault in caught.value.faults)


WORDS = st.sampled_from([*SMALL.split(), "\n", "\n  ", " ", "&a", "*a", "!!x", "- ", "? ", "|", "'"])


@settings(deadline=None)
@given(st.lists(WORDS, max_size=60), st.integers(0, len(SMALL)), st.integers(0, 40))
def test_any_damage(words: list[str], at: int, length: int) -> None:
    """However a file was damaged, what comes of it is a policy or a list of faults."""
    text = SMALL[:at] + " ".join(words) + SMALL[at + length :]
    try:
        policy = parse_policy(text, "any.yaml")
    except BadConfiguration:
        return
    assert policy.fingerprint == hashlib.sha256(text.encode()).hexdigest()


LEAVES = {"5.0": 5.0, "list": ["a"], "keys": {"a": ["b"]}, "word": "word", "flag": True, "none": None}


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every value stands in a policy."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in paths_of(one, (*path, key)))]


EXAMPLE = (POLICIES / "example.yaml").read_text()
PLACES = paths_of(yaml.safe_load(EXAMPLE))[1:]


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(PLACES), st.sampled_from(sorted(LEAVES)))
def test_any_value_of_another_kind(place: tuple[str | int, ...], kind: str) -> None:
    """Wherever it stands, what comes of it is a policy or a list of faults with their lines."""
    policy = yaml.safe_load(EXAMPLE)
    holder = policy
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = LEAVES[kind]
    faults: tuple[str, ...] = ()
    try:
        parse_policy(yaml.safe_dump(policy), "any.yaml")
    except BadConfiguration as refused:
        faults = refused.faults
    assert all(re.match(r"any.yaml:\d+: ", one) for one in faults)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("shop-prod", "Yes", "2: Yes: write true, or quote it as text"),
        ("shop-prod", "1234567e8", "2: 1234567e8: write a decimal number, or quote it as text"),
        ("0.5", ".5", "8: .5: write a decimal number, or quote it as text"),
    ],
)
def test_an_ambiguous_text(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """It is refused beside the other faults, in the order of the lines."""
    file = tmp_path / "shop.yaml"
    file.write_text(SMALL.replace(old, new).replace("canary: getBook", "canary: gone"))

    with pytest.raises(BadConfiguration) as caught:
        load_policy_files([file])
    assert f"{file}:{fault}" in caught.value.faults
    assert any("canary 'gone'" in one for one in caught.value.faults)
    lines = [int(one.split(":")[1]) for one in caught.value.faults]
    assert lines == sorted(lines)


def test_two_systems_with_one_function(tmp_path: Path) -> None:
    """Two rollbacks would move the traffic of one service: the second file is refused."""
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for file in (a, b):
        file.write_text(SMALL.replace("system: shop", f"system: shop-{file.stem}") + SHARE)

    for files, in_force in ([a, b], {}), ([b], {"shop-a": load_policy(a)}):
        with pytest.raises(BadConfiguration) as caught:
            load_policy_files(files, in_force=in_force)
        assert f"{b}:6: function 'payOrder' belongs to system shop-a already" in caught.value.faults


def test_a_function_that_moves_to_another_system(tmp_path: Path) -> None:
    """The earlier policy of a file's own system claims nothing any more."""
    before = parse_policy(SMALL, "a.yaml")
    moved = small_system("b").replace("payOrderb", "payOrder")
    (tmp_path / "a.yaml").write_text(SMALL.replace("payOrder", "sendOrder") + SHARE)
    (tmp_path / "b.yaml").write_text(moved + SHARE)

    files = [tmp_path / "b.yaml", tmp_path / "a.yaml"]
    assert load_policy_files(files, in_force={"shop": before}).keys() == {"shop", "shop-b"}


def small_system(name: str) -> str:
    """A policy with functions of its own, in the same project and region."""
    text = SMALL.replace("system: shop", f"system: shop-{name}")
    return re.sub(r"\b(\w+)(Book\w*|Order)\b", rf"\1\2{name}", text)


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ((0.7, 0.3), None),
        ((0.7, 0.4), "the shares of one write quota add up to 1.1"),
        ((0.7, None), "the shares of one write quota add up to 1.7"),
    ],
)
def test_systems_that_share_a_write_quota(
    tmp_path: Path, shares: tuple[float | None, ...], fault: str | None
) -> None:
    """Together they cannot spend more than all of it, and absent means all of it."""
    for name, share in zip("ab", shares, strict=True):
        quota = f"execution: {{ write_quota: {{ share: {share} }} }}\n" if share else ""
        text = small_system(name) + quota
        (tmp_path / f"{name}.yaml").write_text(text)

    if fault is None:
        assert len(load_policies(tmp_path)) == 2
        return
    with pytest.raises(BadConfiguration) as caught:
        load_policies(tmp_path)
    [said] = caught.value.faults
    assert said.startswith(f"{tmp_path / 'b.yaml'}:")
    assert fault in said


def test_systems_that_declare_their_one_write_quota_otherwise(tmp_path: Path) -> None:
    """One project and region has one quota: parts of different wholes add up to nothing."""
    for name, burst in (("a", 60), ("b", 50)):
        quota = f"execution: {{ write_quota: {{ share: 0.5, burst: {burst} }} }}\n"
        text = small_system(name) + quota
        (tmp_path / f"{name}.yaml").write_text(text)

    with pytest.raises(BadConfiguration, match="declares the same write quota otherwise"):
        load_policies(tmp_path)


def test_a_share_that_no_canary_fits_in() -> None:
    """A canary takes two writes at once: barely enough, and barely too little."""
    quota = "execution: {{ write_quota: {{ share: {} }} }}\n"

    enough = parse_policy(SMALL + quota.format(0.034), "shop.yaml")
    assert enough.execution.write_quota.system_share.burst == 2
    [fault] = policy_faults(SMALL + quota.format(0.033))
    assert "a canary takes 2" in fault


def test_policies_of_one_project_know_each_others_groups(tmp_path: Path) -> None:
    """So `*` of one system has no function that another one of the project names."""
    shop = SMALL.replace("[payOrder]", '["*"]') + SHARE
    books = SMALL.replace("system: shop", "system: books").replace("[payOrder]", "[sendBook]") + SHARE
    books = books.replace("listBooks", "lendBook").replace("getBook", "findBook")
    far = books.replace("system: books", "system: far").replace("project: shop-prod", "project: far-away")
    for name, text in (("a", shop), ("b", books), ("c", far)):
        (tmp_path / f"{name}.yaml").write_text(text)

    policies = load_policies(tmp_path)

    assert policies["shop"].foreign == tuple(policies["books"].groups.values())
    assert policies["far"].foreign == ()
    assert "sendBook" not in resolve_groups(policies["shop"], {"sendBook": "", "new": ""}).functions
