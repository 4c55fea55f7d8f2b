from pathlib import Path
from typing import Any

import pytest

from tests.terraform.evaluator.evaluator import Configuration, evaluated
from tests.terraform.evaluator.values import Unevaluable, Unknown


def plan(folder: Path, source: str, **variables: Any) -> Configuration:
    (folder / "main.tf").write_text(source)
    return evaluated(folder, variables)


def value(folder: Path, expression: str) -> Any:
    return plan(folder, f'output "it" {{\n  value = {expression}\n}}\n').outputs["it"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("10 - 3 - 2", 5),
        ("1 + 2 * 3", 7),
        ("12 / 2 / 3", 2),
        ("(1 + 2) * 3", 9),
        ("-1 + 2", 1),
        ("!false && 1 < 2", True),
        ("true || null.x", True),
        ('1 > 2 ? "a" : 2 > 1 ? "b" : "c"', "b"),
        ('"a${1 + 1}b${"c${true}"}"', "a2bctrue"),
        (r'"$${not} \"quoted\"\n"', '${not} "quoted"\n'),
        ('"${604800 * 14}s"', "8467200s"),
        ("[for n in [1, 2, 3] : n * 2 if n != 2]", [2, 6]),
        ('[for key, n in { b = 1, a = 2 } : "${key}${n}"]', ["a2", "b1"]),
        ("{ for n in [1, 2] : n => n }", {"1": 1, "2": 2}),
        ("{ for n in [1, 2, 3] : n % 2 => n... }", {"1": [1, 3], "0": [2]}),
        ('toset(["b", "a", "b"])', ["a", "b"]),
        ("merge([{ a = 1 }, { b = 2 }]...)", {"a": 1, "b": 2}),
        ("null[*]", []),
        ('"one"[*]', ["one"]),
        ('[{ a = 1 }, { a = 2 }][*].a', [1, 2]),
        ('try({ a = 1 }.b, "none")', "none"),
        ('can(regex("^a+$", "ab"))', False),
        ('{ "k${1}" = { x = [7] } }["k1"].x[0]', 7),
        ('<<-EOT\n    first ${1}\n      second "x"\n  EOT\n', 'first 1\n  second "x"\n'),
        ('yamldecode("a: [1, 2]").a', [1, 2]),
    ],
)  # fmt: skip
def test_an_expression_is_worth_what_terraform_says(tmp_path: Path, expression: str, expected: Any) -> None:
    """The language's own rules of order, types and templates hold."""
    assert value(tmp_path, expression) == expected


@pytest.mark.parametrize(
    "expression", ["local.absent", 'frobnicate("x")', "{ a = 1 }.b", "[1][1]", "{ for n in [1, 1] : n => n }"]
)
def test_what_means_nothing_is_refused(tmp_path: Path, expression: str) -> None:
    """A name, function or element that does not exist is never taken for a value."""
    with pytest.raises(Unevaluable):
        value(tmp_path, expression)


VARIABLE = """
variable "shop" {
  description = "A shop."
  type = object({
    name  = string
    hours = optional(number, 8)
    tags  = optional(set(string), [])
  })

  validation {
    condition     = var.shop.hours <= 24
    error_message = "A day has 24 hours, not ${var.shop.hours}."
  }
}

output "shop" {
  value = var.shop
}
"""


def test_a_variable_is_completed_by_its_type(tmp_path: Path) -> None:
    """An absent optional, and one that is null, has its default; a set has each element once."""
    given = {"name": "books", "hours": None, "tags": ["b", "a", "b"]}

    shop = plan(tmp_path, VARIABLE, shop=given).outputs["shop"]

    assert shop == {"name": "books", "hours": 8, "tags": ["a", "b"]}


@pytest.mark.parametrize(
    "given", [{"name": "books", "hours": 25}, {"hours": 8}, {"name": "books", "colour": "red"}]
)
def test_a_variable_that_breaks_its_rules_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """Validations, missing and strange attributes count as in Terraform."""
    with pytest.raises(Unevaluable):
        plan(tmp_path, VARIABLE, shop=given)


RESOURCES = """
locals {
  names = { a = 1, b = 2 }
}

resource "google_pubsub_topic" "topics" {
  for_each = local.names
  project  = "home"
  name     = "topic-${each.key}"

  dynamic "schema_settings" {
    for_each = each.value > 1 ? ["schema"] : []
    content {
      schema = schema_settings.value
    }
  }

  lifecycle {
    ignore_changes = [labels]
  }
}

resource "google_pubsub_subscription" "pushes" {
  for_each = google_pubsub_topic.topics
  name     = each.value.name
  topic    = each.value.id
  filter   = null
  state    = google_pubsub_topic.topics["a"].fresh

  depends_on = [google_pubsub_topic.topics]
}
"""


def test_resources_are_made_for_each_key_and_see_one_another(tmp_path: Path) -> None:
    """Blocks are lists, nulls are absent, what the provider makes is known or Unknown."""
    made = plan(tmp_path, RESOURCES)

    assert [one.address for one in made.of("google_pubsub_topic")] == [
        'google_pubsub_topic.topics["a"]',
        'google_pubsub_topic.topics["b"]',
    ]
    topic = made.named('google_pubsub_topic.topics["b"]')
    assert topic.values["schema_settings"] == [{"schema": "schema"}]
    assert topic.ignored == ("labels",)
    push = made.named('google_pubsub_subscription.pushes["b"]')
    assert push.values["topic"] == "projects/home/topics/topic-b"
    assert "filter" not in push.values
    assert isinstance(push.values["state"], Unknown)
    assert push.depends_on == ("google_pubsub_topic.topics",)
