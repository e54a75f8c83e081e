"""The ignore rules against git itself: random trees, and random patterns of the nasty kind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from azpack.app.collect import collect_files
from azpack.app.ignore import IgnoreRules
from tests.unit.app.test_ignore import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Patterns that git read otherwise up to 2.51: there `foo**/bar` matches `foobar` too, for the text
# before the first wildcard was compared and forgotten.
_FORGOTTEN_TEXT = re.compile(rb"^!?[^*?\[\\\n]*[^*?\[\\\n/!]\*\*", re.MULTILINE)

EXAMPLES = int(os.environ.get("AZPACK_IGNORE_EXAMPLES", "300"))


class Git:
    """A git that knows of no ignore file but the one at hand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(folder / "repository"),
            "GIT_WORK_TREE": ".",
        }
        self._run("init", "--quiet", "--template=", cwd=folder)
        (folder / "tree").mkdir()
        (folder / "tree/foobar").touch()
        (folder / "tree/.funcignore").write_text("foo**/bar")
        self.forgets_text = self.untracked(folder / "tree") == []

    def _run(self, *arguments: str, cwd: Path, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", "-c", "core.ignoreCase=false", *arguments],
            cwd=cwd,
            env=self._environment,
            input=stdin,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    def untracked(self, tree: Path) -> list[str]:
        """The files that `.funcignore` does not ignore, itself aside, sorted by their bytes."""
        listed = self._run("ls-files", "-z", "--others", "--exclude-from=.funcignore", cwd=tree)
        paths = set(listed.split(b"\0")) - {b"", b".funcignore"}
        return [os.fsdecode(path) for path in sorted(paths)]

    def deciding_lines(self, tree: Path, paths: Sequence[str]) -> dict[str, str]:
        """The rule that decides on each path: ".funcignore:LINE", or ":" where none does."""
        answer = self._run(
            *("-c", f"core.excludesFile={tree / '.funcignore'}"),
            *("check-ignore", "--no-index", "--verbose", "--non-matching", "-z", "--stdin"),
            cwd=tree,
            # "./", for a colon in first place is no part of a path; and a path that always matches,
            # for git's exit code is 1 if none does.
            stdin=b"".join(os.fsencode(f"./{path}\0") for path in [*paths, ALWAYS_IGNORED]),
        )
        fields = [os.fsdecode(field) for field in answer.split(b"\0")]
        lines = zip(fields[0::4], fields[1::4], fields[3::4], strict=False)
        return {path[2:]: f"{Path(file).name}:{line}" for file, line, path in lines}


ALWAYS_IGNORED = "always-ignored"


@pytest.fixture(scope="module")
def git(need: Callable[[str, str], NoReturn], tmp_path_factory: pytest.TempPathFactory) -> Git:
    if shutil.which("git") is None:
        need("git", "there is no git")
    return Git(tmp_path_factory.mktemp("git"))


def test_cases_of_the_unit_tests(git: Git, tmp_path: Path) -> None:
    for pattern, matching, others in CASES:
        if not git.forgets_text and _FORGOTTEN_TEXT.search(pattern.encode()):
            continue
        paths = [path for path in [*matching, *others] if "//" not in path]
        rules = f"{pattern}\n{ALWAYS_IGNORED}".encode()
        (tmp_path / ".funcignore").write_bytes(rules)
        lines = git.deciding_lines(tmp_path, paths)
        found = IgnoreRules.parse(rules, source=".funcignore")
        assert (pattern, {path: lines[path] != ":" for path in paths}) == (
            pattern,
            {path: is_ignored(found, path) for path in paths},
        )


def is_ignored(rules: IgnoreRules, path: str) -> bool:
    """Whether a rule matches the path of a file, or of a folder that it is in."""
    names = path.split("/")
    return any(
        rules.match("/".join(names[:length]), is_dir=length < len(names))
        for length in range(1, len(names) + 1)
    )


# Few letters, so that patterns meet names; and what patterns are made of, as names can have it.
names = st.text(alphabet="aaabbb.é -!#*?[]^\\:\r0Z", min_size=1, max_size=4).filter(
    lambda name: name not in (".", "..")
)
trees = st.lists(st.lists(names, min_size=1, max_size=4).map("/".join), min_size=1, max_size=15)

pattern_parts = st.sampled_from(
    [
        *("a", "b", "ab", ".", "é", " ", "-", "#", ":", "\r", "0", "Z"),
        *("*", "**", "***", "?", "/", "**/", "/**", "/**/", "\\", "\\*", "\\/", "\\ "),
        *("[", "]", "!", "^", "[a", "a]", "[ab]", "[!a]", "[^a]", "[a-b]", "[]a]", "[a-", "[b-a]"),
        *("[[:alpha:]]", "[![:alpha:]]", "[[:punct:]b]", "[:alpha:]", "[[:foo:]]", "[\\]]"),
    ]
)
patterns = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "", "!", "/", "!/", "**/", "\\"]),
        st.one_of(
            st.lists(pattern_parts, max_size=8).map("".join),
            st.lists(names, min_size=1, max_size=3).map("/".join),
            st.lists(st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "[ab]"])).map("/".join),
        ),
        st.sampled_from(["", "", "", "/", " ", "\\ ", "\r", "/ ", "\\"]),
    ),
)
ignore_files = st.builds(
    lambda mark, lines, end: mark + "\n".join(lines).encode() + end,
    st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"]),
    st.lists(patterns, min_size=1, max_size=6),
    st.sampled_from([b"", b"\n", b"\r\n"]),
)


def make_tree(tree: Path, files: Sequence[str], rules: bytes) -> None:
    (tree / ".funcignore").write_bytes(rules)
    for file in files:
        try:
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).touch()
        except OSError:  # a path goes through another one's file: the first stays
            continue


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(files=trees, rules=ignore_files)
@example(files=["a/b", "ab", "ax/b", "a/x/b"], rules=b"a**/b")
@example(files=["a/b/a", "b/a"], rules=b"*\n!*/\n!/b/**")
@example(files=["é", "aé"], rules=b"?\n!??")
@example(files=["a ", "a", "a\r"], rules=b"a\\ \r\n")
def test_same_as_git(git: Git, files: list[str], rules: bytes) -> None:
    assume(git.forgets_text or not _FORGOTTEN_TEXT.search(rules))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        make_tree(tree, files, rules)
        found = collect_files(tree)

        assert list(found.included) == git.untracked(tree)

        decided = {ignored.path: ignored.rule.source for ignored in found.ignored}
        decided |= {path: rule.source for path, rule in found.kept_by.items()}
        del decided[".funcignore"]
        (tree / ".funcignore").write_bytes(rules + f"\n{ALWAYS_IGNORED}".encode())
        lines = git.deciding_lines(tree, list(decided))
        assert {path: lines[path] for path in decided} == decided
