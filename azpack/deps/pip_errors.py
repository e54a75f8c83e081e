"""What pip wrote below pip-tools, made into one error in azpack's words.

Of an error pip-tools prints the traceback. What it means is in pip's log, which also says what pip
passes over in silence: an index that does not answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azpack.deps.build_hints import find_hint
from azpack.deps.lock import normalized
from azpack.deps.resolver import (
    LOOSEN,
    NAME,
    NO_SUCH_FILE,
    NO_SUCH_NAME,
    NO_SUCH_PATH,
    NO_SUCH_VERSION,
    ONLY_ELSEWHERE,
    bad_requirement,
    index_refused,
    index_unreachable,
)
from azpack.errors import AzpackError, FileError, ResolutionError, UnreachableError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from azpack.deps.requirements import Requirement, Requirements
    from azpack.target.target import Target

    Given = Mapping[Path, Sequence[Requirement]]

_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3} ?", re.MULTILINE)
_PASSED_OVER = re.compile(r"Could not fetch URL (\S+): (.*) - skipping")
# An index answers so for a name that it does not have.
_NOT_THERE = re.compile(r"(404|410) Client Error")
_REFUSED = re.compile(r"\b(401|403) Client Error")
_UNREACHABLE = re.compile(
    r"Max retries exceeded|\b5\d\d Server Error|ConnectionError|ConnectTimeout|ReadTimeout"
    r"|Connection (?:refused|broken|reset)|Failed to establish a new connection"
)
_NO_FILE = re.compile(r"\[Errno (13|28|30|122)\]")
_BEGINNING = re.compile(r"^\s*(?:ERROR|error): ", re.MULTILINE)
# Where what is wrong ends and advice, or the traceback, begins.
_END = re.compile(
    r"^(?:Traceback |\s*(?:\[end of output\]|note: This |hint: See above))", re.MULTILINE
)
_CONFLICT = re.compile(r"^ *The conflict is caused by:\n(?: +\S.*\n)+", re.MULTILINE)
_BUILD = re.compile(r"^ *× (.+)\n(?:.*\n)*? *╰─> (.+)", re.MULTILINE)  # noqa: RUF001  # pip's frame
_SUBJECT = re.compile(r"Added (\S+)(?: from \S+)? (\(from .+\)) to build tracker")
_NOTHING = re.compile(r"satisfies the requirement (\S+) .*(\(from versions: none\))")
_UNFITTING = re.compile(r"Skipping link: none of the wheel's tags .*/([^/\s-]+)-[^/\s]*\.whl")
_NO_PATH = re.compile(r"It looks like a path\. (File '.*' does not exist)")
_EXCEPTION = re.compile(
    r"^[\w.]*\b(?:pip|piptools)\.[\w.]+: (.*(?:\n(?!Traceback).*)*)", re.MULTILINE
)
_SHOWN_LINES = 15


def find_silent_index(log: str) -> UnreachableError | None:
    """The error for an index that pip could not read and went on without.

    What it has may be just what was meant, and is taken from elsewhere then.
    """
    for url, reason in _PASSED_OVER.findall(log):
        if _NOT_THERE.search(reason):
            continue
        explanation = f"  {redact(url)}: {redact(reason)}"
        context = {"explanation": explanation, "url": redact(url)}
        if _REFUSED.search(reason):
            return index_refused(explanation, context)
        return index_unreachable(explanation, context, answers="error responses" in reason)
    return None


def explain_failure(
    log: str, output: str, requirements: Requirements, target: Target, given: Given
) -> AzpackError:
    """Make of pip's log and pip-tools' output one error that says what, where, and what to do now.

    `given` are the files that pip-tools read: a line for each of the requirements.
    """
    if error := find_silent_index(log) or bad_requirement(requirements):
        return error
    last = _last_exception(output)
    text = redact(_cause(_STAMP.sub("", log), output) or last)
    concerned = _concerned(f"{text}\n{last}", given)
    explanation = _in_our_words(text, given)
    context: dict[str, object] = {"explanation": explanation, "files": list(requirements.files)}
    if full := _NO_FILE.search(output):
        return FileError(
            "disk-full" if full[1] in ("28", "122") else "pip-cannot-write",
            f"pip-tools, which resolves the requirements, can't read or write its files\n"
            f"{explanation}",
            hint="make room, or name other folders with PIP_CACHE_DIR and TMPDIR",
            context=context,
        )
    if _REFUSED.search(last):
        return index_refused(explanation, context)
    if _UNREACHABLE.search(last):
        return index_unreachable(explanation, context, answers="Server Error" in last)
    where = ", ".join(concerned) or ", ".join(requirements.files)
    return ResolutionError(
        "no-solution",
        f"{where} can't be resolved for Python {target.python} on {target.platform}\n{explanation}",
        hint=_hint(f"{text}\n{last}", target),
        context=context,
    )


def _cause(log: str, output: str) -> str:
    """The error that pip reported before it gave up, and of a conflict who asks for what."""
    begin = _BEGINNING.search(output)
    if begin is None:
        found = _NO_PATH.search(output)
        return found[1] if found else ""
    if found := _BUILD.search(output):
        return _build_failure(log, found[1], found[2])
    end = _END.search(output, begin.end())
    text = output[begin.end() : end.start() if end else None]
    if (missing := _NOTHING.search(text)) and (name := NAME.match(missing[1])):
        unfitting = set(map(normalized, _UNFITTING.findall(log)))
        if normalized(name[1]) in unfitting:
            text = text.replace(missing[2], "(its wheels are for other systems or Pythons)")
    conflict = _CONFLICT.search(log)
    return f"{text.rstrip()}\n{conflict[0]}" if conflict else text


def _build_failure(log: str, fault: str, cause: str) -> str:
    """What of an sdist's or a folder's build backend failed, and the end of what it wrote."""
    subjects = [" ".join(found) for found in _SUBJECT.findall(log)]
    lines = [f"{subjects[-1]}: {fault}" if subjects else fault]
    if cause != "No available output.":
        return f"{lines[0]}\n{cause}"
    # It went to the log, since there is one.
    output = log.rpartition("Running command ")[2]
    error = _BEGINNING.search(output)
    lines += output[: error.start() if error else 0].splitlines()[1:][-_SHOWN_LINES + 1 :]
    return "\n".join(lines)


def _last_exception(output: str) -> str:
    """The message of the exception that ended pip-tools, without its class."""
    found = _EXCEPTION.findall(output.rpartition("Traceback (most recent call last):")[2])
    return found[-1].strip() if found else "\n".join(output.strip().splitlines()[-_SHOWN_LINES:])


def _references(text: str, given: Given) -> Iterator[tuple[str, Requirement]]:
    """Where pip speaks of a line that it was given, and the requirement in it."""
    for path, entries in given.items():
        file = re.escape(str(path))
        for found in re.finditer(
            rf"-[rc] {file} \(line (\d+)\)|\(from line (\d+) of {file}\)", text
        ):
            yield found[0], entries[int(found[1] or found[2]) - 1]


def _concerned(text: str, given: Given) -> list[str]:
    """The lines that the message speaks of: FILE:LINE (TEXT), and so on."""
    referred = [entry for _, entry in _references(text, given)]
    asked = re.findall(r"The user requested (?:\(constraint\) )?(.+)", text)
    asked += re.findall(r"satisfies the requirement (\S+) ", text)
    names = {normalized(name[1]) for line in asked if (name := NAME.match(line))}
    return [
        _place(entry)
        for entries in given.values()
        for entry in entries
        if entry in referred or ((name := NAME.match(entry.text)) and normalized(name[1]) in names)
    ]


def _place(entry: Requirement) -> str:
    return f"{entry.place} ({redact(entry.text)})"


def _in_our_words(text: str, given: Given) -> str:
    """The message with the user's lines in the place of those in pip-tools' files."""
    for reference, entry in list(_references(text, given)):
        text = text.replace(reference, _place(entry))
    # Dozens of versions say no more than the newest ones.
    text = re.sub(
        r"\(from versions: (?:[^,()]+, ){4,}((?:[^,()]+, ){2}[^()]+)\)", r"(it has …, \1)", text
    )
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if len(lines) > _SHOWN_LINES:
        lines = [lines[0], "  …", *lines[-_SHOWN_LINES + 2 :]]
    return "\n".join(f"  {line.removeprefix('  ')}" for line in lines)


def _hint(text: str, target: Target) -> str:
    if "pywin32" in text or "pypiwin32" in text:
        return ONLY_ELSEWHERE
    if "(its wheels are for other" in text:
        return "ask for a version that has a wheel or an sdist for the target"
    if "(from versions: none)" in text:
        return NO_SUCH_NAME
    if "conflicting dependencies" in text:
        return LOOSEN
    if "Could not find a version" in text:
        return NO_SUCH_VERSION
    if _NO_PATH.search(text) or "does not exist" in text:
        return NO_SUCH_PATH
    if "HTTP error 404" in text or "HTTP error 410" in text:
        return NO_SUCH_FILE
    if "did not run successfully" in text or "build backend" in text:
        return find_hint(text, target.python)
    return ""
