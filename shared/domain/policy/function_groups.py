"""The group of a function: by its name, a pattern, or the codebase that it is deployed from."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from shared.core.text import count_noun, join_names
from shared.core.topics import CONSOLE_ENTRY_POINT, ENTRY_POINTS, deployed_function
from shared.domain.policy.system_policy import WILDCARDS, Group, Policy, is_pattern

RESPONDER_FUNCTIONS = frozenset(map(deployed_function, (*ENTRY_POINTS, CONSOLE_ENTRY_POINT)))
"""Functions of the rollback system itself: no pattern covers them, and no group needs them."""
GROUP_ADVICE = "add each to a group, or add a group with functions: ['*']"
CODEBASE_RANK = 0.5
"""A codebase comes before `*`, which has no literal character, and after every other pattern."""


def has_patterns(policy: Policy) -> bool:
    """Return whether the members of any group depend on which functions are live."""
    groups = (policy.declared or policy.groups).values()
    return any(group.codebases or any(map(is_pattern, group.functions)) for group in groups)


def resolve_groups(policy: Policy, functions: Mapping[str, str]) -> Policy:
    """Return the policy with the names of functions in place of patterns and codebases.

    `functions`: the codebase of each function, by name. A resolved policy may be resolved again.
    """
    if not has_patterns(policy):
        return policy
    declared = policy.declared or policy.groups
    names = sorted({*replace(policy, groups=declared).functions, *functions})
    group_of = {name: find_group(policy, name, functions.get(name, "")) for name in names}
    groups = {
        name: replace(group, functions=tuple(member for member in names if group_of[member] == name))
        for name, group in declared.items()
    }
    return replace(policy, groups=groups, declared=declared)


def find_group(policy: Policy, function: str, codebase: str = "") -> str | None:
    """Return the group of a function; None: none. "": that of another system, or of a responder."""
    if function in RESPONDER_FUNCTIONS:
        return ""
    groups = [*(policy.declared or policy.groups).items(), *(("", group) for group in policy.foreign)]
    ranks = [(max(_ranks(group, function, codebase), default=-1.0), name) for name, group in groups]
    rank, name = max(ranks, key=lambda ranked: ranked[0])  # of equals the first
    return None if rank < 0 else name


def find_ungrouped(policy: Policy, functions: Mapping[str, str]) -> list[str]:
    """Return the functions that no group covers, in order; `functions` as `resolve_groups`."""
    return sorted(name for name, codebase in functions.items() if find_group(policy, name, codebase) is None)


def describe_ungrouped(functions: Sequence[str]) -> str:
    """Return which functions are in no group, what that means, and what to do."""
    are = count_noun(len(functions), "function is", "functions are")
    return f"{are} in no group of the policy and never rolled back: {join_names(functions)}; {GROUP_ADVICE}"


def _ranks(group: Group, function: str, codebase: str) -> Iterator[float]:
    """Yield how specific each match is: a name, else the literal characters of a pattern."""
    for name in group.functions:
        if fnmatchcase(function, name):
            yield sum(sign not in WILDCARDS for sign in name) + (not is_pattern(name))
    if codebase in group.codebases:
        yield CODEBASE_RANK
