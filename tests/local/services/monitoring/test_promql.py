"""What the embedded cloud takes for PromQL."""

import pytest

from local.services.monitoring.promql import PromqlSyntaxError, Selector, selectors

SERIES = 'run_googleapis_com:request_count{service_name=~"a|b",code!="5"}'


@pytest.mark.parametrize(
    "query",
    [
        SERIES,
        f"sum by (service_name) (increase({SERIES}[5m])) > 7",
        f"sum(rate({SERIES}[1h] offset 23h30m)) by (service_name)",
        f"count(({SERIES} == bool 0)) / on (a, b) group_left () count({SERIES}) - 1 > -0.5",
        f"quantile(0.5, histogram_quantile(0.5, sum by (le) (rate({SERIES}[5m]))))",
        f"max_over_time({SERIES}[1h:5m]) and {SERIES} or {SERIES} unless {SERIES}",
    ],
)
def test_a_query_names_its_series(query: str) -> None:
    """Wherever they stand in it."""
    matchers = (("service_name", "=~", "a|b"), ("code", "!=", "5"))
    wanted = Selector("run_googleapis_com:request_count", matchers)

    assert {*selectors(query)} == {wanted}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sum(",
        "sum(x))",
        "x{y}",
        "x{y='z'}",
        'x{y="z"',
        "x[5]",
        "x[5m",
        "x > ",
        "summ(x)",
        "x offset",
        "x y",
        "sum by service (x)",
    ],
)
def test_what_is_no_query_is_refused(query: str) -> None:
    """With the place at which it ends to be one."""
    with pytest.raises(PromqlSyntaxError, match="parse error"):
        selectors(query)


@pytest.mark.parametrize(
    ("labels", "fits"),
    [
        ({"service_name": "a"}, True),
        ({"service_name": "a", "code": "5"}, False),
        ({"service_name": "ab"}, False),
        ({}, False),
    ],
)
def test_matchers_are_whole_and_a_label_that_lacks_is_empty(labels: dict[str, str], fits: bool) -> None:
    """As Prometheus anchors them."""
    [found] = selectors(SERIES)

    assert found.fits(labels) is fits
