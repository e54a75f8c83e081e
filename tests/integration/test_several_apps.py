"""`build` for several apps at once."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    links = tmp_path / "links"
    make_wheel(links, "alpha")
    return Azpack(tmp_path, AZPACK_NO_INDEX="1", AZPACK_FIND_LINKS=str(links), AZPACK_PYTHON="3.12")


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    folder = tmp_path / "apps"
    make_app(folder / "one", "alpha")
    make_app(folder / "deep" / "two", "alpha")
    return folder


def test_apps_by_name(azpack: Azpack, apps: Path) -> None:
    done = azpack.run("build", "one", "deep/two", "one/", cwd=apps)
    assert done.code == 0, done.stderr
    head, *lines = done.stdout.decode().splitlines()
    assert head.startswith("built 2 apps in ")
    assert [line.split()[0] for line in lines] == ["one", "two"]
    assert [line.split()[-1] for line in lines] == ["one/dist/one.zip", "deep/two/dist/two.zip"]
    assert "one:\n" in done.stderr
    assert "two:\n" in done.stderr
    with zipfile.ZipFile(apps / "deep/two/dist/two.zip") as package:
        assert ".python_packages/lib/site-packages/alpha.py" in package.namelist()


def test_all_apps_below(azpack: Azpack, apps: Path, tmp_path: Path) -> None:
    for arguments, cwd in (([], apps), (["apps"], tmp_path), (["apps/one", "apps"], tmp_path)):
        done = azpack.run("build", "--all", *arguments, "--json", cwd=cwd)
        rows = done.data()["builds"]
        assert {row["project"] for row in rows} == {str(apps / "one"), str(apps / "deep/two")}
        assert {row["status"] for row in rows} == {"ok"}
        for row in rows:
            assert [it["name"] for it in row["data"]["distributions"]] == ["alpha"]
    azpack.run("build", "--all", apps / "links", "--json").error(2, "no-such-folder")


def test_an_output_is_a_folder_for_all(azpack: Azpack, apps: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = azpack.run("build", "--all", apps, "-o", out, "-q")
    assert done.stdout.decode().splitlines() == [str(out / "two.zip"), str(out / "one.zip")]
    names = {"one.zip", "one.manifest.json", "one.settings.json"}
    assert names <= {path.name for path in out.iterdir()}
    done = azpack.run("build", "--all", apps, "--json", environment={"AZPACK_OUTPUT": str(out)})
    assert done.data()["builds"][0]["data"]["package"]["path"] == str(out / "two.zip")
    for output in ("-", out / "one.zip"):
        done = azpack.run("build", "--all", apps, "-o", output, "--json")
        done.error(2, "one-output-for-several")
    done = azpack.run("build", "--all", apps, "--sbom", out / "x.cdx.json", "--json")
    done.error(2, "one-output-for-several")


def test_apps_of_the_same_name(azpack: Azpack, apps: Path, tmp_path: Path) -> None:
    make_app(apps / "deep" / "one", "alpha")
    done = azpack.run("build", "--all", "-o", tmp_path / "out", "-q", cwd=apps)
    assert [line.rpartition("/")[2] for line in done.stdout.decode().splitlines()] == [
        "deep-one.zip", "two.zip", "one.zip",
    ]  # fmt: skip


def test_one_that_fails_does_not_stop_the_others(azpack: Azpack, apps: Path) -> None:
    (apps / "deep/two/requirements.txt").write_text("missing\n")
    done = azpack.run("build", "--all", apps, "--mode", "local")
    assert done.code == 3
    head, *lines = done.stdout.decode().splitlines()
    assert head.startswith("built 1 of 2 apps in ")
    assert lines[0] == "  two  failed   no-solution (exit code 3)"
    assert lines[1].startswith("  one ")
    assert "error: requirements.txt:1 (missing) can't be resolved" in done.stderr

    done = azpack.run("build", "--all", apps, "--mode", "local", "--json")
    table = json.loads(done.stdout)
    assert (table["status"], table["exit_code"], done.code) == ("error", 3, 3)
    assert [error["code"] for error in table["errors"]] == ["no-solution"]
    failed, built = table["data"]["builds"]
    assert (failed["status"], failed["exit_code"]) == ("error", 3)
    assert failed["errors"] == table["errors"]
    assert (built["status"], built["exit_code"], built["errors"]) == ("ok", 0, [])


def test_one_with_an_error_among_its_findings(azpack: Azpack, apps: Path) -> None:
    (apps / "one/host.json").write_text("{")
    done = azpack.run("build", "--all", apps, "--json")
    table = json.loads(done.stdout)
    assert (table["status"], done.code, table["errors"]) == ("findings", 1, [])
    rows = {row["project"].rpartition("/")[2]: row for row in table["data"]["builds"]}
    assert rows["one"]["status"] == "findings"
    assert [it["code"] for it in rows["one"]["data"]["findings"]] == ["AZP102"]
    assert rows["two"]["status"] == "ok"


def test_the_plans_of_all(azpack: Azpack, apps: Path) -> None:
    done = azpack.run("build", "--all", "--dry-run", cwd=apps)
    lines = done.stdout.decode().splitlines()
    assert sum(line.startswith("would build ") for line in lines) == 2
    assert not (apps / "one/dist").exists()


def test_one_of_them_is_no_app(azpack: Azpack, apps: Path) -> None:
    azpack.run("build", "one", "deep", "--json", cwd=apps).error(2, "no-host-json")
    assert not (apps / "one/dist").exists()
