"""The rules of an ignore file, read as git reads one at the root of a working tree.

The description is https://git-scm.com/docs/gitignore; where it is silent, git's own `dir.c` and
`wildmatch.c` decide. git compares bytes, so patterns and paths are held here as text in which
each character is one byte (their bytes, decoded as Latin-1), which is what `re` is fast on; ASCII
is its own such text.

One meaning changed within git's history: `foo**/bar` matches `foobar` too up to git 2.51, and
does here; later ones read it as `foo*/bar`.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["IgnoreRules", "Matcher", "Rule"]

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that decides on paths: its pattern as written, and where it stands.

    `source` is "FILE:LINE", the name of an option, or "azpack" for a rule of azpack's own.
    """

    pattern: str
    source: str
    negated: bool

    @property
    def has_wildcard(self) -> bool:
        """Whether the pattern can match more than the one name or path that it spells."""
        return re.search(r"[*?\[]", re.sub(r"\\.", "", self.pattern, flags=re.DOTALL)) is not None


class IgnoreRules:
    """The rules of `.funcignore` and of the options that add to it, in their order.

    Rules speak of one path each: that nothing below an ignored folder can be kept is for the
    one who walks the tree to see to.
    """

    __slots__ = ("_patterns", "for_files", "for_folders")

    def __init__(self, patterns: Iterable[_Pattern] = ()) -> None:
        self._patterns = tuple(patterns)
        self.for_files = Matcher(self._patterns, folders=False)
        self.for_folders = Matcher(self._patterns, folders=True)

    @classmethod
    def parse(cls, text: bytes, *, source: str) -> IgnoreRules:
        """The rules in the bytes of an ignore file; `source` is the file's name.

        Raises UsageError for a file in UTF-16, which git would read as no rule at all.
        """
        if text.startswith(_UTF16_MARKS):
            raise UsageError(
                "ignore-file-encoding",
                f"{source} is encoded in UTF-16",
                hint=f"save {source} as UTF-8",
                context={"path": source},
            )
        lines = text.removeprefix(_UTF8_MARK).split(b"\n")
        return cls(
            _Pattern.parse(_pattern_of(line), source=f"{source}:{number}")
            for number, line in enumerate(lines, start=1)
            if line and not line.startswith(b"#")
        )

    def with_patterns(self, patterns: Sequence[str], *, source: str) -> IgnoreRules:
        """These rules, then the patterns, which win over them.

        A pattern is taken as it is, as by `git ls-files --exclude`: `#` starts no comment and
        spaces at the end count.
        """
        added = (_Pattern.parse(os.fsencode(pattern), source=source) for pattern in patterns)
        return IgnoreRules((*self._patterns, *added))

    def match(self, path: str, *, is_dir: bool) -> Rule | None:
        """The last rule that matches the path, negated or not.

        `path` is POSIX and relative to the folder of the ignore file, without a slash at the end.
        """
        matcher = self.for_folders if is_dir else self.for_files
        return matcher.find(path.rpartition("/")[2], path)


class Matcher:
    """The rules that apply to files, or those that apply to folders, ready for many paths.

    Most rules name a file (`local.env`), an extension (`*.pyc`) or a path (`docs/api`): a few
    lookups answer for all of those. Only the rest are regular expressions.
    """

    __slots__ = (
        "_catch_all",
        "_name_glob",
        "_names",
        "_path_folders",
        "_path_glob",
        "_paths",
        "_rules",
        "_suffix_rules",
        "_suffixes",
    )

    def __init__(self, patterns: Sequence[_Pattern], *, folders: bool) -> None:
        # A rule's place is its index; -1, the place of the None at the end, is "no rule".
        self._rules: tuple[Rule | None, ...] = (*(pattern.rule for pattern in patterns), None)
        self._catch_all = -1
        self._names: dict[str, int] = {}
        self._paths: dict[str, int] = {}
        suffixes: dict[str, int] = {}
        name_globs: dict[int, str] = {}
        path_globs: dict[int, str] = {}

        for index, pattern in enumerate(patterns):
            glob, by_name = pattern.glob, pattern.by_name
            if pattern.folders_only and not folders:
                continue
            if by_name and glob == "*":
                self._catch_all = index
                for overruled in (self._names, self._paths, suffixes, name_globs, path_globs):
                    overruled.clear()
            elif _literal_length(glob) == len(glob):
                (self._names if by_name else self._paths)[glob] = index
            elif by_name and glob[0] == "*" and _literal_length(glob[1:]) == len(glob) - 1:
                suffixes[glob[1:]] = index
            else:
                (name_globs if by_name else path_globs)[index] = glob

        self._suffixes = tuple(suffixes)
        self._suffix_rules = sorted(suffixes.items(), key=lambda item: -item[1])
        self._name_glob = _compile(name_globs)
        self._path_glob = _compile(path_globs)
        # A path that a glob matches begins with the folders before the glob's first wildcard.
        heads = [*self._paths, *(glob[: _literal_length(glob)] for glob in path_globs.values())]
        self._path_folders = tuple(head[: head.rfind("/") + 1] for head in heads)

    def find(self, name: str, path: str) -> Rule | None:
        """The last rule that matches the path, of which `name` is the last part."""
        if not path.isascii():
            name, path = _as_bytes(name), _as_bytes(path)
        last = max(self._last_for_name(name), self._paths.get(path, -1))
        if self._path_glob is not None and (match := self._path_glob(path)) is not None:
            last = max(last, _rule_index(match))
        return self._rules[last]

    def find_by_name(self, name: str) -> Rule | None:
        """The same in a folder for which `has_paths_in` is false."""
        return self._rules[self._last_for_name(name if name.isascii() else _as_bytes(name))]

    def has_paths_in(self, folder: str) -> bool:
        """Whether rules about paths, not just names, can match anything directly in the folder.

        `folder` is "" or ends with a slash.
        """
        return _as_bytes(folder).startswith(self._path_folders)

    def _last_for_name(self, name: str) -> int:
        last = self._names.get(name, self._catch_all)
        if name.endswith(self._suffixes):
            for suffix, index in self._suffix_rules:
                if name.endswith(suffix):
                    last = max(last, index)
                    break
        if self._name_glob is not None and (match := self._name_glob(name)) is not None:
            last = max(last, _rule_index(match))
        return last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """A pattern taken apart, as by `parse_path_pattern` of dir.c."""

    rule: Rule
    glob: str
    by_name: bool
    folders_only: bool

    @classmethod
    def parse(cls, pattern: bytes, *, source: str) -> _Pattern:
        pattern = pattern.partition(b"\0")[0]
        text = pattern.decode("utf-8", "backslashreplace")
        rule = Rule(pattern=text, source=source, negated=pattern.startswith(b"!"))
        glob = pattern.removeprefix(b"!").decode("latin-1")
        folders_only = glob.endswith("/")
        glob = glob.removesuffix("/")
        by_name = "/" not in glob
        if not by_name:
            glob = glob.removeprefix("/")
            # `**/NAME` is how many write NAME, and names are cheaper to compare than paths.
            name = glob.removeprefix("**/")
            if name and name != glob and "/" not in name:
                glob, by_name = name, True
        return cls(rule=rule, glob=glob, by_name=by_name, folders_only=folders_only)


def _pattern_of(line: bytes) -> bytes:
    """The pattern on a line: without CR, what follows a NUL, and unescaped spaces at the end."""
    pattern = line.removesuffix(b"\r").partition(b"\0")[0]  # git's patterns end at a NUL
    bare = pattern.rstrip(b" ")
    backslashes = len(bare) - len(bare.rstrip(b"\\"))
    if backslashes % 2 and bare != pattern:
        return bare + b" "
    return bare


def _as_bytes(text: str) -> str:
    return os.fsencode(text).decode("latin-1")


def _literal_length(glob: str) -> int:
    """How many characters precede the first special one: `simple_length` of dir.c."""
    special = re.search(r"[*?\[\\]", glob)
    return special.start() if special else len(glob)


def _compile(globs: dict[int, str]) -> Callable[[str], re.Match[str] | None] | None:
    """A function that matches a text against all the globs, the last one first."""
    alternatives = []
    for index in sorted(globs, reverse=True):
        regex = _regex(globs[index], prefix=f"part_{index}_")
        if regex is not None:
            alternatives.append(f"(?P<rule_{index}>{regex})")
    return re.compile("|".join(alternatives), re.DOTALL).fullmatch if alternatives else None


def _rule_index(match: re.Match[str]) -> int:
    """Which of the globs matched: its group closes after those within it, as the last of all."""
    return int((match.lastgroup or "").removeprefix("rule_"))


# What a run of asterisks can mean.
_IN_NAME = "[^/]*"
_FOLDERS = "(?:[^/]*/)*"
_ANYTHING = ".*"

# The POSIX classes as ranges, first and last character of each in turn. They are those of git's
# own ctype.c: a space is not a vertical tab, and no byte beyond ASCII belongs to any.
_POSIX_CLASSES = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\n\r\r  ",
    "upper": "AZ",
    "xdigit": "09AFaf",
}


class _MalformedError(Exception):
    """A glob that matches nothing, such as one with a bracket that is never closed."""


def _regex(glob: str, *, prefix: str) -> str | None:
    """The regular expression of a glob, or None if the glob is malformed and matches nothing.

    `prefix` begins the names of the groups in it.
    """
    # git compares what precedes the first wildcard on its own, and calls wildmatch with the rest,
    # of which it then takes the beginning for that of a name: see `match_pathname` of dir.c.
    literal = _literal_length(glob)
    try:
        tokens = list(_tokens(glob[literal:]))
    except _MalformedError:
        return None
    groups = (f"{prefix}{number}" for number in range(len(tokens)))
    return re.escape(glob[:literal]) + _join(tokens, (_FOLDERS, _ANYTHING), groups)


def _tokens(glob: str) -> Iterator[str]:
    """The parts of a glob as regular expressions: `dowild` of wildmatch.c."""
    at = 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            meaning, at = _asterisks(glob, at)
            yield meaning
        elif char == "[":
            members, at = _bracket(glob, at + 1)
            yield members
        elif char == "?":
            yield "[^/]"
            at += 1
        else:
            if char == "\\":
                at += 1
            if at == len(glob):
                raise _MalformedError
            yield re.escape(glob[at])
            at += 1


def _asterisks(glob: str, start: int) -> tuple[str, int]:
    """What the asterisks from `start` mean, and where the glob goes on after them."""
    end = start
    while glob.startswith("*", end):
        end += 1
    if end - start > 1 and (start == 0 or glob[start - 1] == "/"):
        if glob.startswith("/", end):
            return _FOLDERS, end + 1
        if end == len(glob) or glob.startswith("\\/", end):
            return _ANYTHING, end
    return _IN_NAME, end


def _bracket(glob: str, at: int) -> tuple[str, int]:
    """The regular expression of the bracket that opens before `at`, and where the glob goes on.

    A closing bracket in first place is a member, and a range may begin with any single character
    but not with the end of another range.
    """
    text = glob + "\0"
    negated = text[at] in "!^"
    at += negated
    members: set[int] = set()
    previous = ""
    while True:
        char = text[at]
        if char == "-" and previous and text[at + 1] not in "]\0":
            last, at = _member(text, at + 1)
            members.update(range(ord(previous), ord(last) + 1))
            previous = ""
        elif char == "[" and (name := _posix_class(text, at)) is not None:
            bounds = _POSIX_CLASSES.get(name)
            if bounds is None:
                raise _MalformedError
            for first, last in zip(bounds[::2], bounds[1::2], strict=True):
                members.update(range(ord(first), ord(last) + 1))
            at += len("[:" + name + ":]")
            previous = ""
        else:
            previous, at = _member(text, at)
            members.add(ord(previous))
        if text[at] == "]":
            return _any_of(set(range(256)) - members if negated else members), at + 1


def _member(text: str, at: int) -> tuple[str, int]:
    """The single character, perhaps escaped, at a place within a bracket, and the next place."""
    if text[at] == "\\":
        at += 1
    if text[at] == "\0":
        raise _MalformedError
    return text[at], at + 1


def _posix_class(text: str, at: int) -> str | None:
    """The name in `[:name:]`, or None if the bracket at this place is just a bracket."""
    if text[at + 1] != ":":
        return None
    end = text.find("]", at + 2)
    if end == -1:
        raise _MalformedError
    return text[at + 2 : end - 1] if end > at + 2 and text[end - 1] == ":" else None


def _any_of(members: set[int]) -> str:
    """The regular expression of one of these characters; a wildcard never stands for a slash."""
    members.discard(ord("/"))
    escaped = "".join(f"\\x{member:02x}" for member in sorted(members))
    return f"[{escaped}]" if escaped else "(?!)"


def _join(tokens: Sequence[str], gaps: tuple[str, ...], groups: Iterator[str]) -> str:
    """One regular expression of the tokens, in which what follows a gap is sought but once.

    If all else up to the next gap is found where it first occurs, a later place can't do better:
    the next gap spans the difference. So each such part is an atomic group, made of a look-ahead
    as in `fnmatch.translate` (`(?>...)` came with Python 3.11), and a glob with many asterisks
    takes no more than polynomial time. Gaps over folders split the glob first, then, within the
    parts, those in names.
    """
    if not gaps:
        return "".join(tokens)
    inner = () if gaps == (_IN_NAME,) else (_IN_NAME,)
    bounds = [at for at, token in enumerate(tokens) if token in gaps]
    bounds.append(len(tokens))
    joined = _join(tokens[: bounds[0]], inner, groups)
    for start, end in itertools.pairwise(bounds):
        gap, part = tokens[start], _join(tokens[start + 1 : end], inner, groups)
        if end == len(tokens):
            joined += gap + part
        else:
            group = next(groups)
            joined += f"(?=(?P<{group}>{gap}?{part}))(?P={group})"
    return joined
