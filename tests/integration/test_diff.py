"""`azpack diff` as a user runs it, of packages that azpack and others made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import Azpack
from tests.distributions import make_wheel
from tests.fixture_apps import copy_app
from tests.packages import APP, raw_zip, write_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of a fixture app, with a dependency that was bumped and one rewritten."""
    top = tmp_path_factory.mktemp("packages")
    azpack, app = Azpack(top), copy_app("v2-blueprint", top)
    wheels = [top / "wheels-1", top / "wheels-2"]
    for folder in wheels:
        folder.mkdir()
        make_wheel(folder, "azure-functions")
        make_wheel(folder, "idna", "3.1")
    make_wheel(wheels[0], "requests", "2.32.1", requires=["idna"])
    make_wheel(wheels[1], "requests", "2.32.2", requires=["idna"])
    make_wheel(wheels[1], "idna", "3.1", files={"idna.py": b"REWRITTEN = True\n"})

    def build(number: int, *options: str) -> Path:
        package = top / f"{number}" / "app.zip"
        package.parent.mkdir()
        done = azpack.run(
            "build", app, "--no-index", "--find-links", wheels[number - 1], "--output", package,
            *options,
        )  # fmt: skip
        assert done.code == 0, done.stderr
        return package

    old = build(1, "--python", "3.11")
    probes = (app / "probes.py").read_text(encoding="utf-8")
    probes = probes.replace('route="probe"', 'route="check"').replace("*/5", "*/10")
    (app / "probes.py").write_text(probes, encoding="utf-8")
    (app / "sites.py").rename(app / "places.py")
    host = json.loads((app / "host.json").read_text(encoding="utf-8"))
    host["functionTimeout"] = "00:10:00"
    (app / "host.json").write_text(json.dumps(host), encoding="utf-8")
    azpack.forget()
    return old, build(2, "--python", "3.12", "--plan", "premium", "--no-check")


def rows(data: Any, name: str, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in keys) for row in data[name]]


def test_two_versions_of_an_app(azpack: Azpack, packages: tuple[Path, Path]) -> None:
    data = azpack.run("diff", *packages, "--json").data()
    assert (data["differs"], data["same_content"]) == (True, False)
    assert rows(data, "functions", "name", "change") == [
        ("probe", "changed"), ("probe_all", "changed"),
    ]  # fmt: skip
    assert data["functions"][0]["values"] == [
        {"name": "route", "old": "/api/probe", "new": "/api/check"}
    ]
    assert data["functions"][1]["values"][0]["name"] == "trigger.schedule"
    assert rows(data, "distributions", "name", "change", "files_changed") == [
        ("idna", "changed", 2), ("requests", "changed", 1),
    ]  # fmt: skip
    idna, requests = data["distributions"]
    assert (idna["old"]["version"], idna["new"]["version"]) == ("3.1", "3.1")
    assert (requests["old"]["version"], requests["new"]["version"]) == ("2.32.1", "2.32.2")
    own = [(row["path"], row["change"]) for row in data["files"] if not row["distribution"]]
    assert own == [
        ("host.json", "changed"), ("places.py", "added"), ("probes.py", "changed"),
        ("sites.py", "removed"),
    ]  # fmt: skip
    assert rows(data, "host_json", "name", "old", "new") == [("functionTimeout", None, "00:10:00")]
    target = {row["name"]: (row["old"], row["new"]) for row in data["target"]}
    assert target["Python"] == ("3.11", "3.12")
    assert target["plan"] == ("flex", "premium")
    assert {"name": "WEBSITE_RUN_FROM_PACKAGE", "old": "must not be set", "new": "1"} in (
        data["app_settings"]
    )
    assert {row["code"] for row in data["new_findings"]} == {"AZP403"}  # sites is imported still
    assert data["old"]["content_digest"] != data["new"]["content_digest"]
    assert data["unknown"] == []


def test_text(azpack: Azpack, packages: tuple[Path, Path]) -> None:
    done = azpack.run("diff", *packages)
    lines = done.stdout.decode().splitlines()
    assert done.code == 0
    assert done.stderr == ""
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "functions: 2 changed" in lines
    assert any(line.split()[:4] == ["~", "requests", "2.32.1", "->"] for line in lines)
    whole = azpack.run("diff", *packages, "-v").stdout.decode()
    assert "  ~  .python_packages/lib/site-packages/idna.py  " in whole
    quiet = azpack.run("diff", *packages, "--quiet").stdout.decode()
    assert quiet.count("\n") == 1
    assert "2 functions, 2 distributions and 4 files of the app changed" in quiet


def test_markdown(azpack: Azpack, packages: tuple[Path, Path]) -> None:
    done = azpack.run("diff", *packages, "--format", "markdown")
    lines = done.stdout.decode().splitlines()
    assert done.code == 0
    assert lines[0] == "### <code>app.zip</code> to <code>app.zip</code>"
    assert "**functions: 2 changed**" in lines


def test_the_exit_code(azpack: Azpack, packages: tuple[Path, Path]) -> None:
    old, new = packages
    assert azpack.run("diff", old, new).code == 0
    assert azpack.run("diff", old, new, "--exit-code").code == 1
    assert azpack.run("diff", old, old, "--exit-code").code == 0
    done = azpack.run("diff", old, new, "--exit-code", "--json")
    envelope = json.loads(done.stdout)
    assert (done.code, envelope["exit_code"], envelope["status"]) == (1, 1, "findings")
    assert envelope["data"]["differs"] is True
    assert envelope["errors"] == []


def test_the_same_content_by_another_program(
    azpack: Azpack, packages: tuple[Path, Path], tmp_path: Path
) -> None:
    old, _ = packages
    made = tmp_path / "made.zip"
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(made, "w") as target:
        for entry in reversed(source.infolist()):
            content = source.read(entry)
            entry.compress_type, entry.date_time = zipfile.ZIP_STORED, (2024, 5, 6, 7, 8, 10)
            target.writestr(entry, content)
    done = azpack.run("diff", old, made, "--exit-code", "-q")
    assert (done.code, done.stdout.decode()) == (
        0,
        "the same content; the zips differ in the order of entries, their times and compression\n",
    )
    shutil.copy(old, made)
    assert azpack.run("diff", old, made, "-q").stdout == b"the same bytes\n"
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(old) as source:
        source.extractall(folder)
    made.unlink()
    names = sorted(path.name for path in folder.iterdir())
    subprocess.run([sys.executable, "-m", "zipfile", "-c", made, *names], cwd=folder, check=True)
    data = azpack.run("diff", old, made, "--json").data()
    assert (data["same_content"], data["functions"], data["distributions"]) == (True, [], [])


def test_errors(azpack: Azpack, tmp_path: Path) -> None:
    good = write_package(tmp_path / "good.zip", APP)
    bad = tmp_path / "bad.zip"
    bad.write_bytes(good.read_bytes()[:-9])
    (tmp_path / "empty.zip").write_bytes(b"")
    for one, other in ((good, bad), (bad, good)):
        error = azpack.run("diff", one, other, "--json").error(6, "bad-zip")
        assert "bad.zip" in error["message"]
    azpack.run("diff", good, tmp_path / "none.zip", "--json").error(6, "unreadable")
    azpack.run("diff", good, tmp_path, "--json").error(6, "not-a-file")
    azpack.run("diff", good, tmp_path / "empty.zip", "--json").error(6, "bad-zip")
    azpack.run("diff", good, "--json").error(2, "usage")
    azpack.run("diff", good, good, "--format", "sarif", "--json").error(2, "usage")
    azpack.run("diff", good, good, "--format", "markdown", "--json").error(2, "contradiction")
    azpack.run("diff", good, good, "--ignore", "AZP999", "--json").error(2, "unknown-rule")
    assert azpack.run("diff", good, good, "--json", "--format", "json").code == 0


def test_the_rules_that_the_project_chose(azpack: Azpack, tmp_path: Path) -> None:
    old = write_package(tmp_path / "old.zip", APP)
    new = write_package(tmp_path / "new.zip", {**APP, "host.json": b"{"})
    project = tmp_path / "project"
    project.mkdir()
    (project / "host.json").write_text("{}", encoding="utf-8")
    (project / "azpack.toml").write_text('[check]\nformat = "github"\n', encoding="utf-8")

    def found(*options: str) -> list[str]:
        done = azpack.run(
            "diff", old, new, "--json", *options, cwd=project, environment={"AZPACK_IGNORE": ""}
        )
        return [row["code"] for row in done.data()["new_findings"]]

    assert found() == ["AZP102"]
    (project / "azpack.toml").write_text('[check]\nignore = ["AZP102"]\n', encoding="utf-8")
    assert found() == []
    assert found("--ignore", "AZP5") == ["AZP102"]


def test_zips_with_nothing_in_common(azpack: Azpack, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(raw_zip([]))
    names = [b"f%d\xff" % number for number in range(200)] + [b"..", b"a\x1b[31m", b"x\\y"]
    (tmp_path / "b.zip").write_bytes(raw_zip([(name, name * 2) for name in names]))
    for form in ("text", "markdown", "json"):
        done = azpack.run("diff", tmp_path / "a.zip", tmp_path / "b.zip", "--format", form)
        assert (done.code, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout.decode()
