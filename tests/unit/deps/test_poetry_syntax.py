from __future__ import annotations

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from azpack.deps.poetry_syntax import (
    admits,
    all_of,
    alternatives,
    any_of,
    platform_marker,
    python_marker,
    settle_extras,
)


# As python-poetry.org/docs/dependency-specification has them, and as Poetry's own code reads them.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^1.2.3", [">=1.2.3,<2"]),
        ("^1.2", [">=1.2,<2"]),
        ("^1", [">=1,<2"]),
        ("^0.2.3", [">=0.2.3,<0.3"]),
        ("^0.0.3", [">=0.0.3,<0.0.4"]),
        ("^0.0", [">=0.0,<0.1"]),
        ("^0", [">=0,<1"]),
        ("^0.0.0.4", [">=0.0.0.4,<0.0.1"]),
        ("^1.2.3b1", [">=1.2.3b1,<2"]),
        ("^1!2.0", [">=1!2.0,<1!3"]),
        ("~1.2.3", [">=1.2.3,<1.3"]),
        ("~1.2", [">=1.2,<1.3"]),
        ("~1", [">=1,<2"]),
        ("~=1.4", ["~=1.4"]),
        ("~=1", [">=1,<2"]),
        ("*", [""]),
        ("x", [""]),
        ("1.*", ["==1.*"]),
        ("==1.2.*", ["==1.2.*"]),
        ("!=1.2.*", ["!=1.2.*"]),
        (">=3.5.*", [">=3.5"]),
        ("1.2.3", ["==1.2.3"]),
        ("v1.2.3", ["==1.2.3"]),
        ("=1.2", ["==1.2"]),
        ("<>1.2", ["!=1.2"]),
        ("2.1.0+cpu", ["==2.1.0+cpu"]),
        (" >= 1.2 , < 2 ", [">=1.2,<2"]),
        (">=1.2 <2", [">=1.2,<2"]),
        (">=2.7,", [">=2.7"]),
        ("!=3.0.*,!=3.1.*,>=2.7", ["!=3.0.*,!=3.1.*,>=2.7"]),
        ("^1.2 || ~3.1", [">=1.2,<2", ">=3.1,<3.2"]),
        ("<1.5|>1.5", ["<1.5", ">1.5"]),
    ],
)
def test_versions(text: str, expected: list[str]) -> None:
    assert alternatives(text) == tuple(expected)
    for specifier in expected:
        SpecifierSet(specifier)
    if marker := python_marker(text):
        Marker(marker)


@pytest.mark.parametrize("text", ["abc", "1.2 - 2.0", ">=", "^", "^1.*x", "1.0;os", "1..2"])
def test_what_is_no_version(text: str) -> None:
    for read in (alternatives, python_marker):
        with pytest.raises(ValueError, match="ersion"):
            read(text)


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        ("^3.10", ["3.10.0", "3.13.2"], ["3.9.18", "4.0"]),
        (">=3.10,<3.12 || ^3.13", ["3.11.14", "3.13.0"], ["3.12.1"]),
        ("~3.11", ["3.11.14"], ["3.12.0"]),
        ("*", ["3.11.14"], []),
    ],
)
def test_which_versions_are_admitted(text: str, admitted: list[str], refused: list[str]) -> None:
    assert all(admits(text, version) for version in admitted)
    assert not any(admits(text, version) for version in refused)


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("3.11", {"3.11.14"}),
        ("3.11.14", {"3.11.14"}),
        ("3.11.13", set()),
        ("!=3.11.*", {"3.10.19", "3.12.12"}),
        ("<3.11", {"3.10.19"}),
        (">3.11", {"3.11.14", "3.12.12"}),
        ("<=3.11", {"3.10.19"}),
        ("~3.10 || ^3.12", {"3.10.19", "3.12.12"}),
        ("*", {"3.10.19", "3.11.14", "3.12.12"}),
    ],
)
def test_markers_for_pythons(text: str, versions: set[str]) -> None:
    marker = python_marker(text) or "python_version > '0'"
    found = set()
    for version in ("3.10.19", "3.11.14", "3.12.12"):
        minor = version.rpartition(".")[0]
        environment = {"python_full_version": version, "python_version": minor}
        if Marker(marker).evaluate(environment):
            found.add(version)
    assert found == versions


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("linux", "sys_platform == 'linux'"),
        ("==linux", "sys_platform == 'linux'"),
        ("!=win32", "sys_platform != 'win32'"),
        ("win32 || darwin", "(sys_platform == 'win32') or (sys_platform == 'darwin')"),
        ("!=win32, !=darwin", "(sys_platform != 'win32') and (sys_platform != 'darwin')"),
        ("*", ""),
        ("linux || *", ""),
    ],
)
def test_markers_for_platforms(text: str, marker: str) -> None:
    assert platform_marker(text) == marker


def test_what_is_no_platform() -> None:
    with pytest.raises(ValueError, match="platforms"):
        platform_marker("linux' or '1' == '1")


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("extra == 'my-docs'", True),
        ('extra == "My_Docs"', True),
        ("'my.docs' == extra", True),
        ("extra != 'my-docs'", False),
        ("extra == 'other'", False),
        ("extra != 'other'", True),
        ("extra == 'other' or extra == 'my-docs'", True),
        ("extra == 'my-docs' and extra != 'more'", False),
        ("extra == 'more' and python_version < '3'", False),
    ],
)
def test_extras_are_settled(marker: str, holds: bool) -> None:
    settled = settle_extras(marker, ["my.docs", "more"])
    assert "extra" not in settled
    assert Marker(settled).evaluate() is holds


def test_markers_are_joined() -> None:
    assert all_of(["", ""]) == any_of([]) == any_of(["a", ""]) == ""
    assert all_of(["", "a"]) == any_of(["a", "a"]) == "a"
    assert all_of(["a", "b"]) == "(a) and (b)"
    assert any_of(["a", "b"]) == "(a) or (b)"
