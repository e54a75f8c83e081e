"""AZP101, 102, 103, 113 and 114: host.json as the host reads it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.json_text import JsonError, parse_json
from azpack.app.limits import LARGEST_JSON
from azpack.checks.rules import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azpack.app.json_text import Document
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

HOST_JSON = "host.json"

_VERSION_HINT = 'write "version": "2.0", which is that of the file, not of the runtime'
_CURRENT_BUNDLE = "[4.*, 5.0.0)"
_BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
_BUNDLE_HINT = f'write "extensionBundle": {{"id": "{_BUNDLE}", "version": "{_CURRENT_BUNDLE}"}}'
_PACKAGE_ID = re.compile(r"\w+([.-]\w+)*")
# NuGet's notation of versions and of their ranges:
# learn.microsoft.com/nuget/concepts/package-versioning
_NUMBER = r"(?:\d{1,9}(?:\.\d{1,9}){0,3}(?:-[0-9A-Za-z.-]+)?|(?:\d{1,9}\.){0,3}\*)"
_LONGEST_RANGE = 100
_LONGEST_SHOWN = 60
_RANGE = re.compile(
    rf"\s*([\[(])\s*({_NUMBER})?\s*(,?)\s*({_NUMBER})?\s*([\])])\s*|\s*({_NUMBER})\s*"
)
# What the host itself can do, without a bundle.
_BUILT_IN = {"http", "httptrigger", "timertrigger", "warmuptrigger", "manualtrigger"}
_OWN_EXTENSIONS = ("bin/extensions.json", "extensions.csproj")

_MAX_CONSUMPTION = 600.0
_DAY = 86400.0
_TIMESPAN = re.compile(
    r"\s*(-?)(?:(\d{1,8})\.)?(\d{1,8}):(\d{1,8})(?::(\d{1,8})(?:\.\d{1,7})?)?\s*"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the project's or the package's host.json."""
    try:
        size = subject.tree.size(HOST_JSON)
    except KeyError:
        yield _missing(subject)
        return
    if size > LARGEST_JSON:
        yield make_finding(
            "AZP102",
            f"host.json has {size:,} bytes, more than is read of it: it is not checked",
            path=HOST_JSON,
            hint="no app needs so much; leave out what the host does not read",
            severity="warning",
        )
        return
    content = subject.tree.read(HOST_JSON)
    try:
        document = parse_json(content)
    except JsonError as error:
        yield make_finding(
            "AZP102",
            f"host.json is not valid JSON: {error.message}",
            path=HOST_JSON,
            line=error.line,
            hint="mend that line, or the end of the one before; the host does not start with it"
            if content.strip()
            else 'write {"version": "2.0"}',
        )
        return
    host = document.value
    if not isinstance(host, dict):
        yield make_finding(
            "AZP102",
            "host.json is not a JSON object",
            path=HOST_JSON,
            line=document.line(),
            hint='write {"version": "2.0"}',
        )
        return
    yield from _check_version(document)
    yield from _check_bundle(document, subject)
    yield from _check_timeout(document, subject)
    yield from _check_keys(document)


def _missing(subject: Subject) -> Finding:
    rule = None
    if subject.files is not None:
        rule = next((it.rule for it in subject.files.ignored if it.path == HOST_JSON), None)
    if rule is not None:
        return make_finding(
            "AZP101",
            f"host.json is left out of the package by the rule {rule.pattern} ({rule.source}); "
            "without it Azure finds no function",
            path=HOST_JSON,
            hint=f"change that rule, or add !{HOST_JSON} after it",
        )
    return make_finding(
        "AZP101",
        "there is no host.json at the root; without it Azure finds no function",
        hint="package the folder that holds host.json",
    )


def _check_version(document: Document) -> Iterator[Finding]:
    host = document.value
    if not host or host.get("version") == "2.0":  # the host fills in an empty object
        return
    if "version" in host:
        shown = _shown(host["version"])
        message = f'host.json has the version {shown}; the host takes "2.0" alone'
    else:
        message = "host.json has no version, and the host does not start without it"
    yield make_finding(
        "AZP102", message, path=HOST_JSON, line=document.line("version"), hint=_VERSION_HINT
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _find(table: Any, name: str) -> tuple[str, Any] | None:
    """A key as it is written, and its value; .NET's configuration knows no case."""
    if not isinstance(table, dict):
        return None
    return next(((key, table[key]) for key in table if key.lower() == name.lower()), None)


def _check_bundle(document: Document, subject: Subject) -> Iterator[Finding]:
    found = _find(document.value, "extensionBundle")
    if found is None:
        yield from _check_no_bundle(subject)
        return
    key, bundle = found
    identity, version = (_find(bundle, name) for name in ("id", "version"))
    for name, entry in (("id", identity), ("version", version)):
        if entry is None or not isinstance(entry[1], str):
            yield make_finding(
                "AZP103",
                f"the extension bundle has no {name} that the host can read",
                path=HOST_JSON,
                line=document.line(key, name),
                hint=_BUNDLE_HINT,
            )
            return
    if identity is None or version is None:
        return
    if not _PACKAGE_ID.fullmatch(identity[1]):
        yield make_finding(
            "AZP103",
            f"{_shown(identity[1])} is no name of an extension bundle",
            path=HOST_JSON,
            line=document.line(key, identity[0]),
            hint=_BUNDLE_HINT,
        )
    elif identity[1].lower().startswith(_BUNDLE.lower()):
        line = document.line(key, version[0])
        yield from _check_range(version[1], line, subject)


def _check_no_bundle(subject: Subject) -> Iterator[Finding]:
    """Triggers and bindings that come from a bundle, where there is none."""
    paths = subject.tree.paths()
    if any(name in paths for name in _OWN_EXTENSIONS):
        return
    for function in subject.app.functions:
        for binding in function.bindings:
            if binding.type and binding.type.lower() not in _BUILT_IN:
                yield make_finding(
                    "AZP103",
                    f"host.json has no extensionBundle, from which {binding.type} comes, which "
                    f"{function.name or function.script} uses: the host does not know it",
                    path=HOST_JSON,
                    hint=_BUNDLE_HINT,
                )
                return


def _check_range(text: str, line: int, subject: Subject) -> Iterator[Finding]:
    match = _RANGE.fullmatch(text) if len(text) <= _LONGEST_RANGE else None
    if match is None or (match[1] and not match[3] and not (match[2] and match[1] == "[")):
        yield make_finding(
            "AZP103",
            f"{_shown(text)} is no range of versions",
            path=HOST_JSON,
            line=line,
            hint=f'write "version": "{_CURRENT_BUNDLE}"',
        )
        return
    newest = _newest_major(match)
    if newest is None or newest >= 4:
        return
    if subject.target.plan == "flex":
        message = f"the extension bundle {text} is below 4, which Flex Consumption does not take"
    else:
        message = f"the extension bundle {text} is deprecated"
    yield make_finding(
        "AZP103",
        message,
        path=HOST_JSON,
        line=line,
        hint=f'write "version": "{_CURRENT_BUNDLE}"',
        severity="error" if subject.target.plan == "flex" else "warning",
    )


def _newest_major(match: re.Match[str]) -> int | None:
    """The highest major version that a range allows; None where it has no end."""
    _, first, comma, last, closing, alone = match.groups()
    if alone is not None or (comma and last is None):
        return None
    if last is None:
        last, closing = first, "]"
    if last.startswith("*"):
        return None
    major, _, rest = last.partition(".")
    whole = re.fullmatch(r"[0.]*", rest) is not None
    return int(major.partition("-")[0]) - (1 if closing == ")" and whole else 0)


def _check_timeout(document: Document, subject: Subject) -> Iterator[Finding]:
    found = _find(document.value, "functionTimeout")
    if found is None or found[1] is None:
        return
    key, value = found
    plan = subject.target.plan
    shown = _shown(value)
    unlimited = "is for the other plans" if plan == "consumption" else ""
    seconds = None if isinstance(value, bool) else timespan(str(value))
    if seconds == -_DAY:
        what = f"functionTimeout {shown}, for no limit, {unlimited}" if unlimited else ""
    elif seconds is None:
        what = f"functionTimeout {shown} is no time"
    elif seconds < 1:
        what = f"functionTimeout {shown} is less than a second"
    elif plan == "consumption" and seconds > _MAX_CONSUMPTION:
        days = f", which is {seconds / _DAY:.0f} days," if seconds % _DAY == 0 else ""
        what = f"functionTimeout {shown}{days} is more than the ten minutes of the Consumption plan"
    else:
        what = ""
    if what:
        yield make_finding(
            "AZP113",
            f"{what}: the host does not start",
            path=HOST_JSON,
            line=document.line(key),
            hint='write it as "00:10:00"'
            + ("; or use another plan (--plan flex)" if plan == "consumption" else ""),
        )


def timespan(text: str) -> float | None:
    """The seconds in a text as .NET's TimeSpan.Parse reads it; None: it refuses.

    A number alone is days, and so are the hours of `24:00:00`, which are more than there are.
    """
    if re.fullmatch(r"\s*-?\d{1,8}\s*", text):
        return int(text) * _DAY
    match = _TIMESPAN.fullmatch(text)
    if match is None:
        return None
    sign, days, *rest = match.groups()
    parts = [int(part or 0) for part in rest]
    if parts[0] > 23:
        if days is not None:
            return None
        days, parts = str(parts[0]), [parts[1], parts[2], 0]
    hours, minutes, seconds = parts
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    total = int(days or 0) * _DAY + hours * 3600 + minutes * 60 + seconds
    return -total if sign else total


@cache
def _known_keys() -> tuple[Mapping[str, Any], Mapping[str, str]]:
    table = json.loads(Path(__file__).with_name("host_keys.json").read_bytes())
    sections = {name.lower(): section for name, section in table["sections"].items()}
    return sections, {name.lower(): place for name, place in table["moved"].items()}


def _check_keys(document: Document) -> Iterator[Finding]:
    sections, moved = _known_keys()
    pending: list[tuple[str, ...]] = [()]
    while pending:
        steps = pending.pop()
        section = sections[".".join(steps).lower()]
        value = document.value
        for step in steps:
            value = value[step]
        known = {key.lower() for key in section["keys"]}
        for key, inner in value.items():
            name = ".".join((*steps, key))
            if name.lower() in sections and isinstance(inner, dict):
                pending.append((*steps, key))
            if key.lower() in known:
                continue
            place = moved.get(name.lower())
            near = f"{place} is its place" if place else _nearest(key, section["keys"])
            if near or not section.get("open"):
                yield make_finding(
                    "AZP114",
                    f"the host knows no {name} in host.json, and ignores it",
                    path=HOST_JSON,
                    line=document.line(*steps, key),
                    hint=near or "remove it",
                )


def _nearest(key: str, known: list[str]) -> str:
    import difflib

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.8)
    return f"perhaps you meant {names[near[0]]}" if near else ""
