"""What uv wrote when it failed, made into one error in azpack's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azpack.deps.index import public
from azpack.deps.lock import normalized
from azpack.deps.resolver import (
    LOOSEN,
    NAME,
    NO_SUCH_FILE,
    NO_SUCH_NAME,
    NO_SUCH_PATH,
    NO_SUCH_VERSION,
    ONLY_ELSEWHERE,
    NoFittingWheelError,
    bad_requirement,
    index_refused,
    index_unreachable,
)
from azpack.deps.vcs import NO_CONNECTION, NO_CONNECTION_HINT
from azpack.errors import AzpackError, FileError, ResolutionError, UnreachableError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azpack.deps.index import IndexSettings
    from azpack.deps.requirements import Requirements
    from azpack.target.target import Target

_UNREACHABLE = (
    "error sending request",
    "failed to fetch",
    "request failed after",
    "connection refused",
    "dns error",
    "timed out",
)
_REFUSED = ("401 unauthorized", "403 forbidden", "lack of valid authentication credentials")
# The answer to a URL that a requirement names: of an index, uv says what it does not have.
_NOT_THERE = re.compile(r"http status client error \((404|410)")
_NO_WHEELS = re.compile(
    r"([A-Za-z0-9][\w.-]*?)(?:==([^\s,]+)|[<>=!~][^\s]*)? "
    r"(?:has|have) no wheels with a matching (?:Python|platform)"
)
# No permission, a disk that is full, one that is read-only.
_NO_FILE = re.compile(r"\(os error (13|28|30)\)")


def explain_failure(
    output: str, requirements: Requirements, target: Target, indexes: IndexSettings
) -> AzpackError:
    """Make of what uv wrote one error that says what, where, and what to do now."""
    explanation, hints = _plain(redact(output))
    where = ", ".join(requirements.files)
    context: dict[str, object] = {"explanation": explanation, "files": list(requirements.files)}
    if cause := _outer_cause(output, explanation, hints, context):
        return cause
    if error := bad_requirement(requirements):
        return error
    if requirements.kind == "uv.lock":
        return ResolutionError(
            "lock-does-not-fit",
            f"{where} can't be used\n{explanation}",
            hint="\n".join(hints),
            context=context,
        )
    places = _places(explanation, requirements)
    unfitting = _without_wheels(explanation)
    kind = NoFittingWheelError if unfitting else ResolutionError
    explained = kind(
        "no-solution",
        f"{places or where} can't be resolved for Python {target.python} on {target.platform}\n"
        f"{explanation}",
        hint="\n".join(_own_hint(explanation, indexes) or hints or _loosen(explanation)),
        context=context,
    )
    if isinstance(explained, NoFittingWheelError):
        explained.names = unfitting
    return explained


def _without_wheels(explanation: str) -> tuple[tuple[str, str], ...]:
    """The distributions, with a version where it is one, of which uv says that no wheel fits."""
    found: dict[str, str] = {}
    text = " ".join(explanation.split())
    for match in _NO_WHEELS.finditer(text):
        name = normalized(match[1])
        version = match[2] or ""
        found[name] = version if found.get(name, version) == version else ""
    return tuple(found.items())


def explain_tool_failure(output: str, packages: Sequence[str], interpreter: Path) -> AzpackError:
    """Why uv could not make an environment of `packages` for an interpreter."""
    explanation, hints = _plain(redact(output))
    context: dict[str, object] = {"explanation": explanation, "packages": list(packages)}
    return _outer_cause(output, explanation, hints, context) or ResolutionError(
        "no-tool",
        f"{' and '.join(packages)} can't be had for {interpreter}\n{explanation}",
        hint="\n".join(hints),
        context=context,
    )


def _outer_cause(
    output: str, explanation: str, hints: Sequence[str], context: Mapping[str, object]
) -> AzpackError | None:
    """What stopped uv that has nothing to do with what it was asked for."""
    known = output.lower()
    if full := _NO_FILE.search(output):
        return FileError(
            "disk-full" if full[1] == "28" else "uv-cannot-write",
            f"uv, which resolves the requirements, can't read or write its files\n{explanation}",
            hint="make room, or name other folders with UV_CACHE_DIR and TMPDIR",
            context=context,
        )
    if "Git operation failed" in output and NO_CONNECTION.search(output):
        return UnreachableError(
            "repository-unreachable",
            f"a repository can't be fetched\n{explanation}",
            hint=NO_CONNECTION_HINT,
            context=context,
        )
    if any(sign in known for sign in _REFUSED):
        # Which index it is stands in a hint; that it lacks the name is only what follows.
        refusals = [f"  {hint}" for hint in hints if any(sign in hint.lower() for sign in _REFUSED)]
        return index_refused("\n".join(refusals) or explanation, context)
    if any(sign in known for sign in _UNREACHABLE) and not _NOT_THERE.search(known):
        return index_unreachable(explanation, context, answers="http status" in known)
    return None


def _places(explanation: str, requirements: Requirements) -> str:
    """The lines that uv's conclusions speak of: FILE:LINE (TEXT), and so on."""
    conclusions = re.findall(r"you require (.*?), we can conclude", explanation, re.DOTALL)
    words = re.findall(r"[A-Za-z0-9][\w.-]*", " ".join(conclusions))
    names = set(map(normalized, words))
    concerned = [
        f"{entry.place} ({redact(entry.text)})"
        for entry in (*requirements.requirements, *requirements.constraints)
        if (name := NAME.match(entry.text)) and normalized(name[1]) in names
    ]
    return ", ".join(concerned)


def _plain(output: str) -> tuple[str, list[str]]:
    """uv's message without its frame: the causes, each on lines of its own, and its hints."""
    lines = []
    hints = []
    for line in output.splitlines():
        text = re.sub(r"^\s*[×│├╰─▶]+\s?", "", line).rstrip()  # noqa: RUF001  # uv's frame
        # uv indents what goes on under "  cause: " by as much as that takes.
        text = re.sub(r"^\s*cause: |^error: |^ {9}", "", text)
        if text.startswith("hint: "):
            hints.append(_in_our_words(text.removeprefix("hint: ")))
        elif text and not text.startswith(("No solution found", "warning:")):
            lines.append(f"  {text}")
    return "\n".join(lines), hints


def _in_our_words(hint: str) -> str:
    """uv's hints name uv's options, and this is azpack."""
    hint = hint.replace("--index-strategy unsafe-best-match", "--index-strategy best-match")
    hint = re.sub(r"--python-version\b", "--python", hint)
    return hint.replace("By default, uv will only consider", "By default azpack considers only")


def _own_hint(explanation: str, indexes: IndexSettings) -> list[str]:
    if "pywin32" in explanation or "pypiwin32" in explanation:
        return [ONLY_ELSEWHERE]
    if "not found in the package registry" in explanation:
        return [NO_SUCH_NAME, *_asked(indexes)]
    if "there is no version of" in explanation or "there are no versions of" in explanation:
        return [NO_SUCH_VERSION, *_asked(indexes)]
    if "Distribution not found at" in explanation:
        return [NO_SUCH_PATH]
    if _NOT_THERE.search(explanation.lower()):
        return [NO_SUCH_FILE]
    return []


def _asked(indexes: IndexSettings) -> list[str]:
    """Which indexes there are, and in which order a name is looked for."""
    urls = [public(url) for url in indexes.urls()]
    if not urls:
        return ["no index was asked, only --find-links"]
    if len(urls) == 1 or indexes.strategy != "first-match":
        return [f"asked: {', '.join(urls)}"]
    order = f"asked in this order: {', '.join(urls)}; the first that has the name counts alone"
    return [f"{order}, unless you choose --index-strategy best-match"]


def _loosen(explanation: str) -> list[str]:
    return [LOOSEN] if "we can conclude" in explanation else []
