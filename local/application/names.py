"""What Google calls the parts of an application: services, revisions, hosts, images, numbers."""

import hashlib
from random import Random

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX_LETTERS = "bcdfghjkmnpqrstvwxz"


def service_name(function: str) -> str:
    """The Cloud Run service of a 2nd generation function: lower case, hyphens for underscores."""
    return function.lower().replace("_", "-")


def revision_name(service: str, number: int, seed: int) -> str:
    """`{service}-00007-xkc`: the number counts, the letters only tell revisions apart."""
    letters = Random(f"{seed}/{service}/{number}").choices(_SUFFIX_LETTERS, k=3)
    return f"{service}-{number:05d}-{''.join(letters)}"


def project_number(project: str) -> int:
    """A project's number: 12 digits, always the same for an id."""
    return 10**11 + int(digest(project)[:12], 16) % (9 * 10**11)


def run_host(service: str, project: str, region: str, tag: str = "") -> str:
    """Where a service answers, or one of its tagged revisions does."""
    prefix = f"{tag}---" if tag else ""
    return f"{prefix}{service}-{project_number(project)}.{region}.run.app"


def function_host(project: str, region: str) -> str:
    """Where all functions of a project and region answer, each under its name."""
    return f"{region}-{project}.cloudfunctions.net"


def image(project: str, region: str, function: str, release: str) -> str:
    """The container of a release of a function: the digest tells releases apart."""
    repository = f"{region}-docker.pkg.dev/{project}/gcf-artifacts/{service_name(function)}"
    return f"{repository}@sha256:{digest(f'{function}/{release}')}"


def base36(text: str, length: int) -> str:
    """That many letters and digits that stand for a text."""
    number = int(digest(text), 16)
    return "".join(_BASE36[number // 36**place % 36] for place in range(length))


def digest(text: str) -> str:
    """64 hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()
