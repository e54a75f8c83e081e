"""Packages and projects that are made to take long, or to fill the memory, as a user meets them.

Memory and processor time are limited for the process, far above what it takes: who goes beyond is
killed, or fails.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.hostile import LARGEST, write_hostile
from tests.packages import APP, write_package

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MEMORY = 256 << 20
SECONDS = 60  # of the processor; each takes a second or two
# Of those that take some seconds when they are at their largest.
SHARES = {
    "names by case": 0.2, "blueprints": 0.1, "missing modules": 0.2, "sparse objects": 0.1,
    "bare files with heads": 0.1, "deep folders": 0.2, "distributions": 0.1, "entries": 0.1,
    "entries with long names": 0.1, "environments": 0.1, "extras": 0.2, "fields": 0.2,
    "folders of modules": 0.2, "function.json": 0.05, "function.json of text": 0.05,
    "functions": 0.1, "functions with large scripts": 0.1, "large object": 0.1,
    "many large modules": 0.05, "metadata": 0.2, "modules in a circle": 0.1, "objects": 0.1,
    "record": 0.2, "requirements": 0.2, "roots": 0.2, "same distribution": 0.1, "texts": 0.1,
}  # fmt: skip


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def azpack(*arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "azpack", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,  # no threads here
    )
    return done.returncode, done.stdout, done.stderr


def check_answer(answer: tuple[int, str, str]) -> list[dict[str, str]]:
    """It is findings, or the error of a damaged file; return the findings."""
    code, output, errors = answer
    assert code in (0, 1, 6), errors
    assert "Traceback" not in errors
    data = json.loads(output)["data"] or {}
    findings: list[dict[str, str]] = data.get("findings", [])
    return findings


@pytest.mark.parametrize("name", LARGEST)
def test_package(name: str, tmp_path: Path) -> None:
    package = write_hostile(tmp_path / "app.zip", name, share=SHARES.get(name, 1))
    check_answer(azpack("inspect", package, "--json"))


@pytest.mark.parametrize(
    "name", ["function.json", "modules in a circle", "long expression", "doubling of a list"]
)
def test_project(name: str, tmp_path: Path) -> None:
    package = write_hostile(tmp_path / "app.zip", name, share=SHARES.get(name, 1))
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "app")
    check_answer(azpack("check", tmp_path / "app", "--json"))


@pytest.mark.parametrize(
    "name",
    [
        "deep folders", "distributions", "entries", "function.json", "functions", "large object",
        "many secrets", "names in host.json", "numbers", "objects", "record",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["json", "markdown", "text"])
def test_diff(name: str, form: str, tmp_path: Path) -> None:
    share = SHARES.get(name, 1)
    old = write_hostile(tmp_path / "old.zip", name, share=share)
    new = write_hostile(tmp_path / "new.zip", name, share=share * 0.9)
    code, output, errors = azpack("diff", old, new, "--format", form)
    assert code == (6 if name == "record" else 0), errors  # it has more rows than can be
    assert "Traceback" not in errors
    assert bool(output) == (code == 0 or form == "json")


def test_diff_of_what_is_repacked(tmp_path: Path) -> None:
    packages = []
    for level in (1, 9):
        path = tmp_path / f"{level}.zip"
        packages.append(path)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
            for name, content in (APP | {"bomb": bytes(200 << 20)}).items():
                archive.writestr(name, content)
    code, output, errors = azpack("diff", *packages, "--json")
    assert code == 0, errors
    assert json.loads(output)["data"]["same_content"] is True


@pytest.mark.parametrize(
    "name", ["deep folders", "distributions", "entries", "functions", "many secrets", "numbers"]
)
def test_page(name: str, tmp_path: Path) -> None:
    package = write_hostile(tmp_path / "app.zip", name, share=SHARES.get(name, 1))
    page = tmp_path / "page.html"
    check_answer(azpack("inspect", package, "--html", page, "--json"))
    assert 0 < page.stat().st_size < 8 << 20


@pytest.mark.parametrize("name", ["extras", "fields", "markers", "metadata", "numbers"])
def test_bill_of_materials(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZPACK_CACHE_DIR", str(tmp_path / "cache"))
    package = write_hostile(tmp_path / "app.zip", name, share=SHARES.get(name, 1))
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "app")
    bill = tmp_path / "bill.json"
    code, _, errors = azpack(
        "build", tmp_path / "app", "--mode", "none", "--no-check", "--python", "3.12",
        "--output", tmp_path / "built.zip", "--sbom", bill, "--json",
    )  # fmt: skip
    assert code == 0, errors
    written = json.loads(bill.read_text())
    properties = {it["name"]: it["value"] for it in written["metadata"]["properties"]}
    assert properties.get("azpack:dependencies") == ("not known" if name == "extras" else None)


@pytest.mark.parametrize(
    ("name", "share", "said"),
    [
        ("function.json", 0.01, ("AZP201", "warning", "more than is read of such a file")),
        ("functions", 0.1, ("AZP201", "warning", "folders more have a function.json")),
        ("host.json", 1, ("AZP102", "warning", "more than is read of it")),
        ("long expression", 0.5, ("AZP301", "info", "it has too much code to be parsed")),
        ("modules in a circle", 0.2, ("AZP301", "info", "all modules together import too much")),
        ("many large modules", 0.05, ("AZP301", "info", "have too much code to be parsed")),
        ("submodules", 0.1, ("AZP301", "error", "can't read it: invalid syntax")),
        ("extras", 0.4, ("AZP509", "info", "more requirements than are read")),
        ("texts", 0.1, ("AZP602", "info", "were not searched for secrets")),
    ],
)
def test_what_is_not_checked_is_said(
    name: str, share: float, said: Sequence[str], tmp_path: Path
) -> None:
    code, severity, message = said
    package = write_hostile(tmp_path / "app.zip", name, share=share)
    findings = check_answer(azpack("inspect", package, "--json"))
    assert any(
        (found["code"], found["severity"]) == (code, severity) and message in found["message"]
        for found in findings
    )


@pytest.mark.parametrize("inner", [b"[" * 100_000, b'{"a": ' * 100_000, b"[0," * (30 << 20)])
def test_manifest_beside_it(inner: bytes, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    manifest = b'{\n  "created_by": "azpack 0",\n  "x": ' + inner
    (tmp_path / "app.manifest.json").write_bytes(manifest)
    assert check_answer(azpack("inspect", package, "--json")) == []


def test_funcignore_of_many_patterns(tmp_path: Path) -> None:
    for path, content in APP.items():
        (tmp_path / path).write_bytes(content)
    patterns = "".join(f"a{at}*b{at}*c\n" for at in range(2_000))
    (tmp_path / ".funcignore").write_text(patterns)
    check_answer(azpack("check", tmp_path, "--json"))
