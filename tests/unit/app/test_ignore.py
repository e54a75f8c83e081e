from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

import pytest

from azpack.app.ignore import IgnoreRules, Rule
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def rules(text: str | bytes) -> IgnoreRules:
    return IgnoreRules.parse(os.fsencode(text), source=".funcignore")


def matches(pattern: str | bytes, path: str | bytes, *, is_dir: bool = False) -> bool:
    return rules(pattern).match(os.fsdecode(path), is_dir=is_dir) is not None


# A pattern, paths of files that it matches, and paths that it does not match. That git agrees is
# tested in tests/integration.
CASES: list[tuple[str, list[str], list[str]]] = [
    # A name, anywhere; a path, from the root.
    ("a", ["a", "b/a", "b/c/a"], ["ab", "ba", "a/b", "A"]),
    ("/a", ["a"], ["b/a"]),
    ("a/b", ["a/b"], ["c/a/b", "a/b/c", "ab"]),
    ("/a/b", ["a/b"], ["c/a/b"]),
    ("a b", ["a b"], ["a"]),
    # One asterisk, and a question mark: within a name.
    ("*", ["a", ".a", "b/a"], []),
    ("*.py", [".py", "a.py", "b/a.py"], ["a.pyc", "py", "a.py/b"]),
    ("a*", ["a", "ab", "b/ac"], ["ba", "a/b"]),
    ("a*c", ["ac", "abc", "abcc"], ["ab", "acb"]),
    ("*a*b*", ["ab", "xaybz", "aab", "aba"], ["ba"]),
    ("a/*", ["a/b"], ["a/b/c", "b/a/c"]),
    ("*/a", ["b/a"], ["a", "b/c/a"]),
    ("/*", ["a"], ["a/b"]),
    ("/*.py", ["a.py"], ["b/a.py"]),
    ("a/*b", ["a/b", "a/ab"], ["a/c/b"]),
    ("?", ["a", "b/a"], ["ab"]),
    ("a?c", ["abc", "a.c"], ["a/c", "ac"]),
    ("a/?", ["a/b"], ["a/bc", "a/b/c"]),
    # Two asterisks between slashes: any number of folders.
    ("**/a", ["a", "b/a", "b/c/a"], ["ba", "a/b"]),
    ("**/*.py", ["a.py", "b/a.py"], ["a.pyc"]),
    ("/**/a", ["a", "b/c/a"], ["ba"]),
    ("**/a/b", ["a/b", "c/a/b", "d/c/a/b"], ["ca/b", "a/c/b"]),
    ("**/**/a", ["a", "b/a", "b/c/a"], ["ba"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    ("/**", ["a", "a/b"], []),
    ("a/**/b", ["a/b", "a/c/b", "a/c/d/b"], ["ab", "a/cb", "c/a/b"]),
    ("a/***/b", ["a/b", "a/c/d/b"], ["a/cb"]),
    ("**/a/**/a/b", ["a/a/b", "a/x/a/b"], ["a/b"]),
    ("a/**/b/**/c", ["a/b/c", "a/x/b/y/b/z/c"], ["a/c/b", "a/bc"]),
    ("a/**/*b/c*d/**/e", ["a/b/cd/e", "a/x/bb/xb/ccd/y/e"], ["a/b/x/cd/e"]),
    ("**\\/b", ["a/b", "a/c/b"], ["b"]),
    # Two asterisks elsewhere: one. But git judges what follows the first wildcard on its own.
    ("a**b", ["ab", "acb"], ["a/b"]),
    ("**", ["a", "a/b"], []),
    ("a/b**c", ["a/bc", "a/bxc"], ["a/b/c"]),
    ("a/?**/b", ["a/x/b", "a/xy/b"], ["a/x/y/b"]),
    ("a**/b", ["ab", "a/b", "ax/b", "a/x/b"], ["b", "axb"]),
    # Brackets.
    ("[ab]", ["a", "b"], ["c", "ab", "[ab]"]),
    ("[!ab]", ["c", "!"], ["a", "b"]),
    ("[^ab]", ["c", "^"], ["a", "b"]),
    ("[a-c]x", ["ax", "bx", "cx"], ["dx", "-x"]),
    ("[a-]", ["a", "-"], ["b"]),
    ("[-a]", ["a", "-"], ["b"]),
    ("[a-c-e]", ["b", "-", "e"], ["d"]),
    ("[c-a]", ["c"], ["a", "b", "-"]),
    ("[]a]", ["]", "a"], ["[]a]"]),
    ("[!]a]", ["b"], ["]", "a"]),
    ("[]-a]", ["]", "^", "a"], ["-", "b"]),
    ("[\\]]", ["]"], ["\\"]),
    ("[\\-a]", ["-", "a"], ["b", "\\"]),
    ("[a\\-c]", ["a", "-", "c"], ["b"]),
    ("[a-\\c]", ["a", "b", "c"], ["\\", "-"]),
    ("[--0]x", ["-x", ".x", "0x"], ["1x", "ax"]),
    ("[[]", ["["], ["]"]),
    ("[[:]", ["[", ":"], ["a"]),
    ("[[:a]", ["[", ":", "a"], ["b"]),
    ("[[:a-c:]", [], ["[", ":", "b"]),
    ("x[a/]y", ["xay"], ["x/y", "b/xay"]),
    ("x/[a/]y", ["x/ay"], ["x//y"]),
    ("a[!b]c", ["axc"], ["a/c", "abc"]),
    ("a/[!b]c", ["a/xc"], ["a//c", "a/bc"]),
    ("[[:digit:]a]", ["0", "9", "a"], ["b", ":"]),
    ("[![:alpha:]]", ["0", "-"], ["a", "Z"]),
    ("[[:upper:]-z]", ["A", "-", "z"], ["a", "y"]),
    ("[a-[:digit:]]", [], ["a", "b", "0"]),
    # Malformed: nothing at all.
    ("[a", [], ["[a", "a"]),
    ("[", [], ["["]),
    ("[]", [], ["[]", "]"]),
    ("[!", [], ["[!"]),
    ("[!]", [], ["[!]", "a"]),
    ("[a-", [], ["a", "[a-"]),
    ("[a\\", [], ["a", "[a\\"]),
    ("[a-\\", [], ["a"]),
    ("[[:alpha:]", [], ["a", "[", ":"]),
    ("[[:alpha", [], ["a", "["]),
    ("[[:word:]]", [], ["a", "w", "_"]),
    ("[[::]]", [], [":", "[", "]"]),
    ("a\\", [], ["a", "a\\"]),
    ("*\\", [], ["a", "\\"]),
    # Escapes.
    ("\\a", ["a"], ["\\a"]),
    ("\\*", ["*"], ["a", "\\*"]),
    ("a\\?", ["a?"], ["ab"]),
    ("a\\[b]", ["a[b]"], ["ab"]),
    ("\\\\", ["\\"], ["\\\\"]),
    ("\\#a", ["#a"], ["\\#a"]),
    ("\\!a", ["!a"], ["a"]),
    ("a\\/b", ["a/b"], ["c/a/b"]),
    # Comments and empty patterns.
    ("#a", [], ["#a", "a"]),
    ("a#b", ["a#b"], ["a"]),
    ("", [], ["a"]),
    ("!", [], ["!", "a"]),
    ("/", [], ["a", "b/a"]),
    ("//", [], ["a"]),
    ("//a", [], ["a", "b/a"]),
    ("a//b", [], ["a/b"]),
    ("**//", [], ["a", "a/b"]),
    # Spaces.
    ("a ", ["a"], ["a "]),
    ("a  \r", ["a"], ["a ", "a\r"]),
    (" a", [" a"], ["a"]),
    ("a\\ ", ["a "], ["a", "a\\"]),
    ("a\\  ", ["a "], ["a", "a  "]),
    ("a\\\\ ", ["a\\"], ["a\\ "]),
    ("a\t", ["a\t"], ["a"]),
    ("a \\", [], ["a", "a \\"]),
    ("   ", [], [" ", "   "]),
    ("\r", [], ["\r"]),
    ("a\r\r", ["a\r"], ["a"]),
    ("a\rb", ["a\rb"], ["a"]),
    ("a\0b", ["a"], ["ab"]),
]


@pytest.mark.parametrize(("pattern", "matching", "others"), CASES)
def test_pattern(pattern: str, matching: list[str], others: list[str]) -> None:
    assert {path: matches(pattern, path) for path in [*matching, *others]} == {
        **dict.fromkeys(matching, True),
        **dict.fromkeys(others, False),
    }


def test_git_compares_bytes() -> None:
    assert matches("é", "é")
    assert matches("a/é*", "a/éa")
    assert matches("*é", "aé")
    assert not matches("?", "é")
    assert matches("??", "é")
    assert matches("[é][é]", "é")
    assert not matches("[é]", "é")
    assert matches(b"\xe9", b"\xe9")
    assert matches(b"?", b"\xe9")
    assert not matches(b"\xe9", "é")
    assert matches(b"[\x80-\xff]", b"\xe9")
    assert not matches("[[:alpha:]]*", "é")
    assert matches("é/", "é", is_dir=True)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("alnum", (*range(48, 58), *range(65, 91), *range(97, 123))),
        ("alpha", (*range(65, 91), *range(97, 123))),
        ("blank", (9, 32)),
        ("cntrl", (*range(1, 32), 127)),
        ("digit", range(48, 58)),
        ("graph", (*range(33, 47), *range(48, 127))),
        ("lower", range(97, 123)),
        ("print", (*range(32, 47), *range(48, 127))),
        ("punct", (*range(33, 47), *range(58, 65), *range(91, 97), *range(123, 127))),
        ("space", (9, 10, 13, 32)),
        ("upper", range(65, 91)),
        ("xdigit", (*range(48, 58), *range(65, 71), *range(97, 103))),
    ],
)
def test_posix_class(name: str, members: Iterable[int]) -> None:
    # The members are those that git 2.39 shows for `[[:name:]]`: names hold no NUL and no slash.
    codes = [code for code in range(1, 256) if code != ord("/")]
    matching = [code for code in codes if matches(f"[[:{name}:]]", bytes([code]))]
    not_matching = [code for code in codes if not matches(f"[![:{name}:]]", bytes([code]))]
    assert matching == not_matching == list(members)


def test_folders_only() -> None:
    for pattern in ("a/", "/a/", "**/a/", "a*/", "*a/", "[a]/", "*/"):
        assert matches(pattern, "a", is_dir=True)
        assert not matches(pattern, "a")
    assert matches("a/b/", "a/b", is_dir=True)
    assert not matches("a/b/", "c/a/b", is_dir=True)
    assert matches("a/**/", "a/b", is_dir=True)
    assert not matches("a/**/", "a/b")
    assert not matches("a//", "a", is_dir=True)
    assert not matches("a\\/", "a", is_dir=True)


def test_last_match_wins() -> None:
    found = rules("*.py\n!a.py\nsub/a.py\n\n# why\n!/sub/*\n")
    assert found.match("b.py", is_dir=False) == Rule(
        pattern="*.py", source=".funcignore:1", negated=False
    )
    assert found.match("a.py", is_dir=False) == Rule(
        pattern="!a.py", source=".funcignore:2", negated=True
    )
    assert found.match("x/a.py", is_dir=False) == found.match("a.py", is_dir=False)
    assert found.match("sub/a.py", is_dir=False) == Rule(
        pattern="!/sub/*", source=".funcignore:6", negated=True
    )
    assert found.match("sub/x/a.txt", is_dir=False) is None


@pytest.mark.parametrize(
    "patterns",
    list(itertools.permutations(["a.py", "*.py", "a.*", "*", "/a.py", "/[a].py", "**/a.py"], 3)),
)
def test_last_match_wins_whatever_the_kinds(patterns: tuple[str, ...]) -> None:
    found = rules("\n".join(patterns)).match("a.py", is_dir=False)
    assert found is not None
    assert (found.pattern, found.source) == (patterns[-1], ".funcignore:3")


def test_negation_of_a_negation_is_a_name() -> None:
    found = rules("!!a").match("!a", is_dir=False)
    assert found == Rule(pattern="!!a", source=".funcignore:1", negated=True)


@pytest.mark.parametrize(
    "text", [b"a\nb", b"a\nb\n", b"a\r\nb\r\n", b"a\r\nb\r", b"\xef\xbb\xbfa\nb"]
)
def test_lines(text: bytes) -> None:
    found = rules(text)
    assert [found.match(name, is_dir=False) for name in "ab"] == [
        Rule(pattern="a", source=".funcignore:1", negated=False),
        Rule(pattern="b", source=".funcignore:2", negated=False),
    ]


def test_byte_order_mark_before_a_comment() -> None:
    assert rules(b"\xef\xbb\xbf#a\nb").match("#a", is_dir=False) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_an_error(encoding: str) -> None:
    with pytest.raises(UsageError, match=r"^\.funcignore is encoded in UTF-16$") as caught:
        rules("\ufeff*.md\n".encode(encoding))
    assert "UTF-8" in caught.value.hint


def test_pattern_is_kept_as_written() -> None:
    found = rules(b" !\\ /b\xe9\\  \r\n!/**/a*/").match("x/ab", is_dir=True)
    assert found is not None
    assert found.pattern == "!/**/a*/"
    latin = rules(b"a\xe9").match(os.fsdecode(b"a\xe9"), is_dir=False)
    assert latin is not None
    assert latin.pattern == "a\\xe9"


def test_with_patterns() -> None:
    before = rules("*.py\n")
    after = before.with_patterns(["!a.py", "#b", "c ", "é"], source="--exclude")
    assert before.match("a.py", is_dir=False) != after.match("a.py", is_dir=False)
    assert after.match("a.py", is_dir=False) == Rule(
        pattern="!a.py", source="--exclude", negated=True
    )
    assert after.match("b.py", is_dir=False) == before.match("b.py", is_dir=False)
    # As by `git ls-files --exclude`: no comments, and spaces count.
    assert after.match("#b", is_dir=False) is not None
    assert after.match("c ", is_dir=False) is not None
    assert after.match("c", is_dir=False) is None
    assert after.match("é", is_dir=False) is not None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("!node_modules/", False),
        ("!/sub/.venv", False),
        ("!my\\ env", False),
        ("!a\\*b", False),
        ("!a*", True),
        ("!**/.venv", True),
        ("!.vsc?de", True),
        ("![.]venv", True),
        ("!a\\\\*", True),
    ],
)
def test_has_wildcard(pattern: str, *, expected: bool) -> None:
    assert Rule(pattern=pattern, source="", negated=True).has_wildcard is expected


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("*.py\nb", "", False),
        ("**/a", "", False),
        ("/a", "", True),
        ("/a", "b/", False),
        ("a/b", "a/", True),
        ("a/b", "", False),
        ("a/b", "a/b/", False),
        ("a/*.py", "a/", True),
        ("a/*.py", "ab/", False),
        ("a/**", "a/b/c/", True),
        ("a/**", "b/", False),
        ("a*/b", "x/", True),
        ("é/*.py", "é/", True),
    ],
)
def test_has_paths_in(text: str, folder: str, *, expected: bool) -> None:
    # A true answer where false would do costs time; the other way round, a wrong result.
    matcher = rules(text).for_files
    assert matcher.has_paths_in(folder) or not expected
    if not matcher.has_paths_in(folder):
        for name in ("a", "b", "c.py"):
            assert matcher.find_by_name(name) == matcher.find(name, folder + name)


def test_paths_are_not_sought_where_none_can_match() -> None:
    matcher = rules("*.md\n/docs/*.rst\nscripts/**/*.sh\n").for_files
    assert not matcher.has_paths_in("src/")
    assert matcher.has_paths_in("docs/")
    assert matcher.has_paths_in("scripts/a/b/")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 250),
        ("x/" + "*a" * 60 + "b", "x/" + "a" * 250),
        ("**/a/" * 30 + "b", "a/" * 1000 + "c"),
        ("**/*a*a*a*/" * 8 + "b", "aaaa/" * 400 + "c"),
        ("?*" * 40 + "b", "a" * 250),
        ("[a-z]*" * 40 + "b", "a" * 250),
    ],
)
def test_many_asterisks_take_no_exponential_time(pattern: str, path: str) -> None:
    start = time.perf_counter()
    assert not matches(pattern, path)
    assert time.perf_counter() - start < 2


def test_many_rules() -> None:
    found = rules("\n".join(f"a{number}*b[{number % 10}]" for number in range(2000)))
    assert found.match("a1999xb9", is_dir=False) == Rule(
        pattern="a1999*b[9]", source=".funcignore:2000", negated=False
    )
