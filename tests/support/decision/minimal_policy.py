"""A policy that says no more than it has to, and what is wrong with a text."""

import pytest

from shared.core.errors import BadConfiguration
from shared.policy_files import loader

SMALL = """\
system: shop
project: shop-prod
region: europe-west1
groups:
  books: { functions: [listBooks, getBook], canary: getBook }
  orders: { functions: [payOrder], after: [books] }
signals:
  function_failure_rate: { severity: CRITICAL, scenario: functions, mode: act, threshold: 0.5 }
scenarios: { functions: act }
"""


def policy_faults(text: str) -> tuple[str, ...]:
    with pytest.raises(BadConfiguration) as caught:
        loader.parse_policy(text, "shop.yaml")
    return caught.value.faults
