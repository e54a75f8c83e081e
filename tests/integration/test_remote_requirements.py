"""Mode remote: requirements and settings that pip on the platform reads otherwise than azpack."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel
from tests.integration.test_remote_build import LIBRARY, REMOTE, codes
from tests.servers import IndexServer

if TYPE_CHECKING:
    from tests.platform_build import PlatformPip

TOKEN = "requ1rements/+%@e"
ALONE = LIBRARY | {"lib/pyproject.toml": LIBRARY["lib/pyproject.toml"].replace('"common"', "")}


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, FEED_TOKEN=TOKEN)


def test_an_override_of_uv(azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]) -> None:
    make_wheel(tmp_path / "index", "a", requires=["b<2"])
    make_wheel(tmp_path / "index", "b", "2.0")
    pyproject = (
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["a", "b"]\n'
        '[tool.uv]\noverride-dependencies = ["b==2.0"]\n'
    )
    app = make_app(tmp_path / "app", None, files={"pyproject.toml": pyproject, **ALONE})
    with IndexServer(tmp_path / "index") as index:
        options = ("--python", "3.11", "--index-url", index.url)
        azpack.run(*REMOTE, app, *options).data()
        rows = json.loads((app / "dist/app.settings.json").read_bytes())
        settings = {row["name"]: row["value"] for row in rows}
        installed = pips["3.11"].build(app / "dist/app.zip", settings, tmp_path / "there")
        assert installed == {"a": "1.0", "b": "2.0"}
        # What is built there would go by that setting too.
        sources = '[tool.uv.sources]\nlib = { path = "lib" }\n'
        text = pyproject.replace('"b"]\n', '"b", "lib"]\n') + sources
        (app / "pyproject.toml").write_text(text)
        finding = azpack.run(*REMOTE, app, *options).findings()["AZP404"]
    assert "b==2.0 of [tool.uv]" in finding["message"]


@pytest.mark.parametrize("line", ["-e ./lib", "-e ."])
def test_unpinned_editable(azpack: Azpack, tmp_path: Path, line: str) -> None:
    files = ALONE | {"pyproject.toml": ALONE["lib/pyproject.toml"], "lib.py": ""}
    app = make_app(tmp_path / "app", f"idna==3.10\n{line}\n", files=files)
    finding = azpack.run(*REMOTE, app, "--python", "3.13", "--no-pin").findings()["AZP404"]
    assert "editable" in finding["message"]
    assert (finding["path"], finding["line"]) == ("requirements.txt", 2)


def test_a_poetry_project(azpack: Azpack, tmp_path: Path) -> None:
    pyproject = '[tool.poetry]\nname = "app"\n[tool.poetry.dependencies]\nidna = "*"\n'
    app = make_app(tmp_path / "app", None, files={"pyproject.toml": pyproject})
    done = azpack.run(*REMOTE, app, "--python", "3.13")
    finding = done.findings()["AZP410"]
    assert (finding["severity"], finding["path"]) == ("error", "pyproject.toml")
    assert "poetry lock" in done.stderr
    # A list that pip reads stands before it, here and on the platform.
    (app / "requirements.txt").write_text("")
    assert azpack.run(*REMOTE, app, "--python", "3.13").code == 0


@pytest.mark.parametrize("name", ["pyproject.toml", "azpack.toml"])
def test_a_password_in_the_configuration_does_not_go_along(
    azpack: Azpack, tmp_path: Path, name: str
) -> None:
    url = "https://me:s3cretpassword@feed.example/simple"
    text = f'extra-index-url = ["{url}"]\n'
    if name == "pyproject.toml":
        text = f'[[tool.uv.index]]\nname = "feed"\nurl = "{url}"\n'
    app = make_app(tmp_path / "app", "", files={name: text})
    done = azpack.run(*REMOTE, app, "--python", "3.11")
    assert done.findings()["AZP405"]["path"] == name
    assert "s3cretpassword" not in done.stderr + done.stdout.decode()
    (app / ".funcignore").write_text(f"{name}\n")
    assert azpack.run(*REMOTE, app, "--python", "3.11").code == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_password_in_another_encoding(azpack: Azpack, tmp_path: Path, encoding: str) -> None:
    text = "# https://me:s3cretpassword@feed.example/simple\nidna==3.10\n"
    app = make_app(tmp_path / "app", text.encode(encoding))
    found = azpack.run(*REMOTE, app, "--python", "3.13", "--no-pin").findings()
    assert (found["AZP405"]["path"], found["AZP405"]["line"]) == ("requirements.txt", 1)


@pytest.mark.parametrize("option", [(), ("--no-pin",)])
def test_a_signature_in_a_url(azpack: Azpack, tmp_path: Path, option: tuple[str, ...]) -> None:
    wheel = make_wheel(tmp_path / "index", "minexyz")
    with IndexServer(tmp_path / "index") as index:
        url = f"{index.file_url(wheel.name)}?sv=2024&sig=S3cretSignature"
        app = make_app(tmp_path / "app", f"minexyz @ {url}\n")
        done = azpack.run(*REMOTE, app, "--python", "3.11", *option)
        assert done.findings()["AZP405"]["path"] == "requirements.txt"
        links = f"{index.url}/minexyz/?sv=2024&sig=S3cretSignature"
        (app / "requirements.txt").write_text("minexyz\n")
        options = ("--python", "3.11", "--find-links", links, *option)
        more = azpack.run(*REMOTE, app, *options, "-v")
    assert "PIP_FIND_LINKS" in more.findings()["AZP405"]["message"]
    for ended in (done, more):
        assert "S3cretSignature" not in ended.stderr + ended.stdout.decode()


def test_variables_in_comments_are_no_settings(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "# as in ${HOME}/x, ${PATH}\nidna==3.10 # ${USER}\n")
    azpack.run(*REMOTE, app, "--python", "3.11", "--no-pin").data()
    assert json.loads((app / "dist/app.settings.json").read_bytes()) == []


def test_a_variable_that_pip_does_not_read(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "minexyz")
    with IndexServer(tmp_path / "index", user="me", password="s3cretpassword") as index:
        line = index.url_as("me", "${feed_token}")
        app = make_app(tmp_path / "app", f"--index-url {line}\nminexyz==1.0\n")
        environment = {"feed_token": "s3cretpassword"}
        done = azpack.run(*REMOTE, app, "--python", "3.11", "--no-pin", environment=environment)
    assert "${feed_token}" in done.findings()["AZP414"]["message"]
    assert "${FEED_TOKEN}" in done.findings()["AZP414"]["hint"]


def test_the_published_command_makes_urls_of_any_password(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]
) -> None:
    make_wheel(tmp_path / "index", "mine")
    with IndexServer(tmp_path / "index", user="me", password=TOKEN) as index:
        app = make_app(tmp_path / "app", "mine\n")
        url = index.url_as("me", "${FEED_TOKEN}")
        data = azpack.run(*REMOTE, app, "--python", "3.11", "--index-url", url).data()
        command = json.loads(Path(data["manifest"]).read_bytes())["publish"]["az"].split(" | ")[0]
        filled = subprocess.run(
            ["bash", "-c", command], cwd=app / "dist", check=True, capture_output=True,
            env={**os.environ, "FEED_TOKEN": TOKEN},
        )  # fmt: skip
        settings = {row["name"]: row["value"] for row in json.loads(filled.stdout)}
        package = Path(data["package"]["path"])
        assert pips["3.11"].build(package, settings, tmp_path / "there") == {"mine": "1.0"}


def test_a_folder_whose_name_has_a_space(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]
) -> None:
    files = {name.replace("lib/", "my lib/"): it for name, it in ALONE.items()}
    app = make_app(tmp_path / "app", "./my lib\n", files=files)
    data = azpack.run(*REMOTE, app, "--python", "3.11").data()
    assert "AZP404" not in codes(data)
    package = Path(data["package"]["path"])
    assert pips["3.11"].build(package, {}, tmp_path / "there") == {"lib": "1"}


def test_a_part_of_a_folder_is_left_out(azpack: Azpack, tmp_path: Path) -> None:
    files = ALONE | {".funcignore": "lib/*.py\n"}
    app = make_app(tmp_path / "app", "./lib\n", files=files)
    data = azpack.run(*REMOTE, app, "--python", "3.11").data()
    (finding,) = [row for row in data["findings"] if row["code"] == "AZP404"]
    assert (finding["severity"], finding["path"]) == ("warning", "lib/lib.py")
    assert ".funcignore:1" in finding["message"]


def test_nothing_in_the_package_is_named_by_its_place_here(azpack: Azpack, tmp_path: Path) -> None:
    files = {f"../{name}": text for name, text in ALONE.items()}
    app = make_app(tmp_path / "app", "-e ../lib\n", files=files)
    data = azpack.run(*REMOTE, app, "--python", "3.11", "--no-check").data()
    with zipfile.ZipFile(data["package"]["path"]) as package:
        text = package.read("requirements.txt").decode()
    assert text.splitlines()[-1] == "../lib"
    assert str(tmp_path) not in text


def test_a_folder_in_the_place_of_the_file(azpack: Azpack, tmp_path: Path) -> None:
    pyproject = '[project]\nname = "app"\nversion = "1"\n'
    files = {"requirements.txt/base.txt": "", "pyproject.toml": pyproject}
    app = make_app(tmp_path / "app", None, files=files)
    done = azpack.run(*REMOTE, app, "--python", "3.11", "-r", "pyproject.toml")
    done.error(2, "requirements-is-a-folder")


def test_companions_that_can_not_be_written(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "")
    assert azpack.run(*REMOTE, app).code == 0
    before = (app / "dist/app.zip").read_bytes()
    (app / "dist/app.settings.json").unlink()
    (app / "dist/app.settings.json").mkdir()
    (app / "new.py").touch()
    azpack.run(*REMOTE, app).error(6, "companion-is-a-folder")
    assert (app / "dist/app.zip").read_bytes() == before


def test_what_is_said_where_there_is_no_manifest(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "mine")
    with IndexServer(tmp_path / "index") as index:
        app = make_app(tmp_path / "app", "mine\n")
        options = (app, "--python", "3.11", "--index-url", index.url)
        done = azpack.run("build", "--mode", "remote", *options, "-o", "-")
        plan = azpack.run("build", "--mode", "remote", *options, "--dry-run")
    assert f"app setting to be set: PIP_INDEX_URL={index.url}" in done.stderr
    shown = plan.stdout.decode()
    assert "the platform installs 1 distribution of requirements.txt, with hashes" in shown
    assert f"  setting   PIP_INDEX_URL={index.url}\n" in shown
