"""Which group has a function: names, patterns, codebases and the functions of other systems."""

import pytest
from msgspec.structs import replace

from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation
from shared.domain.policy.function_groups import (
    RESPONDER_FUNCTIONS,
    describe_ungrouped,
    find_ungrouped,
    has_patterns,
    resolve_groups,
)
from shared.domain.policy.system_policy import Group, Policy
from tests.support.runtime.world import BOOKSHOP

LIVE = {"getBook": "", "getBookPrice": "", "processCV": "", "payInvoice": "payments", "other": "default"}


def declared(**groups: Group) -> Policy:
    return replace(BOOKSHOP, groups=groups)


@pytest.mark.parametrize(
    ("groups", "members"),
    [
        ({"all": Group(("*",))}, {"all": (*sorted(LIVE),)}),
        ({"get": Group(("get*",)), "all": Group(("*",))}, {"get": ("getBook", "getBookPrice")}),
        ({"all": Group(("*",)), "cv": Group(("processCV",))}, {"cv": ("processCV",)}),
        ({"long": Group(("getBook*",)), "short": Group(("get*",))}, {"long": ("getBook", "getBookPrice")}),
        ({"exact": Group(("getBook",)), "long": Group(("getBoo?",))}, {"exact": ("getBook",), "long": ()}),
        ({"tail": Group(("*Price",)), "get": Group(("get*",))}, {"tail": ("getBookPrice",)}),
        ({"one": Group(("get?ook",)), "all": Group(("*",))}, {"one": ("getBook",)}),
        ({"case": Group(("GET*",)), "all": Group(("*",))}, {"case": ()}),
        ({"first": Group(("g*",)), "second": Group(("*k",))}, {"first": ("getBook", "getBookPrice")}),
        ({"pay": Group(codebases=("payments",)), "all": Group(("*",))}, {"pay": ("payInvoice",)}),
        ({"all": Group(("*",)), "main": Group(codebases=("default",))}, {"main": ("other",)}),
        ({"pay": Group(codebases=("payments",)), "name": Group(("pay*",))}, {"name": ("payInvoice",)}),
        ({"pay": Group(codebases=("payments",)), "exact": Group(("payInvoice",))}, {"pay": ()}),
        ({"both": Group(("getBook",), ("payments",))}, {"both": ("getBook", "payInvoice")}),
        (
            {"gone": Group(("deletedLongAgo", "get*"))},
            {"gone": ("deletedLongAgo", "getBook", "getBookPrice")},
        ),
    ],
)
def test_the_most_specific_group_has_a_function(
    groups: dict[str, Group], members: dict[str, tuple[str, ...]]
) -> None:
    """A name comes before patterns, more literal characters before fewer, a codebase before `*`."""
    resolved = resolve_groups(declared(**groups), LIVE)

    assert {name: resolved.groups[name].functions for name in members} == members
    assert len(resolved.functions) == sum(len(group.functions) for group in resolved.groups.values())


def test_a_policy_of_names_alone() -> None:
    """Nothing is resolved, and what is live changes nothing."""
    assert not has_patterns(BOOKSHOP)
    assert resolve_groups(BOOKSHOP, LIVE) is BOOKSHOP


def test_a_pattern_that_nothing_was_resolved_for() -> None:
    """A pattern is no function: until functions are read, its group has none."""
    policy = declared(get=Group(("get*", "payOrder")))

    assert policy.functions == {"payOrder": "get"}
    assert resolve_groups(policy, {}).functions == {"payOrder": "get"}


def test_a_function_that_is_removed_and_one_that_replaces_it() -> None:
    """A resolved policy is resolved again: patterns follow what is live."""
    policy = resolve_groups(declared(get=Group(("get*",))), {"getBook": "", "getPrice": ""})

    replaced = resolve_groups(policy, {"getBook": "", "getPrices": ""})

    assert replaced.groups["get"].functions == ("getBook", "getPrices")
    assert resolve_groups(replaced, {}).functions == {}


def test_functions_of_the_rollback_system() -> None:
    """No pattern covers them, and no one is asked to put them in a group."""
    functions = {**LIVE, **dict.fromkeys(RESPONDER_FUNCTIONS, "")}

    assert "rollback-on-work" in RESPONDER_FUNCTIONS
    assert {*resolve_groups(declared(all=Group(("*",))), functions).functions} == {*LIVE}
    assert find_ungrouped(BOOKSHOP, functions) == sorted(LIVE.keys() - BOOKSHOP.functions)


def test_functions_of_another_system_in_the_same_project() -> None:
    """They are in no group here, and are not missing in one."""
    policy = replace(declared(all=Group(("*",))), foreign=(Group(("get*",)), Group(codebases=("payments",))))

    assert {*resolve_groups(policy, LIVE).functions} == {"processCV", "other"}
    assert find_ungrouped(replace(policy, groups={"cv": Group(("processCV",))}), LIVE) == ["other"]


def test_ungrouped_functions_are_named_with_what_to_do() -> None:
    """The first five, how many more, and both ways to cover them."""
    text = describe_ungrouped(["a", "b", "c", "d", "e", "f", "g"])

    assert text == (
        "7 functions are in no group of the policy and never rolled back: a, b, c, d, e and 2 more; "
        "add each to a group, or add a group with functions: ['*']"
    )
    assert describe_ungrouped(["a"]).startswith("1 function is in no group")


@pytest.mark.parametrize(
    ("labels", "codebase"),
    [
        ({}, ""),
        ({"deployment-tool": "cli-gcloud"}, ""),
        ({"deployment-tool": "cli-firebase"}, "default"),
        ({"deployment-tool": "cli-firebase--agent"}, "default"),
        ({"deployment-tool": "cli-firebase", "firebase-functions-codebase": "payments"}, "payments"),
    ],
)
def test_the_codebase_of_a_function(labels: dict[str, str], codebase: str) -> None:
    """Firebase labels it; the default codebase has no label of its own."""
    state = FunctionState("pay", Generation.SECOND, definition={"labels": labels} if labels else {})

    assert state.codebase == codebase
