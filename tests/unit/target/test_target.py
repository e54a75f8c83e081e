from __future__ import annotations

import datetime
import sys
from typing import TYPE_CHECKING, Any

import pytest

from azpack.errors import FileError, UsageError
from azpack.target.runtimes import PLANS, load_runtimes
from azpack.target.target import find_target

if TYPE_CHECKING:
    from pathlib import Path

PACKAGED = ("3.10", "3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize(
    ("python", "glibc"),
    [("3.10", "2.31"), ("3.11", "2.31"), ("3.12", "2.36"), ("3.13", "2.36"), ("3.14", "2.39")],
)
def test_the_runtimes(tmp_path: Path, python: str, glibc: str) -> None:
    target = find_target(tmp_path, python=python)
    assert (target.python, target.glibc, target.functions) == (python, glibc, "4")
    # A full version: of 3.10 alone a resolver would take .0, and add what only .0 needs.
    assert target.full_version.startswith(f"{python}.")
    assert int(target.full_version.rpartition(".")[2]) > 0
    assert target.platform == f"manylinux_{glibc.replace('.', '_')}_x86_64"
    assert target.record() == {
        "functions": "4",
        "python": target.full_version,
        "platform": target.platform,
    }
    versions = target.symbol_versions()
    assert versions.keys() == {"GLIBC", "GLIBCXX", "CXXABI", "GCC"}
    assert versions["GLIBC"] == glibc


def test_the_table() -> None:
    rows = load_runtimes()
    assert len({(row.functions, row.python) for row in rows}) == len(rows)
    for row in rows:
        datetime.date.fromisoformat(row.end_of_support)
        assert row.full_version.startswith(f"{row.python}.")
        assert row.glibc.count(".") == 1
    assert tuple(row.python for row in rows if row.packaged) == PACKAGED
    assert {row.functions for row in rows if row.packaged} == {"4"}


def test_tags_in_the_order_of_preference(tmp_path: Path) -> None:
    tags = [str(tag) for tag in find_target(tmp_path, python="3.11").tags()]
    assert tags[0] == "cp311-cp311-manylinux_2_31_x86_64"
    order = [
        "cp311-cp311-manylinux_2_31_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_12_x86_64",
        "cp311-cp311-manylinux2010_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-abi3-manylinux_2_31_x86_64",
        "cp311-none-manylinux_2_5_x86_64",
        "cp310-abi3-manylinux_2_31_x86_64",
        "cp32-abi3-manylinux1_x86_64",
        "py311-none-manylinux_2_31_x86_64",
        "py3-none-manylinux_2_31_x86_64",
        "cp311-none-any",
        "py311-none-any",
        "py3-none-any",
        "py30-none-any",
    ]
    places = [tags.index(tag) for tag in order]
    assert places == sorted(places)
    assert len(set(tags)) == len(tags)
    for tag in tags:
        assert "linux_2_32" not in tag
        assert "-linux_" not in tag
        assert "musl" not in tag
        assert "cp312" not in tag
        assert "cp310-cp310" not in tag
        assert "cp311t" not in tag
        assert tag.endswith(("x86_64", "any"))


def test_markers_of_the_target_not_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    from packaging.markers import Marker

    environment: dict[str, Any] = {
        **find_target(tmp_path, python="3.13").marker_environment(),
        "extra": "",
    }
    for marker in (
        "sys_platform == 'linux' and os_name == 'posix' and platform_system == 'Linux'",
        "python_version == '3.13' and python_full_version >= '3.13.1'",
        "platform_machine == 'x86_64'",
        "implementation_name == 'cpython' and platform_python_implementation == 'CPython'",
        "implementation_version >= '3.13.1'",
        "platform_release == '' and platform_version == ''",
    ):
        assert Marker(marker).evaluate(environment), marker
    assert not Marker("extra == 'x'").evaluate(environment)
    assert len(environment) == 12


@pytest.mark.parametrize(
    ("name", "text", "python"),
    [
        (".python-version", "3.12\n", "3.12"),
        (".python-version", "# pyenv\n\n3.12.4\n3.11\n", "3.12"),
        (".python-version", "\ufeff3.13", "3.13"),
        (".python-version", "cpython-3.12.1-linux-x86_64-gnu", "3.12"),
        (".python-version", "cpython@3.12", "3.12"),
        ("runtime.txt", "python-3.11.9\r\n", "3.11"),
        ("runtime.txt", "python3.11", "3.11"),
        ("runtime.txt", "PYTHON-3.10", "3.10"),
    ],
)
def test_the_version_that_the_project_declares(
    tmp_path: Path, name: str, text: str, python: str
) -> None:
    (tmp_path / name).write_bytes(text.encode())
    target = find_target(tmp_path)
    assert (target.python, target.reason) == (python, name)
    asked = find_target(tmp_path, python="3.14")
    assert (asked.python, asked.reason) == ("3.14", "asked for")


def test_which_declaration_counts(tmp_path: Path) -> None:
    (tmp_path / "runtime.txt").write_text("python-3.11\n")
    (tmp_path / ".python-version").write_text("# nothing\n")
    assert find_target(tmp_path).reason == "runtime.txt"
    (tmp_path / ".python-version").write_text("3.12\n")
    assert find_target(tmp_path).reason == ".python-version"


def test_a_declaration_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_bytes(b"3.12 \xff\n")
    with pytest.raises(FileError, match=r"\.python-version"):
        find_target(tmp_path)


@pytest.mark.parametrize(
    "python", ["", "3", "three", "3.x", "pypy3.10", "3.12-dev", "3.13t", "myenv", ">=3.11", "3."]
)
def test_what_is_no_version(tmp_path: Path, python: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_target(tmp_path, python=python)
    assert (caught.value.code, caught.value.hint) == ("invalid-python", "write it as 3.12")
    (tmp_path / ".python-version").write_text(python or "x")
    with pytest.raises(UsageError, match=r"\.python-version"):
        find_target(tmp_path)


@pytest.mark.parametrize("python", ["3.9", "3.15", "2.7", "3.8.1"])
def test_a_version_that_is_not_packaged(tmp_path: Path, python: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_target(tmp_path, python=python)
    assert caught.value.code == "unsupported-python"
    assert all(version in caught.value.hint for version in PACKAGED)


@pytest.mark.parametrize(
    ("functions", "code"),
    [("3", "unsupported-python"), ("2", "unsupported-python"), ("5", "unknown-runtime"),
     ("~4", "unknown-runtime"), ("", "unknown-runtime")],
)  # fmt: skip
def test_other_runtimes(tmp_path: Path, functions: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_target(tmp_path, python="3.9", functions=functions)
    assert caught.value.code == code
    assert "4" in caught.value.hint


def test_this_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    target = find_target(tmp_path)
    assert (target.python, target.reason) == ("3.12", "this interpreter")
    monkeypatch.setattr(sys, "version_info", (3, 15, 0))
    with pytest.raises(UsageError, match=r"Python 3\.15") as caught:
        find_target(tmp_path)
    assert caught.value.code == "no-python"
    assert "--python" in caught.value.hint


def test_plans(tmp_path: Path) -> None:
    for plan in PLANS:
        assert find_target(tmp_path, python="3.11", plan=plan).plan == plan
    with pytest.raises(UsageError, match="free") as caught:
        find_target(tmp_path, python="3.11", plan="free")
    assert caught.value.hint == "use one of flex, consumption, premium, dedicated"
