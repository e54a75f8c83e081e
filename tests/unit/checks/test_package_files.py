from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from azpack.checks import package_files
from tests.packages import (
    APP,
    SITE,
    codes_of,
    distribution,
    findings_of,
    inspect,
    raw_zip,
    write_package,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ONE = distribution("one")
LISTED = {"requirements.txt": b"one\n"}


def below(prefix: str, *parts: Mapping[str, bytes]) -> dict[str, bytes]:
    return {prefix + path: content for part in parts for path, content in part.items()}


def test_a_sound_package(tmp_path: Path) -> None:
    assert findings_of(tmp_path, APP, ONE) == []


@pytest.mark.parametrize("extra", [{}, {"__MACOSX/app/._host.json": b"\0\5\x16\7"}])
def test_the_folder_itself_was_zipped(extra: dict[str, bytes], tmp_path: Path) -> None:
    found = inspect(tmp_path, below("app/", APP, ONE), extra)
    assert codes_of(f for f in found.findings if f.code < "AZP6") == [("AZP501", "error")]
    assert found.findings[-1].path == "app/host.json"
    # What it was meant to be is shown all the same.
    assert [function.name for function in found.app.functions] == ["hello"]
    assert [entry.name for entry in found.distributions] == ["one"]


def test_findings_in_a_folder_have_its_name(tmp_path: Path) -> None:
    broken = {**APP, "function_app.py": b"def (:\n"}
    paths = {finding.code: finding.path for finding in findings_of(tmp_path, below("a/b/", broken))}
    assert paths["AZP501"] == "a/b/host.json"
    assert paths["AZP301"] == "a/b/function_app.py"


def test_several_apps_in_a_zip_are_none(tmp_path: Path) -> None:
    found = findings_of(tmp_path, below("a/", APP), below("b/", APP))
    assert "AZP501" not in dict(codes_of(found))
    assert "AZP101" in dict(codes_of(found))


@pytest.mark.parametrize(
    "root",
    [
        ".python_packages/lib/python3.6/site-packages/",
        ".venv/lib/python3.11/site-packages/",
        "env/Lib/site-packages/",
        "site-packages/",
        ".python_packages/",
        "usr/lib/python3/dist-packages/",
    ],
)
def test_dependencies_elsewhere(root: str, tmp_path: Path) -> None:
    found = [
        f for f in findings_of(tmp_path, APP, distribution("one", root=root)) if f.code < "AZP6"
    ]
    assert codes_of(found) == [("AZP502", "error")]
    assert found[0].path == root.rstrip("/")
    assert "where the worker does not look" in found[0].message


def test_dependencies_at_the_root(tmp_path: Path) -> None:
    found = findings_of(tmp_path, APP, distribution("one", root=""))
    assert codes_of(found) == [("AZP502", "warning")]


@pytest.mark.parametrize("root", [".venv/lib/python3.11/site-packages/", "x/site-packages/"])
def test_dependencies_elsewhere_too(root: str, tmp_path: Path) -> None:
    found = findings_of(tmp_path, APP, ONE, distribution("one", root=root))
    assert "AZP502" not in dict(codes_of(found))


def test_python_packages_of_two_layouts(tmp_path: Path) -> None:
    other = distribution("two", root=".python_packages/lib/python3.11/site-packages/")
    assert codes_of(findings_of(tmp_path, APP, ONE, other)) == [("AZP502", "warning")]


def test_no_dependencies_though_there_should_be(tmp_path: Path) -> None:
    assert codes_of(findings_of(tmp_path, APP, LISTED)) == [("AZP502", "warning")]
    nothing = {"requirements.txt": b"# nothing yet\n"}
    assert findings_of(tmp_path, APP, nothing) == []


def test_no_dependencies_in_a_package_for_a_remote_build(tmp_path: Path) -> None:
    path = write_package(tmp_path / "app.zip", APP, LISTED)
    manifest = {
        "schema_version": 1, "created_by": "azpack 0",
        "package": {"size": path.stat().st_size, "entries": 3},
        "mode": "remote",
        "target": {"functions": "4", "python": "3.12", "plan": "premium"},
    }  # fmt: skip
    (tmp_path / "app.manifest.json").write_text(json.dumps(manifest, indent=2))
    found = inspect(path, python=None)
    assert found.findings == ()
    assert (found.target.python, found.target.plan) == ("3.12", "premium")
    assert found.grounds == "app.manifest.json"


def zipped(path: Path, files: Mapping[str, bytes], *, by: str) -> Path:
    """A zip as programs of Windows and macOS make it, of which there are none here."""
    own = {"system": 0, "mode": 0} if by != "ditto" else {}
    names = {name.replace("/", "\\") if by == ".NET" else name: name for name in files}
    entries = [(shown.encode(), files[name]) for shown, name in names.items()]
    fields = {name: own for name, _ in entries}
    path.write_bytes(raw_zip(entries, fields=fields, on_macos=by == "ditto"))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    return path


def test_a_zip_with_backslashes(tmp_path: Path) -> None:
    found = inspect(zipped(tmp_path / "app.zip", {**APP, **ONE}, by=".NET"))
    assert codes_of(found.findings) == [("AZP505", "error")]
    assert "and 3 more entries" in found.findings[0].message
    assert "PowerShell" in (found.findings[0].hint or "")
    assert [entry.name for entry in found.distributions] == ["one"]


def test_a_zip_without_modes(tmp_path: Path) -> None:
    found = inspect(zipped(tmp_path / "app.zip", {**APP, **ONE}, by="Explorer"))
    assert found.findings == ()
    assert {entry.mode for entry in found.files} == {0}


@pytest.mark.parametrize(
    ("by", "said", "mend"),
    [
        (".NET", "as on Windows", "select all"),
        ("Explorer", "as on Windows", "select all"),
        ("ditto", "as the Finder of macOS", "zip -rX"),
        ("zip", "of the package: Azure", "zip -r ../app.zip"),
    ],
)
def test_who_zipped_the_folder_itself(by: str, said: str, mend: str, tmp_path: Path) -> None:
    files = below("app/", APP, ONE)
    if by == "ditto":
        files |= {"__MACOSX/app/._host.json": b"\0\5\x16\7", "app/.DS_Store": b"\0\0\0\1"}
    if by == "zip":
        path = write_package(tmp_path / "app.zip", files)
    else:
        path = zipped(tmp_path / "app.zip", files, by=by)
    found = {finding.code: finding for finding in findings_of(path)}
    assert said in found["AZP501"].message
    assert mend in (found["AZP501"].hint or "")
    assert ("AZP505" in found) == (by == ".NET")
    assert ("AZP603" in found) == (by == "ditto")


@pytest.mark.parametrize(
    "added", [["__MACOSX/._host.json"], [".DS_Store"], [".python_packages/.DS_Store", "F/._x.py"]]
)
def test_what_macos_adds(added: list[str], tmp_path: Path) -> None:
    files = {**APP, **dict.fromkeys(added, b"\0\5\x16\7")}
    (finding,) = findings_of(zipped(tmp_path / "app.zip", files, by="ditto"))
    assert (finding.code, finding.severity) == ("AZP603", "warning")
    assert f"{added[0]} and 1 more that macOS" in finding.message or len(added) == 1
    assert "of no use on Azure" in finding.message


@pytest.mark.parametrize(
    ("name", "severity"),
    [(b"../up", "error"), (b"/abs", "error"), (b"./a", "warning"), (b"f\xfcr", "warning")],
)
def test_names(name: bytes, severity: str, tmp_path: Path) -> None:
    entries = [*((path.encode(), content) for path, content in APP.items()), (name, b"")]
    (tmp_path / "app.zip").write_bytes(raw_zip(entries))
    assert codes_of(findings_of(tmp_path / "app.zip")) == [("AZP505", severity)]


@pytest.mark.parametrize("fields", [{"mode": 0o120777}, {"flags": 1}, {"method": 14}])
def test_kinds(fields: dict[str, int], tmp_path: Path) -> None:
    entries = [*((path.encode(), content) for path, content in APP.items()), (b"x", b"1")]
    (tmp_path / "app.zip").write_bytes(raw_zip(entries, fields={b"x": fields}))
    assert codes_of(findings_of(tmp_path / "app.zip")) == [("AZP506", "error")]


@pytest.mark.parametrize(
    ("size", "severity"),
    [(100, None), (800, None), (801, "warning"), (1000, "warning"), (1001, "error")],
)
def test_size(size: int, severity: str | None) -> None:
    found = list(package_files._size(size, 1000, "it", "room"))
    assert codes_of(found) == ([("AZP507", severity)] if severity else [])


def test_size_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"data.bin": os.urandom(10_000)}
    monkeypatch.setattr(package_files, "LARGEST_PACKAGE", 9_000)
    assert codes_of(findings_of(tmp_path, APP, data)) == [("AZP507", "error")]
    monkeypatch.setattr(package_files, "LARGEST_PACKAGE", 1 << 30)
    monkeypatch.setattr(package_files, "CONSUMPTION_ROOM", 11_000)
    found = findings_of(tmp_path, APP, data, plan="consumption")
    assert codes_of(found) == [("AZP507", "warning")]
    packed_well = {"data.bin": bytes(20_000)}
    found = findings_of(tmp_path, APP, packed_well, plan="consumption")
    assert codes_of(found) == [("AZP507", "error")]
    assert "unpacked" in found[0].message
    assert findings_of(tmp_path, APP, packed_well, plan="flex") == []


def test_what_is_no_place_of_dependencies() -> None:
    assert package_files._other_place(f"{SITE}a/site-packages/b") is None
    assert package_files._other_place("a/b.py") is None
    assert package_files._other_place("my-packages/b.py") is None
