"""Poetry's way to write versions and conditions, in the words of PEP 440 and PEP 508.

python-poetry.org/docs/dependency-specification: caret, tilde, wildcards, commas and `||`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.version import Version

_EITHER = re.compile(r"\s*\|\|?\s*")
_BEHIND_OPERATOR = re.compile(r"(?<=[\^~=<>])\s+")
_CLAUSE = re.compile(r"(\^|~=|~|[=!<>]=|<>|[=<>]|)v?([0-9][^\s,*]*?)((?:\.\*)*)", re.ASCII)
_ANY = re.compile(r"[*xX](\.[*xX])*")
_PLATFORM = re.compile(r"(==?|!=|)\s*([\w.-]+)")
_NAME = r"""(['"])([\w.-]+)\{quote}"""
_EXTRA = re.compile(
    rf"extra\s*(==|!=)\s*{_NAME.format(quote=2)}|{_NAME.format(quote=4)}\s*(==|!=)\s*extra"
)
# Neither names the extra: to a resolver that is an extra of what it reads.
_ALWAYS, _NEVER = "python_version > '0'", "python_version < '0'"


def alternatives(text: str) -> tuple[str, ...]:
    """The PEP 440 specifiers of which one has to hold; an empty one admits every version.

    Raises:
        ValueError: it is not in Poetry's syntax.
    """
    return tuple(",".join(_clauses(part)) for part in _EITHER.split(text.strip()))


def admits(text: str, version: str) -> bool:
    """Whether a version is among those that `text` speaks of.

    Raises:
        ValueError: it is not in Poetry's syntax.
    """
    from packaging.specifiers import SpecifierSet

    return any(SpecifierSet(it).contains(version, prereleases=True) for it in alternatives(text))


def python_marker(text: str) -> str:
    """The marker for the Pythons that `text` speaks of; empty where these are all.

    Raises:
        ValueError: it is not in Poetry's syntax.
    """
    parts = [" and ".join(_python(clause) for clause in _clauses(it)) for it in _EITHER.split(text)]
    return any_of(parts)


def platform_marker(text: str) -> str:
    """The marker for the platforms that `text` speaks of; empty where these are all.

    Raises:
        ValueError: it is not in Poetry's syntax.
    """
    parts = []
    for part in _EITHER.split(text.strip()):
        named = [_PLATFORM.fullmatch(it) for it in re.split(r"\s*,\s*", part) if it != "*"]
        if not all(named):
            raise ValueError(f"{text!r} is no list of platforms")
        pairs = [(it[1], it[2]) for it in named if it]
        parts.append(
            all_of(f"sys_platform {'!=' if op == '!=' else '=='} '{name}'" for op, name in pairs)
        )
    return any_of(parts)


def settle_extras(marker: str, extras: Iterable[str]) -> str:
    """The marker with the truth in the place of each question for one of the project's extras."""
    from packaging.utils import canonicalize_name

    chosen = set(map(canonicalize_name, extras))

    def settled(question: re.Match[str]) -> str:
        is_chosen = canonicalize_name(question[3] or question[5]) in chosen
        return _ALWAYS if is_chosen is ((question[1] or question[6]) == "==") else _NEVER

    return _EXTRA.sub(settled, marker)


def all_of(markers: Iterable[str]) -> str:
    """The marker that holds where all of these do; an empty one holds everywhere."""
    parts = [marker for marker in markers if marker]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)


def any_of(markers: Iterable[str]) -> str:
    """The marker that holds where one of these does; an empty one holds everywhere."""
    parts = list(dict.fromkeys(markers))
    if "" in parts:
        return ""
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _clauses(text: str) -> Iterator[str]:
    """The clauses of PEP 440 that have to hold together; a comma or a space parts them."""
    for word in re.split(r"[,\s]+", _BEHIND_OPERATOR.sub("", text.strip()).rstrip(",")):
        if not word or _ANY.fullmatch(word):
            continue
        found = _CLAUSE.fullmatch(word)
        if not found:
            raise ValueError(f"{word!r} is no version")
        yield from _clause(found[1], found[2], wildcard=bool(found[3]))


def _clause(operator: str, text: str, *, wildcard: bool) -> Iterator[str]:
    from packaging.version import Version  # its error is a ValueError

    version = Version(text)
    release = version.release
    if operator == "^":
        # What is not zero, first, or else the last part.
        last = min(len(release), 3) - 1
        place = next((number for number, part in enumerate(release[:last]) if part), last)
        yield from (f">={text}", f"<{_next(version, place)}")
    elif operator == "~" or (operator == "~=" and len(release) == 1):
        yield from (f">={text}", f"<{_next(version, min(len(release), 2) - 1)}")
    elif operator in ("", "=", "=="):
        yield f"=={text}{'.*' if wildcard else ''}"
    elif operator in ("!=", "<>"):
        yield f"!={text}{'.*' if wildcard else ''}"
    else:  # of a wildcard behind one of these the number alone counts
        yield f"{operator}{text}"


def _next(version: Version, place: int) -> str:
    """The release that follows with the next number in this place."""
    epoch = f"{version.epoch}!" if version.epoch else ""
    parts = (*version.release[:place], version.release[place] + 1)
    return epoch + ".".join(map(str, parts))


def _python(clause: str) -> str:
    """The clause as a marker; `3.11` means all its releases, `>3.11` also means 3.11.1."""
    version = clause.lstrip("=!<>~")
    operator = clause.removesuffix(version)
    is_minor = operator == "==" and not version.endswith("*") and version.count(".") < 2
    name = "python_version" if is_minor else "python_full_version"
    return f"{name} {operator} '{version}'"
