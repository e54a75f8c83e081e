"""Mode remote: whether the platform's pip finds on its indexes what was resolved here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.uv import find_uv
from tests.commands import Azpack, make_app
from tests.distributions import make_sdist, make_wheel
from tests.integration.test_remote_build import LIBRARY, REMOTE, TOKEN, published_settings
from tests.servers import Form, IndexServer

if TYPE_CHECKING:
    from tests.platform_build import PlatformPip

ALONE = LIBRARY | {"lib/pyproject.toml": LIBRARY["lib/pyproject.toml"].replace('"common"', "")}


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, FEED_TOKEN=TOKEN)


def settings_of(data: Any) -> dict[str, str]:
    return published_settings(data, {})


# Files that no index lists which pip there is to ask.


@pytest.mark.parametrize("others", ["none", "main", "extra"])
def test_a_lock_whose_index_is_not_named(azpack: Azpack, tmp_path: Path, others: str) -> None:
    make_wheel(tmp_path / "private", "minexyz")
    make_wheel(tmp_path / "other", "unrelated")
    app = make_app(tmp_path / "app", "minexyz\n")
    options = ("--python", "3.11")
    with IndexServer(tmp_path / "private") as private, IndexServer(tmp_path / "other") as other:
        assert azpack.run("lock", app, *options, "--extra-index-url", private.url).code == 0
        named = {"none": [], "main": ["--index-url"], "extra": ["--extra-index-url"]}[others]
        more = [*named, other.url] if named else []
        finding = azpack.run(*REMOTE, app, *options, *more).findings()["AZP404"]
        assert (other.url in finding["message"]) is bool(named)
        # A mirror has the same file.
        shutil.copytree(tmp_path / "private", tmp_path / "mirror")
        with IndexServer(tmp_path / "mirror") as mirror:
            assert (
                azpack.run(
                    *REMOTE, app, *options, *more, "--find-links", f"{mirror.url}/minexyz/"
                ).code
                == 0
            )
    assert "minexyz-1.0-py3-none-any.whl is from 127.0.0.1" in finding["message"]
    assert "--extra-index-url" in finding["hint"]


@pytest.mark.parametrize("hashed", [True, False])
def test_a_version_that_the_index_has_no_more(azpack: Azpack, tmp_path: Path, hashed: bool) -> None:
    wheel = make_wheel(tmp_path / "index", "mine")
    app = make_app(tmp_path / "app", "mine\n" if hashed else "mine\n./lib\n", files=ALONE)
    with IndexServer(tmp_path / "index") as index:
        options = ("--python", "3.11", "--index-url", index.url)
        assert azpack.run("lock", app, *options).code == 0
        make_wheel(tmp_path / "index", "mine", "2.0")
        wheel.unlink()
        finding = azpack.run(*REMOTE, app, *options).findings()["AZP404"]
    assert f"{index.url} does not list it" in finding["message"]


def test_another_file_of_the_same_name(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "mine")
    app = make_app(tmp_path / "app", "mine\n")
    with IndexServer(tmp_path / "index") as index:
        options = ("--python", "3.11", "--index-url", index.url)
        assert azpack.run("lock", app, *options).code == 0
        make_wheel(tmp_path / "index", "mine", files={"mine.py": b"other"})
        assert "AZP404" in azpack.run(*REMOTE, app, *options).findings()


UV = """
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
dependencies = ["minexyz", "idna"]
[[tool.uv.index]]
name = "feed"
url = "{url}"
{more}
"""


@pytest.mark.parametrize(
    "more",
    ["", 'explicit = true\n[tool.uv.sources]\nminexyz = { index = "feed" }\n'],
    ids=["extra", "explicit"],
)
@pytest.mark.parametrize("lock", ["", "uv.lock", "pylock.toml"])
def test_an_index_of_uv(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip], lock: str, more: str
) -> None:
    make_wheel(tmp_path / "private", "minexyz")
    with IndexServer(tmp_path / "private") as private:
        pyproject = UV.format(url=private.url, more=more)
        app = make_app(tmp_path / "app", None, files={"pyproject.toml": pyproject})
        if lock:
            run_uv(azpack, app, "lock")
        if lock == "pylock.toml":
            run_uv(azpack, app, "export", "--no-emit-project", "--format", lock, "-o", lock)
            (app / "uv.lock").unlink()
        data = azpack.run(*REMOTE, app, "--python", "3.11").data()
        assert settings_of(data) == {"PIP_EXTRA_INDEX_URL": private.url}
        by_name = {row["name"]: row["index"] for row in data["distributions"]}
        assert by_name == {"idna": "https://pypi.org/simple", "minexyz": private.url}
        installed = pips["3.11"].build(
            Path(data["package"]["path"]), settings_of(data), tmp_path / "there"
        )
    assert installed.keys() == by_name.keys()


def run_uv(azpack: Azpack, app: Path, *arguments: str) -> None:
    subprocess.run(
        [find_uv(), *arguments, "--quiet", "--python", sys.executable],
        cwd=app, env=azpack.environment, check=True,
    )  # fmt: skip


def test_the_default_index_of_uv(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "private", "minexyz")
    make_wheel(tmp_path / "private", "idna", "0.1")
    with IndexServer(tmp_path / "private", user="me", password=TOKEN) as private:
        url = private.url_as("me", "${FEED_TOKEN}")
        files = {"pyproject.toml": UV.format(url=url, more="default = true\n")}
        app = make_app(tmp_path / "app", None, files=files)
        data = azpack.run(*REMOTE, app, "--python", "3.11").data()
        rows = json.loads((app / "dist/app.settings.json").read_bytes())
    assert {row["version"] for row in data["distributions"]} == {"1.0", "0.1"}
    assert [(row["name"], row["value"]) for row in rows] == [("PIP_INDEX_URL", url)]


# Files that pip there takes for those that were resolved.


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_a_twin_that_pip_likes_better(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip], python: str
) -> None:
    """A hash decides pip's choice only where the page of the pinned file has it."""
    make_sdist(tmp_path / "private", "mine")
    make_wheel(tmp_path / "public", "mine")
    with IndexServer(tmp_path / "private") as private, IndexServer(tmp_path / "public") as public:
        app = make_app(tmp_path / "app", "mine\n")
        options = ("--python", python, "--index-url", public.url, "--extra-index-url", private.url)
        data = azpack.run(*REMOTE, app, *options).data()
        package = Path(data["package"]["path"])
        assert pips[python].build(package, settings_of(data), tmp_path / "there")
        assert [it["severity"] for it in data["findings"] if it["code"] == "AZP413"] == ["info"]
        private.form = Form(hashes=False)
        finding = azpack.run(*REMOTE, app, *options).findings()["AZP413"]
        with pytest.raises(AssertionError, match="HASHES"):
            pips[python].build(package, settings_of(data), tmp_path / "again")
    assert finding["severity"] == "error"
    assert f"mine-1.0-py3-none-any.whl from {public.url}" in finding["message"]


def test_a_twin_with_a_local_version(azpack: Azpack, tmp_path: Path) -> None:
    """To pip `==1.0` is 1.0+anything too, and that is the better one."""
    make_wheel(tmp_path / "private", "common", "1.0")
    make_wheel(tmp_path / "public", "common", "1.0+evil")
    with IndexServer(tmp_path / "private") as private, IndexServer(tmp_path / "public") as public:
        options = ("--python", "3.11", "--index-url", public.url, "--extra-index-url", private.url)
        app = make_app(tmp_path / "app", "common==1.0\n./lib\n", files=ALONE)
        finding = azpack.run(*REMOTE, app, *options).findings()["AZP413"]
        hashed = make_app(tmp_path / "hashed", "common==1.0\n")
        assert azpack.run(*REMOTE, hashed, *options).code == 0
    assert finding["severity"] == "error"
    assert "1.0+evil" in finding["message"]


# Places that only this machine can use.


def test_links_on_a_server(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "minexyz")
    with IndexServer(tmp_path / "links", user="me", password="s3cretpassword") as links:
        app = make_app(tmp_path / "app", "minexyz\n")
        options = (app, "--python", "3.11", "--find-links")
        page = links.url_as("me", "s3cretpassword") + "/minexyz/"
        finding = azpack.run(*REMOTE, *options, page).findings()["AZP414"]
        assert finding["severity"] == "error"
        assert f"{links.url}/minexyz/" in finding["message"]
        page = links.url_as("me", "${LINKS}") + "/minexyz/"
        done = azpack.run(*REMOTE, *options, page, environment={"LINKS": "s3cretpassword"})
        rows = json.loads((app / "dist/app.settings.json").read_bytes())
        assert [(row["name"], row["value"]) for row in rows] == [("PIP_FIND_LINKS", page)]
        assert done.data()["findings"] == []
        assert azpack.run("lock", *options, page, environment={"LINKS": "s3cretpassword"}).code == 0
        down = "http://127.0.0.1:1/links"
        error = azpack.run(*REMOTE, *options, down).error(5, "index-unreachable")
        assert down in error["message"]


def test_a_file_that_only_netrc_opens(azpack: Azpack, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index", "minexyz")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cretpassword\n")
    (tmp_path / "netrc").chmod(0o600)
    environment = {"NETRC": str(tmp_path / "netrc")}
    with IndexServer(tmp_path / "index", user="me", password="s3cretpassword") as index:
        url = index.file_url(wheel.name)
        app = make_app(tmp_path / "app", f"minexyz @ {url}\nidna==3.10\n")
        done = azpack.run(*REMOTE, app, "--python", "3.11", environment=environment)
        message = done.findings()["AZP404"]["message"]
        assert f"no password for {url}" in message
        assert azpack.run("lock", app, "--python", "3.11", environment=environment).code == 0
        index.password = ""
        data = azpack.run(*REMOTE, app, "--python", "3.11", environment=environment).data()
        assert data["findings"] == []


def test_an_index_without_tls(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "minexyz")
    with IndexServer(tmp_path / "index") as index:
        app = make_app(tmp_path / "app", "minexyz\n")
        # All of 127.0.0.0/8 is secure to pip; 0.0.0.0 leads there, and is not of it.
        url = index.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104  # nobody listens there
        nowhere = {"NO_PROXY": "*", "no_proxy": "*"}
        options = ("--python", "3.11", "--index-url", url)
        done = azpack.run(*REMOTE, app, *options, environment=nowhere)
        finding = done.findings()["AZP414"]
        assert finding["severity"] == "error"
        assert f"{url}: it has no TLS" in finding["message"]
        host = url.split("/")[2].partition(":")[0]
        trusting: list[tuple[str, dict[str, str]]] = [
            (f"--trusted-host {host}\n", {}),
            ("", {"PIP_TRUSTED_HOST": host}),
        ]
        for line, environment in trusting:
            (app / "requirements.txt").write_text(f"{line}minexyz\n")
            done = azpack.run(*REMOTE, app, *options, environment=nowhere | environment)
            assert settings_of(done.data())["PIP_TRUSTED_HOST"] == host


# What is built there, without an index.


def test_builds_without_an_index(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]
) -> None:
    """What a build needs is on PyPI; where nothing else can come from there, pip may ask it."""
    lines = "./lib\nvend\n--no-index\n--find-links vendor\n"
    app = make_app(tmp_path / "app", lines, files=ALONE)
    make_wheel(app / "vendor", "vend")
    data = azpack.run(*REMOTE, app, "--python", "3.11").data()
    assert settings_of(data) == {}
    installed = pips["3.11"].build(Path(data["package"]["path"]), {}, tmp_path / "there")
    assert installed == {"lib": "1", "vend": "1.0"}
    done = azpack.run(*REMOTE, app, "--python", "3.11", "--no-pin")
    assert "can't build lib" in done.findings()["AZP404"]["message"]
    (app / "requirements.txt").write_text(lines.replace("./lib\n", ""))
    data = azpack.run(*REMOTE, app, "--python", "3.11").data()
    assert settings_of(data) == {"PIP_NO_INDEX": "1"}


def test_builds_of_what_a_name_alone_fixes(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "vend")
    with IndexServer(tmp_path / "links") as links:
        lines = f"./lib\nvend\n--no-index\n--find-links {links.url}/vend/\n"
        app = make_app(tmp_path / "app", lines, files=ALONE)
        found = azpack.run(*REMOTE, app, "--python", "3.11").findings()
    assert "--no-index" in found["AZP404"]["message"]
