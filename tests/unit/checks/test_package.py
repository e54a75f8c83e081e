"""Packages that azpack has written, against the same ones as anybody's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import FileSet
from azpack.checks.remembered import BuiltPackage, Checked, check_package_once
from azpack.checks.selection import Selection
from azpack.store import Store
from azpack.target.target import find_target
from tests.objects import EM_AARCH64, make_object
from tests.packages import APP, SITE, distribution, findings_of, write_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azpack.findings import Finding

ALL = Selection()
FOREIGN = make_object(machine=EM_AARCH64)
WINDOWS = b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0\x64\x86"
SCRIPT = b"import azure.functions as func\nimport one, two.three\napp = func.FunctionApp()\n"
PACKAGES: dict[str, list[Mapping[str, bytes]]] = {
    "sound": [APP, distribution("one")],
    "no function, and a module that nothing provides": [
        {**APP, "function_app.py": SCRIPT}, distribution("one"),
    ],
    "code of the app": [APP, distribution("one"), {"lib/a.so": FOREIGN}],
    "code of the app's own distributions": [
        APP, distribution("one"), distribution("two", files={"two/a.so": FOREIGN}, root="lib/"),
    ],
    "code for Windows in a distribution": [
        APP, distribution("one", files={"one/_a.pyd": WINDOWS, "one/b.so": make_object()}),
    ],
    "code for Windows beside the one for Linux": [
        APP,
        distribution(
            "one",
            files={"one/_a.pyd": WINDOWS, "one/_a.so": make_object(symbols=["PyInit__a"])},
        ),
    ],
    "needs": [APP, distribution("one", requires=["two"]), distribution("azure-functions")],
    "an extra that the app asks for": [
        {**APP, "requirements.txt": b"-r more.txt\n", "more.txt": b"one[x]\n"},
        distribution("one", requires=["two; extra == 'x'"]),
    ],
    "twice": [APP, distribution("one"), distribution("one", "2.0")],
    "without metadata": [APP, distribution("one"), {f"{SITE}two/__init__.py": b""}],
    "a file of two": [
        APP, distribution("one", files={"x.py": b""}), distribution("two", files={"x.py": b"1"}),
    ],
    "of another system, and shadowing": [
        {**APP, "requirements.txt": b"\ngrpcio\n"},
        *(distribution(name, "9.9") for name in ("pywin32", "grpcio", "protobuf")),
    ],
    "shadowed": [{**APP, "one.py": b""}, distribution("one", files={"one.py": b""})],
    "odd names": [{**APP, "a\\b.txt": b"", "A.txt": b"", "a.txt": b""}, distribution("one")],
    "a second place": [APP, distribution("one"), distribution("two", root=".python_packages/")],
}  # fmt: skip

SOUND = ("sound", "a file of two", "code for Windows beside the one for Linux")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def check(
    path: Path, fd: int, store: Store, *, key: str = "", segment: str = "segment"
) -> tuple[Finding, ...]:
    """What is found in the package that is open at `fd`; remembered as a whole under `key`."""
    built = BuiltPackage(
        path=path,
        fd=fd,
        files=FileSet(root=path.parent / "project", included=(), ignored=(), kept_by={}),
        target=find_target(Path(), python="3.11"),
        segment=segment,
        written={},
        overrides=(),
        is_remote=False,
    )
    checked = check_package_once(built, Checked(findings=(), key=key), ALL, store)
    checked.remember(store)
    return checked.findings


def records(store: Store) -> Iterator[Path]:
    return store.folder.glob("v*/plans/*")


@pytest.mark.parametrize("name", PACKAGES)
def test_the_findings_are_those_of_inspect(tmp_path: Path, store: Store, name: str) -> None:
    path = tmp_path / "app.zip"
    lasting = [it for it in findings_of(path, *PACKAGES[name]) if it.severity != "info"]
    assert bool(lasting) == (name not in SOUND)
    with open(path, "rb") as package:
        first = check(path, package.fileno(), store)
        assert list(first) == lasting
        assert len(list(records(store))) == 1  # of the dependencies
        assert check(path, package.fileno(), store) == first
        assert check(path, package.fileno(), store, segment="") == first


def test_what_is_remembered_of_dependencies_is_of_them_alone(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "app.zip"
    parts = [distribution("one"), distribution("one", "2.0")]
    for app, codes in (
        (SCRIPT, ["AZP510", "AZP104", "AZP403"]),
        (APP["function_app.py"], ["AZP510"]),
    ):
        write_package(path, {**APP, "function_app.py": app}, *parts)
        with open(path, "rb") as package:
            assert [it.code for it in check(path, package.fileno(), store)] == codes


def test_a_whole_package_is_remembered(tmp_path: Path, store: Store) -> None:
    path = write_package(tmp_path / "app.zip", APP, distribution("one", requires=["two"]))
    with open(path, "rb") as package:
        found = check(path, package.fileno(), store, key="state")
    assert [it.code for it in found] == ["AZP509"]
    for record in records(store):
        record.write_text(record.read_text().replace('"AZP509"', '"AZP500"'))
    (remembered,) = check(path, -1, store, key="state")
    assert remembered == replace(found[0], code="AZP500")
    with pytest.raises(OSError, match="Bad file descriptor"):
        check(path, -1, store, key="another state")


def test_code_that_was_held_against_the_target_is_not_read(tmp_path: Path, store: Store) -> None:
    path = write_package(tmp_path / "app.zip", APP, distribution("one", files={"a.so": FOREIGN}))
    with open(path, "rb") as package:
        assert check(path, package.fileno(), store) == ()
        (found,) = check(path, package.fileno(), store, segment="")
    assert found.code == "AZP503"
