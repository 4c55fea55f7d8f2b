"""Every command of the documentation, by what tries it."""

import re
import shlex
from functools import cache
from pathlib import Path

from shared.policy_files import loader
from tests.support.runtime.world import POLICIES

ROOT = Path(__file__).parent.parent.parent.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "terraform" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
README = (ROOT / "README.md").read_text()
AT_THE_PROMPT = (README + (ROOT / "docs" / "commands.md").read_text()).splitlines()
"""The lines of the pages that say what is asked of responders that are there."""
IDENTITY = (ROOT / "docs" / "identity.md").read_text().splitlines()
OPERATE = (ROOT / "docs" / "operate.md").read_text()
CVPLUS = loader.load_policy(POLICIES / "cvplus.yaml")
TEXT = (POLICIES / "cvplus.yaml").read_text()
SHORT_TEXT = re.sub(r"(:\n    functions:\n      \[\n\s+\w+, \w+)[^\]]*\]", r"\1]", TEXT)
"""Two functions of each large group without a canary: how many there are makes no line another."""
SHORT_CVPLUS = loader.parse_policy(SHORT_TEXT, "cvplus.yaml")


def read_shell_blocks() -> list[list[str]]:
    """The commands of each shell block of the documentation, without what it says of them."""
    return [
        [line for line in block.strip().splitlines() if not line.startswith("#")]
        for page in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    ]


BLOCKS = read_shell_blocks()
COMMANDS = list(dict.fromkeys(line for block in BLOCKS for line in block))
"""Each once: a page may show what another one tells of."""
MODULE = "\n".join(file.read_text() for file in sorted((ROOT / "terraform").glob("*.tf")))


@cache
def split_words(line: str) -> tuple[str, ...]:
    """Return the words of a line, as a shell splits them."""
    return tuple(shlex.split(line))


def lines_starting_with(*words: str) -> list[str]:
    return [line for line in COMMANDS if split_words(line)[: len(words)] == words]


SCRIPTS = [line for line in COMMANDS if line.startswith("./scripts/emergency/")]
"""The runbook's lines: tests/e2e/operators/test_runbook_scripts.py plays them at a terminal."""
BY_THEMSELVES = ("audit", "replay", "parse", "policy", "cost", "enrol", "login", "token", "logout")
"""Verbs whose lines have tests of their own."""


def verb_of_line(line: str) -> str:
    """What a line at the prompt says: the verb, or that of its group."""
    words = [word for word in split_words(line)[1:] if not word.startswith("--")]
    return words[1] if words[1:2] and words[1].startswith("mark-") else words[0]


def is_identified(line: str) -> bool:
    """Does the line sign in, or say something with a token?"""
    verbs = ("enrol", "login", "logout", "token")
    return line not in SCRIPTS and ("$(" in line or any(f"rollback {verb}" in line for verb in verbs))


IDENTIFIED = [line for line in COMMANDS if is_identified(line)]
SIGNED = re.compile(r"""--message="\$\(rollback sign '(.*)'\)"$""")
"""A message that the command line signs first."""
PUBLISHED = [
    line
    for line in lines_starting_with("gcloud", "pubsub", "topics", "publish")
    if (line not in IDENTIFIED or SIGNED.search(line))
]
LIVE = sorted(
    (
        line
        for line in lines_starting_with("rollback")
        if line in OPERATE.splitlines() and line not in IDENTIFIED
    ),
    key=OPERATE.index,
)
"""Commands to running responders; tests/e2e/operators/test_operate.py runs them in order."""
ASKED = [
    line
    for line in lines_starting_with("rollback")
    if line in AT_THE_PROMPT and verb_of_line(line) not in BY_THEMSELVES
]
"""What is asked of responders that are there: tests/e2e/operators/test_prompt.py asks it."""
SAID_AS_WELL = [
    line for block in BLOCKS if not {*block}.isdisjoint(ASKED) for line in block if line in PUBLISHED
]
"""The messages beside which stands what is asked at the prompt in their stead."""
REPLAYED = lines_starting_with("rollback", "replay")
AUDITED = lines_starting_with("rollback", "audit")
CLI = [
    line
    for line in lines_starting_with("rollback")
    if line not in (*LIVE, *ASKED, *REPLAYED, *AUDITED, *IDENTIFIED)
]
MADE = lines_starting_with("make")
FIREBASE = lines_starting_with("firebase")
TERRAFORM = lines_starting_with("terraform")
PEOPLE = [
    line
    for block in re.findall(
        r"```sh\n(.*?)```", OPERATE[OPERATE.index("## 3. People") : OPERATE.index("## 4.")], flags=re.DOTALL
    )
    for line in block.strip().splitlines()
]
"""From a project where nobody can sign in to somebody who has."""
SIGNING_IN = [
    line
    for block in re.findall(
        r"```sh\n(.*?)```", OPERATE[OPERATE.index("## A test account") :], flags=re.DOTALL
    )[:1]
    for line in block.strip().splitlines()
]
"""From a project without a test account to a probe that signs in."""
ON_THE_PATH = 'export PATH="$PWD/scripts:$PATH"'
"""By this line the pages put the command `rollback` within reach."""
EXPORTED = [line for line in lines_starting_with("export") if line not in (*IDENTIFIED, ON_THE_PATH)]
ASKED_OF_GITHUB = lines_starting_with("gh", "api")
BY_A_SHELL = (*PUBLISHED, *IDENTIFIED, *PEOPLE, *SIGNING_IN)
SET_UP = [line for line in lines_starting_with("gcloud") if line not in BY_A_SHELL]
"""What gcloud is asked for beside messages and tokens."""
SERVED = lines_starting_with(".venv/bin/python", "-m", "local")
