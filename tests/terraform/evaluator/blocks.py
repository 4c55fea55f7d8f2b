"""A module as written: its blocks, with the trees of their expressions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2.rules.base import AttributeRule, BlockRule
from hcl2.rules.literal_rules import IdentifierRule

from tests.terraform.evaluator.expressions import evaluate, name_of


@dataclass(frozen=True)
class Block:
    """A block as written."""

    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, Any]
    blocks: tuple[Block, ...]

    def inner(self, kind: str) -> list[Block]:
        """Its blocks of a kind."""
        return [one for one in self.blocks if one.kind == kind]


def blocks_of(file: Path) -> tuple[Block, ...]:
    """The blocks of a file."""
    return _parsed(file.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> tuple[Block, ...]:
    """Once for each text, however many copies of its file there are: that takes long."""
    tree = hcl2.parses(text)
    return tuple(_block(one) for one in tree.body.children if isinstance(one, BlockRule))


def blocks_in(folder: Path) -> list[Block]:
    """The blocks of a module."""
    return [block for file in sorted(folder.glob("*.tf")) for block in blocks_of(file)]


def _block(rule: BlockRule) -> Block:
    kind, *labels = (_label(one) for one in rule.labels)
    parts = rule.body.children
    return Block(
        kind,
        tuple(labels),
        {name_of(one.identifier): one.expression for one in parts if isinstance(one, AttributeRule)},
        tuple(_block(one) for one in parts if isinstance(one, BlockRule)),
    )


def _label(node: Any) -> str:
    return name_of(node) if isinstance(node, IdentifierRule) else str(evaluate(node, {}))
