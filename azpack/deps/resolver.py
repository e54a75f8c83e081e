"""What the resolvers have in common: how they are called, and what they say when they fail."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from azpack.deps.lock import normalized
from azpack.deps.trust import connection_hint
from azpack.errors import ResolutionError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock
    from azpack.deps.requirements import Requirements
    from azpack.progress import Progress
    from azpack.target.target import Target

NAME = re.compile(r"\s*(?:-e\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)")
_HASH_IN_URL = re.compile(r"[#&](sha256|sha384|sha512)=([0-9a-fA-F]+)")

# What to do now, where a resolver says that it can't.
LOOSEN = "loosen one of the requirements that contradict each other"
NO_SUCH_NAME = "check the spelling, or name the index that has it with --extra-index-url"
NO_SUCH_VERSION = "ask for a version that the index has, or name another index"
NO_SUCH_FILE = "mend the URL: there is no file at that address"
NO_SUCH_PATH = "mend the path; it is relative to the project"


def only_elsewhere(marker: str) -> str:
    """What to do about a distribution that is for other systems alone."""
    return f"Azure runs Linux: add  ; {marker}  behind that requirement"


ONLY_ELSEWHERE = only_elsewhere("sys_platform == 'win32'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freedom:
    """How free a resolver is in choosing versions and files.

    `preferred` is a lock whose versions are kept where they still fit, `upgrade_packages`
    excepted. `excluded` names distributions that are left out as if nothing asked for them.
    `locked` makes a uv.lock that does not fit its pyproject.toml an error. `complete` says that
    the requirements name all that is wanted: what they need is not added.
    """

    preferred: Path | None = None
    upgrade_packages: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    locked: bool = False
    complete: bool = False


class NoFittingWheelError(ResolutionError):
    """There is no answer, and distributions without a wheel for the target have a part in that.

    `names` are these distributions with their versions, empty where any version would do.
    """

    names: tuple[tuple[str, str], ...] = ()


class Resolver(Protocol):
    """Resolves requirements for the target to exact distributions with hashes."""

    def __call__(
        self,
        requirements: Requirements,
        target: Target,
        indexes: IndexSettings,
        freedom: Freedom,
        *,
        root: Path,
        environ: Mapping[str, str],
        progress: Progress,
    ) -> Lock:
        """Resolve the requirements of the project at `root`.

        Raises:
            UsageError: this resolver can't answer for this target, or for such requirements.
            ResolutionError: there is no answer; the message explains the conflict.
            UnreachableError: an index does not answer, or refuses the credentials.
        """


def allowed_hashes(requirements: Requirements) -> dict[str, frozenset[str]]:
    """The only hashes ("sha256:…") that requirements allow, by the distribution's name."""
    allowed: dict[str, frozenset[str]] = {}
    for requirement in (*requirements.requirements, *requirements.constraints):
        in_url = [f"{kind}:{value}" for kind, value in _HASH_IN_URL.findall(requirement.text)]
        hashes = frozenset((*requirement.hashes, *in_url))
        if hashes:
            name = name_in(requirement.text)
            allowed[name] = allowed.get(name, frozenset()) | hashes
    return allowed


def name_in(requirement: str) -> str:
    """The name that a requirement asks for; a bare URL or path has it in that of its file."""
    if match := re.match(r"(?:\S*/)([^/#?\s]+)", requirement):
        file = match[1]
        name = file.partition("-")[0] if file.endswith(".whl") else file.rpartition("-")[0]
        return normalized(name)
    named = NAME.match(requirement)
    return normalized(named[1]) if named else ""


def bad_requirement(requirements: Requirements) -> UsageError | None:
    """The line that no reader of requirements understands, if there is one."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    for requirement in (*requirements.requirements, *requirements.constraints):
        text = requirement.text
        is_path = text.startswith(("-e ", ".", "/", "~")) or os.sep in text or "://" in text
        if is_path or text.endswith((".whl", ".zip", ".gz")):
            continue
        try:
            Parsed(text)
        except InvalidRequirement as error:
            return UsageError(
                "bad-requirement",
                f"{requirement.place}: {str(error).splitlines()[0]}: {text}",
                hint="write it as NAME==VERSION, with a marker behind a semicolon if need be",
            )
    return None


def index_refused(explanation: str, context: Mapping[str, object]) -> UnreachableError:
    """The error for an index that wants other credentials, or some at all."""
    return UnreachableError(
        "index-refused",
        f"an index got no credentials, or refuses them\n{explanation}",
        hint="put user and password in netrc or keyring, or before the host in the index's URL, as "
        "USER:${NAME}@, with the password in the environment variable NAME",
        context=context,
    )


def index_unreachable(
    explanation: str, context: Mapping[str, object], *, answers: bool
) -> UnreachableError:
    """The error for an index that can't be had, whether it `answers` with a fault or not at all."""
    return UnreachableError(
        "index-unreachable",
        f"an index {'answers with an error' if answers else 'does not answer'}\n{explanation}",
        hint=connection_hint(explanation)
        or "check --index-url or --extra-index-url, the network and the proxy, then build again",
        context=context,
    )
