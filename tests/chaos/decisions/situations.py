"""Draw a situation from a seed: its traffic, its release, and what fails because of what."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.policy.system_policy import Policy
from shared.policy_files import loader

POLICY_FOLDER = Path(__file__).parents[3] / "policies"
POLICIES: Mapping[str, Policy] = {
    name: loader.load_policy(POLICY_FOLDER / f"{name}.yaml") for name in ("cvplus", "example")
}
ALONE: Mapping[str, Policy] = {
    name: replace(policy, gates=replace(policy.gates, second_source=False))
    for name, policy in POLICIES.items()
}
"""The same where the source that raised an alert is enough."""
RELEASE_MINUTE = 20.0
"""When a release begins, in minutes from the start of a world."""
OBSERVED_MINUTES = 30.0
"""How long a world is played after the onset of its failure."""
DEPLOYMENTS_PER_MINUTE = 60
"""Cloud Functions takes 60 writes a minute and region (https://cloud.google.com/functions/quotas,
read 2026-11)."""
QUIET_SYSTEM = 60.0
"""Below so many requests a minute in the whole system, recall is reported apart."""


class Cause(StrEnum):
    """Where a failure comes from."""

    NONE = "none"
    RELEASE = "release"
    OUTSIDE = "outside"


class Situation(Struct, frozen=True):
    """One drawn world before it is played; times are minutes from its start."""

    seed: int
    kind: str
    system: str
    request_rates: Mapping[str, float]
    """Requests a minute, by function."""
    base_ratios: Mapping[str, float]
    """The share of requests that fails without any cause, 0 to 1, by function."""
    released: tuple[str, ...] = ()
    """The functions that a release changes, in the order of their deployment."""
    release_minute: float = RELEASE_MINUTE
    cause: Cause = Cause.NONE
    onset_minute: float = RELEASE_MINUTE
    end_minute: float = float("inf")
    """When a failure from outside ends."""
    affected: frozenset[str] = frozenset()
    failure_ratio: float = 0.0
    """The share of the affected functions' requests that fails, 0 to 1."""
    slowdown: float = 1.0
    """By how much the affected functions take longer."""
    is_crash: bool = False
    """Whether failing functions do not start, so that a plain GET fails too."""
    traffic_factor: float = 1.0
    """By how much the traffic grows from the onset on."""
    rejected_ratio: float = 0.0
    """The share of the added traffic that is answered with 4xx, which is no failure."""
    is_sign_in_down: bool = False
    is_site_down: bool = False
    failing_probes: frozenset[str] = frozenset()
    """Probes that fail although what they ask works."""
    metrics_delay: tuple[float, float] = (1.0, 3.0)
    """Minutes between the end of a minute and its visibility: at least, at most."""
    lost_minutes: float = 0.0
    """The share of minutes that never become visible, 0 to 1."""
    unknown_function: str = ""
    """A function outside the policy that an alert names."""
    has_second_source: bool = True
    """Whether the policy wants a second source."""

    @property
    def policy(self) -> Policy:
        """Return the policy that protects the system."""
        return (POLICIES if self.has_second_source else ALONE)[self.system]

    @property
    def is_quiet(self) -> bool:
        """Return whether the whole system has less than a request a second."""
        return sum(self.request_rates.values()) < QUIET_SYSTEM

    @property
    def played_minutes(self) -> float:
        """Return how long the world is played."""
        return max(self.onset_minute, self.release_minute) + OBSERVED_MINUTES


Change = dict[str, object]
Draw = Callable[[Random, Policy], Change]


def draw_situation(seed: int) -> Situation:
    """Return the situation of a seed; the same seed gives the same situation."""
    random = Random(seed)
    kinds, weights = zip(*((kind, weight) for kind, (weight, _) in KINDS.items()), strict=True)
    [kind] = random.choices(kinds, weights)
    system = random.choices(("cvplus", "example"), (3, 1))[0]
    policy = POLICIES[system]
    median = 10 ** random.uniform(-1.0, 3.0)
    spread = random.choice((0.0, 0.5, 1.5))
    base = random.choice((0.0, 0.0, 0.001, 0.01, 0.05))
    situation = Situation(
        seed=seed,
        kind=kind,
        system=system,
        request_rates={
            name: min(1000.0, max(0.1, median * 10 ** random.gauss(0.0, spread / 2)))
            for name in policy.functions
        },
        base_ratios={name: base * random.random() for name in policy.functions},
    )
    return _replace(situation, KINDS[kind][1](random, policy))


def _replace(situation: Situation, change: Change) -> Situation:
    fields = {name: getattr(situation, name) for name in situation.__struct_fields__}
    return Situation(**{**fields, **change})


def _draw_functions(random: Random, policy: Policy) -> frozenset[str]:
    """Draw what fails: one function, a group, half of all, or all."""
    functions = sorted(policy.functions)
    match random.randrange(4):
        case 0:
            return frozenset({random.choice(functions)})
        case 1:
            return frozenset(policy.groups[random.choice(sorted(policy.groups))].functions)
        case 2:
            return frozenset(random.sample(functions, len(functions) // 2))
    return frozenset(functions)


def _order(random: Random, functions: Iterable[str]) -> tuple[str, ...]:
    ordered = sorted(functions)
    random.shuffle(ordered)
    return tuple(ordered)


def _release(random: Random, policy: Policy, affected: Iterable[str]) -> Change:
    """Release what fails, or all functions with it."""
    functions = affected if random.random() < 0.3 else policy.functions
    return {"released": _order(random, functions), "cause": Cause.RELEASE, "affected": frozenset(affected)}


def bad_release(random: Random, policy: Policy) -> Change:
    """A release fails from its first request on."""
    return {
        **_release(random, policy, _draw_functions(random, policy)),
        "failure_ratio": random.choice((0.05, 0.1, 0.2, 0.35, 0.6, 0.8, 0.95, 1.0, 1.0)),
        "is_crash": random.random() < 0.5,
    }


def slow_release(random: Random, policy: Policy) -> Change:
    """A release answers late, and rightly."""
    affected = policy.functions if random.random() < 0.5 else _draw_functions(random, policy)
    return {**_release(random, policy, affected), "slowdown": random.choice((1.2, 1.4, 2.0, 4.0, 10.0))}


def late_release(random: Random, policy: Policy) -> Change:
    """A release begins to fail an hour after it was deployed."""
    return {**bad_release(random, policy), "onset_minute": RELEASE_MINUTE + random.uniform(50.0, 70.0)}


def tenth_of_users(random: Random, policy: Policy) -> Change:
    """A release fails for a tenth of the users."""
    return {**_release(random, policy, policy.functions), "failure_ratio": 0.1}


def half_deployed(random: Random, policy: Policy) -> Change:
    """A deployment ends half-way, and what it has changed does not fit the rest."""
    functions = _order(random, random.sample(sorted(policy.functions), len(policy.functions) // 2))
    ratio = random.choice((0.6, 0.9, 1.0))
    return {
        "released": functions,
        "cause": Cause.RELEASE,
        "affected": frozenset(functions),
        "failure_ratio": ratio,
        "is_crash": random.random() < 0.5,
    }


def bad_site(random: Random, policy: Policy) -> Change:
    """A release of Hosting serves a site that fails."""
    return {"cause": Cause.RELEASE, "is_site_down": True}


def good_release(random: Random, policy: Policy) -> Change:
    """A release works."""
    return {"released": _order(random, policy.functions)}


def quiet(random: Random, policy: Policy) -> Change:
    """Nothing happens."""
    return {}


def outage(random: Random, policy: Policy) -> Change:
    """Something outside fails; nothing was released."""
    return {
        "cause": Cause.OUTSIDE,
        "affected": frozenset(policy.functions),
        "failure_ratio": random.choice((0.3, 0.6, 0.9, 1.0)),
        "is_crash": random.random() < 0.5,
        "is_site_down": random.random() < 0.3,
        "is_sign_in_down": random.random() < 0.3,
        "end_minute": RELEASE_MINUTE + random.uniform(5.0, 60.0),
    }


def outage_after_release(random: Random, policy: Policy) -> Change:
    """Something outside fails within two hours after a release that works."""
    onset = RELEASE_MINUTE + random.uniform(1.0, 120.0)
    return {
        **outage(random, policy),
        **good_release(random, policy),
        "onset_minute": onset,
        "end_minute": onset + random.uniform(5.0, 60.0),
    }


def provider_fails(random: Random, policy: Policy) -> Change:
    """What one group depends on fails, perhaps after a release that works."""
    group = policy.groups[random.choice(sorted(policy.groups))]
    released = good_release(random, policy) if random.random() < 0.5 else {}
    onset = RELEASE_MINUTE + random.uniform(1.0, 120.0)
    return {
        **released,
        "cause": Cause.OUTSIDE,
        "affected": frozenset(group.functions),
        "onset_minute": onset,
        "failure_ratio": random.choice((0.3, 0.6, 1.0)),
        "end_minute": onset + random.uniform(5, 60),
    }


def sign_in_fails(random: Random, policy: Policy) -> Change:
    """Identity Platform fails; nothing was released."""
    groups = policy.sign_in_groups
    affected = frozenset(name for name, group in policy.functions.items() if group in groups)
    end_minute = RELEASE_MINUTE + random.uniform(5, 60)
    return {
        "cause": Cause.OUTSIDE,
        "affected": affected,
        "failure_ratio": 0.9,
        "is_sign_in_down": True,
        "end_minute": end_minute,
    }


def noisy_function(random: Random, policy: Policy) -> Change:
    """One rare function fails often, long since; a release of all works."""
    name = random.choice(sorted(policy.functions))
    rates = {function: 10 ** random.uniform(0.0, 2.0) for function in policy.functions} | {name: 4.0}
    return {
        **good_release(random, policy),
        "request_rates": rates,
        "base_ratios": {**dict.fromkeys(policy.functions, 0.001), name: random.choice((0.1, 0.2, 0.3))},
    }


def burst(random: Random, policy: Policy) -> Change:
    """The traffic grows tenfold, and some requests fail for it; a release of all works."""
    onset = RELEASE_MINUTE + random.uniform(0.0, 20.0)
    return {
        **good_release(random, policy),
        "onset_minute": onset,
        "end_minute": onset + random.uniform(2, 10),
        "traffic_factor": 10.0,
        "cause": Cause.OUTSIDE,
        "affected": frozenset(policy.functions),
        "failure_ratio": 0.05,
    }


def attack(random: Random, policy: Policy) -> Change:
    """Bad requests come in masses and are answered with 4xx; a release of all works."""
    return {**good_release(random, policy), "traffic_factor": 20.0, "rejected_ratio": 1.0}


def quota_exceeded(random: Random, policy: Policy) -> Change:
    """A quota of the project is used up, and requests fail; a release of all came before."""
    onset = RELEASE_MINUTE + random.uniform(10.0, 60.0)
    return {
        **good_release(random, policy),
        "cause": Cause.OUTSIDE,
        "affected": frozenset(policy.functions),
        "onset_minute": onset,
        "failure_ratio": random.choice((0.2, 0.4)),
        "end_minute": onset + random.uniform(5, 40),
    }


def late_metrics(random: Random, policy: Policy) -> Change:
    """A release fails while points come late, or not at all."""
    delay = (3.0, random.choice((5.0, 8.0)))
    return {**bad_release(random, policy), "metrics_delay": delay, "lost_minutes": random.choice((0.0, 0.3))}


def probes_alone(random: Random, policy: Policy) -> Change:
    """The way between the responders and the application fails; a release of all works."""
    names = [probe.name for probe in policy.probes]
    failing = names if random.random() < 0.5 else random.sample(names, max(1, len(names) // 3))
    return {**good_release(random, policy), "failing_probes": frozenset(failing)}


def unknown_function(random: Random, policy: Policy) -> Change:
    """A function that the policy does not list fails; a release of all others works."""
    return {**good_release(random, policy), "unknown_function": "brandNew"}


KINDS: Mapping[str, tuple[float, Draw]] = {
    "bad release": (26, bad_release),
    "slow release": (5, slow_release),
    "release that fails after an hour": (3, late_release),
    "release that fails for a tenth of users": (3, tenth_of_users),
    "release that is half deployed": (3, half_deployed),
    "bad release of the site": (2, bad_site),
    "bad release, late or lost metrics": (3, late_metrics),
    "good release": (30, good_release),
    "nothing happens": (4, quiet),
    "outage from outside": (3, outage),
    "outage from outside after a release": (3, outage_after_release),
    "provider of a group fails": (3, provider_fails),
    "sign-in fails outside": (2, sign_in_fails),
    "noisy function": (2, noisy_function),
    "burst of traffic": (2, burst),
    "attack of bad requests": (2, attack),
    "quota exceeded": (1, quota_exceeded),
    "probes alone fail": (2, probes_alone),
    "function that the policy does not know": (1, unknown_function),
}
"""By kind: its weight in the mix, and how it is drawn."""

EVENTS_A_YEAR: Mapping[str, float] = {
    "good release": 40.0,
    "bad release": 5.0,
    "slow release": 2.0,
    "release that fails after an hour": 1.0,
    "release that is half deployed": 1.0,
    "bad release of the site": 0.5,
    "bad release, late or lost metrics": 0.5,
    "release that fails for a tenth of users": 1.0,
    "outage from outside": 1.0,
    "outage from outside after a release": 0.5,
    "provider of a group fails": 2.0,
    "sign-in fails outside": 0.5,
    "noisy function": 2.0,
    "burst of traffic": 2.0,
    "attack of bad requests": 2.0,
    "quota exceeded": 0.5,
    "probes alone fail": 2.0,
    "function that the policy does not know": 1.0,
}
"""What a system meets in a year, as stated: about a release a week, one in five of them bad."""
