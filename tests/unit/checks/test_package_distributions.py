from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from azpack.checks.package_distributions import _HASHED_AT_MOST
from tests.packages import APP, SITE, codes_of, distribution, findings_of

if TYPE_CHECKING:
    from pathlib import Path

ERROR_508, WARNING_508 = [("AZP508", "error")], [("AZP508", "warning")]
ERROR_509 = [("AZP509", "error")]


@pytest.mark.parametrize(
    "unlisted",
    [
        {},
        {"one/__pycache__/__init__.cpython-311.pyc": b""},
        {"one-1.0.dist-info/direct_url.json": b"{}"},
        {"bin/one": b"#!/usr/bin/env python3\n"},
    ],
)
def test_whole(unlisted: dict[str, bytes], tmp_path: Path) -> None:
    assert findings_of(tmp_path, APP, distribution("one", unlisted=unlisted)) == []


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"one/__pycache__/__init__.cpython-311.pyc": b""}, []),
        ({"../../bin/one": b""}, []),
        ({"one/more.py": b""}, ERROR_508),
        ({"one/_fast.so": b""}, ERROR_508),
        ({"one/tests/test_one.py": b""}, WARNING_508),
        ({"one/README.txt": b""}, WARNING_508),
    ],
)
def test_files_that_record_lists(
    listed: dict[str, bytes], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    found = findings_of(tmp_path, APP, distribution("one", listed=listed))
    assert codes_of(found) == expected
    if expected:
        assert "is missing" in found[0].message


def test_file_of_another_size(tmp_path: Path) -> None:
    changed = {**distribution("one"), f"{SITE}one/__init__.py": b"VALUE = 1  # changed\n"}
    (finding,) = findings_of(tmp_path, APP, changed)
    assert (finding.code, finding.severity) == ("AZP508", "error")
    assert "one/__init__.py is of another size" in finding.message


def test_file_that_two_distributions_bring(tmp_path: Path) -> None:
    parts = [
        distribution(name, files={f"{name}.py": b"", "shared/__init__.py": content})
        for name, content in (("one", b""), ("two", b"VALUE = 1\n"))
    ]
    for order in (parts, parts[::-1]):  # whoever was installed last
        assert findings_of(tmp_path, APP, *order) == []
    del parts[1][f"{SITE}shared/__init__.py"]
    assert findings_of(tmp_path, APP, *parts) == []
    del parts[0][f"{SITE}shared/__init__.py"]
    assert codes_of(findings_of(tmp_path, APP, *parts)) == 2 * ERROR_508


def test_file_of_the_same_size(tmp_path: Path) -> None:
    files = distribution("one", files={"one/__init__.py": b"VALUE = 1\n"})
    assert findings_of(tmp_path, APP, files) == []
    changed = {**files, f"{SITE}one/__init__.py": b"VALUE = 2\n"}
    (finding,) = findings_of(tmp_path, APP, changed)
    assert (finding.code, finding.severity) == ("AZP508", "error")
    assert finding.path == f"{SITE}one/__init__.py"
    assert "one/__init__.py is of another content" in finding.message
    # Of a large package the sizes alone are compared.
    large = {"large.bin": bytes(_HASHED_AT_MOST)}
    assert findings_of(tmp_path, APP, changed, large) == []


@pytest.mark.parametrize(
    ("digest", "expected"),
    [
        ("sha256=4b3ab8ed0ec9aa4b4dd5de2a1a4b7a3e62f6e1d1a5e9b39f2f05c3bd2a6fb5f5", ERROR_508),
        ("sha512=AAAA", ERROR_508),
        ("md5=AAAA", []),
        ("nonsense=AAAA", []),
        ("sha256=", ERROR_508),
        ("", []),
    ],
)
def test_hashes_of_other_kinds(
    digest: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    files = distribution("one", files={"one/__init__.py": b"VALUE = 1\n"})
    record = f"{SITE}one-1.0.dist-info/RECORD"
    files[record] = re.sub(rb"(__init__.py,)[^,]*", rb"\g<1>" + digest.encode(), files[record])
    assert codes_of(findings_of(tmp_path, APP, files)) == expected


def test_hash_in_hexadecimal(tmp_path: Path) -> None:
    content = b"VALUE = 1\n"
    files = distribution("one", files={"one/__init__.py": content})
    record = f"{SITE}one-1.0.dist-info/RECORD"
    digest = b"sha256=" + hashlib.sha256(content).hexdigest().upper().encode()
    files[record] = re.sub(rb"(__init__.py,)[^,]*", rb"\g<1>" + digest, files[record])
    assert findings_of(tmp_path, APP, files) == []


def test_records_as_windows_writes_them(tmp_path: Path) -> None:
    files = distribution("one", files={"one/__init__.py": b"", "one/a b,c.txt": b""})
    record = f"{SITE}one-1.0.dist-info/RECORD"
    files[record] = files[record].replace(b"one/__init__", b"one\\__init__").replace(b"\n", b"\r\n")
    assert findings_of(tmp_path, APP, files) == []


def test_metadata_that_is_missing(tmp_path: Path) -> None:
    found = findings_of(tmp_path, APP, distribution("one", without=["METADATA"]))
    assert codes_of(found) == ERROR_508
    assert found[0].message == "one 1.0: its METADATA is missing"
    assert findings_of(tmp_path, APP, distribution("one", without=["RECORD"])) == []


def test_modules_without_metadata(tmp_path: Path) -> None:
    loose = {f"{SITE}two/__init__.py": b"", f"{SITE}three.py": b"", f"{SITE}bin/x.py": b""}
    found = findings_of(tmp_path, APP, distribution("one"), loose)
    assert codes_of(found) == WARNING_508
    assert "three, two have no .dist-info" in found[0].message
    egg = {f"{SITE}two.egg-info/PKG-INFO": b""}
    assert findings_of(tmp_path, APP, distribution("one"), loose, egg) == []


def test_twice(tmp_path: Path) -> None:
    two = [distribution("One", "1.0"), distribution("one", "2.0")]
    found = findings_of(tmp_path, APP, *two)
    assert codes_of(found) == [("AZP510", "error")]
    assert "2 times, as 1.0 and 2.0" in found[0].message


def test_distributions_within_others_do_not_count(tmp_path: Path) -> None:
    carried = {
        "one/__init__.py": b"",
        "one/_vendor/two-1.0.dist-info/METADATA": b"Name: two\nVersion: 1.0\nRequires-Dist: x\n\n",
        "one/_vendor/two-1.0.dist-info/RECORD": b"nowhere.py,,\n",
    }
    both = [distribution("one", files=carried), distribution("two", "2.0")]
    assert findings_of(tmp_path, APP, *both) == []


@pytest.mark.parametrize(
    ("requires", "others", "expected"),
    [
        (["two"], [], ERROR_509),
        (["two"], [("two", "1.0")], []),
        (["Two.X>=1"], [("two-x", "1.0")], []),
        (["two>=2"], [("two", "1.0")], ERROR_509),
        (["two>=2"], [("two", "2.0rc1")], ERROR_509),
        (["two>=1"], [("two", "2.0rc1")], []),
        (["two"], [("two", "odd version")], []),
        (['two; sys_platform == "win32"'], [], []),
        (['two; sys_platform == "linux"'], [], ERROR_509),
        (['two; platform_machine == "arm64"'], [], []),
        (['two; python_version < "3.11"'], [], []),
        (['two; python_full_version >= "3.11"'], [], ERROR_509),
        (['two; extra == "more"'], [], []),
        (["azure-functions", "grpcio>=1", "protobuf"], [], []),
        (["not a requirement at all ((("], [], []),
    ],
)
def test_requirements(
    requires: list[str],
    others: list[tuple[str, str]],
    expected: list[tuple[str, str]],
    tmp_path: Path,
) -> None:
    parts = [distribution(name, version) for name, version in others]
    found = findings_of(tmp_path, APP, distribution("one", requires=requires), *parts)
    assert codes_of(found) == expected


def test_extras_that_are_asked_for(tmp_path: Path) -> None:
    one = distribution("one", requires=['two; extra == "more"', 'three; extra == "other"'])
    assert findings_of(tmp_path, APP, one) == []
    listed = {"requirements.txt": b"-r base.txt\n", "base.txt": b"one[more] == 1.0 \\\n --hash=x\n"}
    found = findings_of(tmp_path, APP, one, listed)
    assert codes_of(found) == ERROR_509
    assert "one 1.0 needs two, which is not in the package" in found[0].message
    user = distribution("user", requires=["one[other]"])
    assert "needs three" in findings_of(tmp_path, APP, one, user)[0].message


def test_modules_of_a_requirement_without_metadata(tmp_path: Path) -> None:
    loose = {f"{SITE}two/__init__.py": b""}
    found = findings_of(tmp_path, APP, distribution("one", requires=["two"]), loose)
    assert codes_of(found) == WARNING_508


@pytest.mark.parametrize(
    ("pythons", "fits"), [(">=3.9", True), (">=3.12", False), ("<3.11", False), ("odd", True)]
)
def test_python(pythons: str, fits: bool, tmp_path: Path) -> None:
    found = findings_of(tmp_path, APP, distribution("one", requires_python=pythons))
    assert codes_of(found) == ([] if fits else ERROR_509)
