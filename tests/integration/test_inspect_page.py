"""`azpack inspect --html FILE` as a user runs it: what is written, and what is left alone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack
from tests.packages import APP, distribution, raw_zip, write_package

if TYPE_CHECKING:
    from pathlib import Path

OLD = b"<!DOCTYPE html>\n<title>an earlier page</title>\n"


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_PYTHON="3.12")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path / "app.zip", APP, distribution("one"))


def refused(azpack: Azpack, package: Path, page: Path | str, code: str) -> None:
    before = package.read_bytes()
    done = azpack.run("inspect", package, "--html", page, "--json", cwd=package.parent)
    error = done.error(2, code)
    assert str(page) in error["message"]
    assert error["hint"]
    assert package.read_bytes() == before


def test_the_page_is_beside_the_result(azpack: Azpack, package: Path, tmp_path: Path) -> None:
    alone = azpack.run("inspect", package, cwd=tmp_path)
    done = azpack.run("inspect", package, "--html", "new/folder/page.html", cwd=tmp_path)
    assert (done.code, done.stdout) == (0, alone.stdout)
    assert done.stderr == "wrote new/folder/page.html\n"
    page = tmp_path / "new/folder/page.html"
    assert page.read_bytes().startswith(b"<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_json_names_the_page(azpack: Azpack, package: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert azpack.run("inspect", package, "--html", page, "--json").data()["html"] == str(page)
    assert "html" not in azpack.run("inspect", package, "--json").data()


@pytest.mark.parametrize("form", ["json", "sarif", "github", "azure"])
def test_every_form_leaves_standard_output_alone(
    azpack: Azpack, package: Path, tmp_path: Path, form: str
) -> None:
    done = azpack.run("inspect", package, "-q", "--format", form, "--html", tmp_path / "p.html")
    assert (done.code, done.stderr) == (0, "")
    if form in ("json", "sarif"):
        json.loads(done.stdout)
    assert (tmp_path / "p.html").is_file()


def test_what_was_found_is_in_the_page_too(azpack: Azpack, tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    package.write_bytes(raw_zip([(b"a", b"1")]))
    page = tmp_path / "page.html"
    assert azpack.run("inspect", package, "--html", page).code == 1
    assert b"AZP101" in page.read_bytes()
    assert azpack.run("inspect", package, "--html", page, "--ignore", "AZP1").code == 0
    assert b"AZP101" not in page.read_bytes()


@pytest.mark.parametrize("old", [OLD, b""])
def test_an_earlier_page_is_replaced(
    azpack: Azpack, package: Path, tmp_path: Path, old: bytes
) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(old)
    assert azpack.run("inspect", package, "--html", page).code == 0
    first = page.read_bytes()
    assert first != old
    assert (
        azpack.run("inspect", package, "--html", page, environment={"TZ": "Asia/Tokyo"}).code == 0
    )
    assert page.read_bytes() == first


@pytest.mark.parametrize("how", ["itself", "symlink", "hard link"])
def test_the_package_is_not_overwritten(
    azpack: Azpack, package: Path, tmp_path: Path, how: str
) -> None:
    page = package if how == "itself" else tmp_path / "page.html"
    if how == "symlink":
        page.symlink_to(package)
    if how == "hard link":
        page.hardlink_to(package)
    refused(azpack, package, page, "overwrites-package")


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("-", "two-results"),
        (".", "output-is-a-folder"),
        ("", "output-is-a-folder"),
        ("other.zip", "output-is-no-page"),
        ("/dev/full", "output-not-a-file"),
    ],
)
def test_what_is_no_page_is_not_overwritten(
    azpack: Azpack, package: Path, tmp_path: Path, page: str, code: str
) -> None:
    (tmp_path / "other.zip").write_bytes(b"PK\3\4")
    refused(azpack, package, page, code)
    assert (tmp_path / "other.zip").read_bytes() == b"PK\3\4"


@pytest.mark.parametrize("end", [0, -9])
def test_a_damaged_package_leaves_the_earlier_page(
    azpack: Azpack, package: Path, tmp_path: Path, end: int
) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(OLD)
    package.write_bytes(package.read_bytes()[:end])
    assert azpack.run("inspect", package, "--html", page).code == 6
    assert page.read_bytes() == OLD


def test_a_place_that_can_not_be_written(azpack: Azpack, package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = azpack.run("inspect", package, "--json", "--html", tmp_path / "file" / "page.html")
    error = done.error(6, "not-writable")
    assert "--html" in error["hint"]
