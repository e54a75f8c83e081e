from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from azpack.checks import preflight
from azpack.deps.holdings import Barred
from azpack.deps.index import IndexSettings
from azpack.deps.lock import LockedDistribution
from azpack.deps.pips_choice import Taken
from azpack.deps.requirements import Requirement
from azpack.target.target import find_target

if TYPE_CHECKING:
    from pathlib import Path

FEED = "https://feed.example/simple"
PYPI = "https://pypi.org/simple"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("--index-url https://me:secret@feed.example/simple", True),
        ("--index-url https://me:pre${NAME}@feed.example/simple", True),
        ("a @ https://token:@feed.example/a.whl", True),
        ("a @ git+https://ghp_0123456789abcdefghij@github.example/a.git", True),
        ("--index-url https://me:${NAME}@feed.example/simple", False),
        ("--index-url https://${USER}:${NAME}@feed.example/simple", False),
        ("--index-url https://${NAME}@feed.example/simple", False),
        ("--index-url https://${NAME}:@feed.example/simple", False),
        ("--index-url https://me@feed.example/simple", False),
        ("a @ git+ssh://git@github.example/a.git@v1", False),
        ("a @ https://feed.example/a@1.0/a.whl", False),
        ("a==1  # mail me@x.example", False),
    ],
)
def test_passwords_in_a_file(tmp_path: Path, line: str, found: bool) -> None:
    (tmp_path / "base.txt").write_bytes(b"\xff\n" + line.encode())
    findings = list(preflight.credential_findings(tmp_path, ["base.txt"]))
    assert [(it.code, it.path, it.line) for it in findings] == [("AZP405", "base.txt", 2)] * found
    assert not any(word in str(findings) for word in ("secret@", "ghp_", "pre$"))


def test_what_is_pinned() -> None:
    pinned = ["a==1.0", "a == 1.0 ; python_version < '4'", "a===1", "./lib", "-e ./lib", "/x/y.whl",
              "a @ https://x.example/a.whl", "a[more]==1.0"]  # fmt: skip
    loose = ["a", "a>=1", "a==1.*", "a~=1.0", "a==1,!=1.5.*", "a<2 ; python_version == '3.11'"]
    for text in pinned:
        assert not list(preflight.pin_findings([Requirement(text=text, place="r.txt:1")])), text
    lines = [Requirement(text=text, place=f"r.txt:{at}") for at, text in enumerate(loose, 4)]
    (finding,) = preflight.pin_findings(lines)
    assert (finding.code, finding.severity) == ("AZP407", "info")
    assert (finding.path, finding.line) == ("r.txt", 4)
    assert "a<2 ; python_version == '3.11' are not pinned" in finding.message


def test_many_names_are_not_all_listed() -> None:
    names = [f"n{number}" for number in range(30)]
    (finding,) = preflight.twin_findings(dict.fromkeys(names, (FEED, PYPI)))
    assert "n6 and 23 more are on several indexes" in finding.message
    assert f"({FEED}, {PYPI})" in finding.message
    assert finding.severity == "info"
    (one,) = preflight.twin_findings({"a": (FEED, PYPI)})
    assert "a is on" in one.message
    assert list(preflight.twin_findings({})) == []


def test_whose_files_pip_takes() -> None:
    taken = {
        "a": Taken(filename="a-9.whl", place=PYPI, is_pinned=False),
        "b": Taken(filename="b-1.whl", place=FEED, is_pinned=False),
        "c": Taken(filename="c-9.whl", place=PYPI, is_pinned=False),
    }
    twins = dict.fromkeys(taken, (FEED, PYPI))
    foreign, own = preflight.confusion_findings(taken, twins, pinned=False)
    assert (foreign.severity, own.severity) == ("error", "warning")
    assert f"a-9.whl and c-9.whl from {PYPI}, though {FEED} has the name too" in foreign.message
    assert "leave out --no-pin" in str(foreign.hint)
    (foreign,) = preflight.confusion_findings(taken, twins, pinned=True)
    assert "--no-pin" not in str(foreign.hint)
    # The same file is no stranger's, wherever it is from.
    same = {name: replace(file, is_pinned=True) for name, file in taken.items()}
    assert list(preflight.confusion_findings(same, twins, pinned=True)) == []
    (finding, _, _) = preflight.mismatch_findings(taken)
    assert (finding.code, finding.severity) == ("AZP413", "error")
    assert f"pip takes a-9.whl from {PYPI} for a" in finding.message


def test_files_that_no_index_lists() -> None:
    entry = LockedDistribution(
        name="a", version="1", kind="wheel", url="https://other.example/a.whl", filename="a.whl"
    )
    for indexes, said in (
        (IndexSettings(extra_index_urls=("https://me:word@feed.example/simple",)),
         f"a.whl is from other.example, and {PYPI} or {FEED} does not list it"),
        (IndexSettings(no_index=True), "no index is named"),
    ):  # fmt: skip
        (finding,) = preflight.missing_findings([entry], indexes)
        assert (finding.code, finding.severity) == ("AZP404", "error")
        assert said in finding.message


def test_what_is_built_there(tmp_path: Path) -> None:
    target = find_target(tmp_path, python="3.11")
    entries: list[Any] = [
        {"kind": "wheel", "filename": "a-1-py3-none-any.whl", "tag": "py3-none-any"},
        {"kind": "sdist", "filename": "a-1.tar.gz", "reason": "there is no wheel"},
        {"kind": "vcs", "reason": "commit 012"},
    ]
    found = [
        [it.message for it in preflight.compile_findings(
            [LockedDistribution(name="a", version="1", url="https://x.example/a", **entry)], target
        )]
        for entry in entries
    ]  # fmt: skip
    assert [len(messages) for messages in found] == [0, 1, 1]
    assert "a 1 is built by the platform" in found[1][0]
    assert "there is no wheel, Python 3.11 on manylinux_2_31_x86_64" in found[1][0]


def test_indexes_that_the_platform_can_not_use() -> None:
    refused = Barred(url=FEED, reason="refused", what="netrc on this machine has its password")
    untrusted = Barred(url=FEED, reason="untrusted", what="its authority is ours")
    found = list(preflight.barred_findings([refused, untrusted]))
    assert [(it.code, it.severity) for it in found] == [("AZP414", "error"), ("AZP414", "warning")]
    assert all(f"can't use {FEED}: " in it.message and it.hint for it in found)
