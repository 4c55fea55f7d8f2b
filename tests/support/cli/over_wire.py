"""A person's shell beside an embedded cloud, for the lines of a page."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.services.identity import Account
from local.services.identity.users import totp_code
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.support.cli import operator
from tests.support.cli.documented_commands import ROOT

GCLOUD = """#!{python}
import json, os, sys, urllib.request
options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
if sys.argv[1:3] == ["auth", "print-access-token"]:
    print("an access token")
elif sys.argv[1:3] == ["services", "api-keys"]:
    assert sys.argv[3] in ("create", "get-key-string") and options["--project"], sys.argv
    if sys.argv[3] == "get-key-string":
        assert options["--format"] == "value(keyString)", sys.argv
        print("any")
elif sys.argv[1:4] == ["secrets", "versions", "add"]:
    file = options["--data-file"]
    with open(f"secret {{sys.argv[4]}}", "w") as secret:
        secret.write(sys.stdin.read() if file == "-" else open(file).read())
elif sys.argv[1:3] == ["auth", "print-identity-token"]:
    email = options["--impersonate-service-account"]
    asked = urllib.request.Request(
        f"{{os.environ['ROLLBACK_LOCAL_CLOUD']}}/v1/projects/-/serviceAccounts/{{email}}:generateIdToken",
        json.dumps({{"audience": options["--audiences"], "includeEmail": True}}).encode(),
        {{"Host": "iamcredentials.googleapis.com"}},
    )
    print(json.load(urllib.request.urlopen(asked))["token"])
else:
    assert sys.argv[1:4] == ["pubsub", "topics", "publish"], sys.argv
    with open("published", "a") as published:
        print(json.dumps([sys.argv[4], options["--message"]]), file=published)
"""
"""What stands in for gcloud: tokens are the embedded cloud's, messages and secrets are kept."""
CURL = """#!{python}
import json, os, sys, urllib.error, urllib.parse, urllib.request
words, headers, method, body = sys.argv[1:], {{}}, "POST", b""
while words:
    match words.pop(0):
        case "--fail-with-body" | "--silent" | "--show-error":
            pass
        case "--header":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        case "--request":
            method = words.pop(0)
        case "--json":
            body = words.pop(0)
            body = sys.stdin.buffer.read() if body == "@-" else body.encode()
        case address:
            url = urllib.parse.urlsplit(address)
assert headers["Authorization"] == "Bearer an access token", headers
assert headers["x-goog-user-project"] == os.environ["GOOGLE_CLOUD_PROJECT"], headers
place = os.environ["CONFIGURATION" if url.path.startswith("/admin/v2") else "ACCOUNTS"]
headers |= {{"Host": url.netloc, "Content-Type": "application/json"}}
address = f"http://{{place}}{{url.path}}?{{url.query}}"
asked = urllib.request.Request(address, body, headers, method=method)
try:
    print(urllib.request.urlopen(asked).read().decode())
except urllib.error.HTTPError as refused:
    print(refused.read().decode())
    sys.exit(22)
"""
"""What stands in for curl: Google's hosts are the embedded cloud's."""


class CloudPrompt:
    """A person's shell at the top of the repository, beside an embedded cloud."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self.folder = folder
        control = addresses["control"]
        for name in (".venv", "policies"):
            (folder / name).symlink_to(ROOT / name)
        for name, script in {"gcloud": GCLOUD, "curl": CURL}.items():
            (folder / name).write_text(script.format(python=sys.executable))
            (folder / name).chmod(0o700)
        self._environment = {
            "PATH": f"{folder}:{ROOT}/scripts:/usr/bin:/bin",
            "HOME": str(folder),
            "ROLLBACK_API_KEY": "any",
            LOCAL_CLOUD_VARIABLE: f"http://{control}",
            "ACCOUNTS": control,
            "CONFIGURATION": addresses["rest"],
        }

    def run(self, line: str, who: Account = operator.ADA) -> subprocess.CompletedProcess[str]:
        """What a line does when a person answers what it asks."""
        return subprocess.run(  # noqa: S603 - a line of our own documentation
            ["/bin/bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment,
            input=operator.build_prompt_input(who),
            start_new_session=True,  # no terminal: what is asked is answered by standard input
            capture_output=True,
            text=True,
            timeout=60,
        )

    def read(self, name: str) -> str:
        """What was added to a secret last."""
        return (self.folder / f"secret {name}").read_text()

    def enrol(self, line: str, password: str) -> str:
        """A person enrols the app that a line asks for; its secret."""
        begun = subprocess.Popen(  # noqa: S603 - a line of our own documentation
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            bufsize=1,
        )
        with begun:
            assert begun.stdin is not None
            assert begun.stderr is not None
            begun.stdin.write(f"{password}\n")
            told = (re.search(r"Secret .*: ([A-Z2-7]+)$", said) for said in begun.stderr)
            secret = next(found[1] for found in told if found)
            _, said = begun.communicate(f"{totp_code(secret, time.time())}\n", timeout=60)
        assert begun.returncode == 0, said
        return secret

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        """Topic and message of everything, in order."""
        lines = (self.folder / "published").read_text().splitlines()
        return [(topic, json.loads(message)) for topic, message in map(json.loads, lines)]
