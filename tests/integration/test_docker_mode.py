"""Packages whose distributions are compiled in a container, by a real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps import workshop
from azpack.deps.container import BuildContainer
from azpack.deps.image import PLATFORM, find_image
from azpack.deps.index import find_indexes
from azpack.progress import Progress
from tests.commands import make_app
from tests.container_site import GATE, ContainerSite, manifest_of, wait_until
from tests.distributions import make_sdist, make_wheel
from tests.leaks import CommandLines, forms_of, places_that_tell
from tests.native_code import SHARED_LIBRARY, native_files
from tests.relay import EngineRelay

if TYPE_CHECKING:
    from azpack.deps.engine import Engine

DOCKER = ("--mode", "docker")
GRAFTED: dict[str, Any] = {
    "before": "int deep_thought(void);",
    "value": "deep_thought()",
    "options": ["-ldeep"],
}
PLUS = {
    "language": "cpp",
    "before": "#include <string>",
    "value": "(long)std::string(42, 'x').size()",
}
VALUE = "v4lue-of-a-variable"


def rows(data: Any) -> dict[str, Any]:
    return {row["name"]: row for row in data["distributions"]}


def sources(data: Any) -> dict[str, str]:
    return {row["name"]: row["source"] for row in data["distributions"]}


def made_repository(folder: Path, git: str) -> str:
    """A repository of a distribution with native code; returns its URL."""
    for name, text in native_files("cloned").items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    me = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "one"]):
        subprocess.run([git, *command], cwd=folder, check=True)
    return f"git+file://{folder}"


# What is built, and runs elsewhere.


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_all_kinds_of_sources(site: ContainerSite, git: str, python: str) -> None:
    site.add("grafted", **GRAFTED)
    site.add("plus", **PLUS)
    make_sdist(site.links, "pure")
    files = {f"lib/{name}": text for name, text in native_files("local").items()}
    url = made_repository(site.folder / "repository", git)
    app = site.app("grafted", "plus", "pure", "./lib", f"cloned @ {url}", files=files)
    before = {path: path.read_bytes() for path in (app / "lib").iterdir()}
    options = (*DOCKER, "--python", python, "--docker-before", SHARED_LIBRARY)
    data = site.build(app, *options).data()
    assert {path: path.read_bytes() for path in (app / "lib").iterdir()} == before
    assert sources(data) == {
        "cloned": "sdist-container",
        "grafted": "sdist-container",
        "local": "path",
        "plus": "sdist-container",
        "pure": "sdist-container",
    }
    tag = f"cp{python.replace('.', '')}"
    for name, row in rows(data).items():
        expected = "py3-none-any" if name == "pure" else rf"{tag}-{tag}-manylinux_2_\d+_x86_64"
        assert re.fullmatch(expected, row["tag"]), row
        assert "linux_x86_64" not in row["filename"].split("-")[-1].split(".")
    with zipfile.ZipFile(data["package"]["path"]) as opened:
        names = opened.namelist()
    assert [name for name in names if re.search(r"grafted\.libs/libdeep-\w+\.so", name)]
    code = "import cloned, grafted, local, plus, pure\nfor it in (cloned, grafted, local, plus): "
    assert site.run_package(data, code + "print(it.answer())") == ["42"] * 4
    assert len(site.relay.containers()) == 1


@pytest.mark.usefixtures("pythons")
def test_published_sdist_with_setuptools_of_the_index(site: ContainerSite) -> None:
    app = site.app("netifaces==0.11.0")
    done = site.azpack.run(
        "build", app, "--json", *DOCKER, "--python", "3.12", "--docker-network", "host"
    )
    data = done.data()
    assert sources(data) == {"netifaces": "sdist-container"}
    code = "import netifaces\nprint(netifaces.interfaces())"
    assert site.run_package(data, code) == ["['lo']"]


def test_engine_over_tcp(site: ContainerSite, remote_docker_host: str) -> None:
    site.add("grafted", **GRAFTED)
    app = site.app("grafted")
    with EngineRelay(remote_docker_host) as relay:
        site.relay = relay
        options = (*DOCKER, "--python", "3.11", "--docker-before", SHARED_LIBRARY)
        data = site.build(app, *options, DOCKER_HOST=remote_docker_host).data()
    assert site.run_package(data, "import grafted; print(grafted.answer())") == ["42"]


# Which mode is taken, and why.


def test_auto_builds_elsewhere_what_this_machine_can_not(site: ContainerSite) -> None:
    site.add("grafted", **GRAFTED)
    make_sdist(site.links, "pure")
    make_wheel(site.links, "ready")
    app = site.app("grafted", "pure", "ready")
    options = ("--python", "3.11", "--docker-before", SHARED_LIBRARY)
    planned = site.build(app, *options, "--dry-run").data()
    why = "2 of 3 distributions have no wheel for cp311 on glibc 2.31: grafted, pure; built on this"
    assert planned["mode_reason"].startswith(why)
    assert site.relay.connections == 0

    done = site.build(app, *options)
    data = done.data()
    assert sources(data) == {"grafted": "sdist-container", "pure": "sdist-host", "ready": "wheel"}
    assert "building grafted 1.0 in a container: grafted-1.0.tar.gz can't be built" in done.stderr
    reason = "1 of 3 distributions has no wheel for cp311 on glibc 2.31: grafted"
    assert (data["mode"], data["mode_reason"]) == ("docker", f"{reason}; built in a container")
    manifest = manifest_of(data)
    assert manifest["mode_reason"] == data["mode_reason"]
    assert manifest["container"]["distributions"] == ["grafted"]
    assert manifest["container"]["before"] == [SHARED_LIBRARY]
    assert manifest["container"]["digest"].startswith("sha256:")

    shown = site.azpack.run("build", app, "--no-index", "--find-links", site.links, *options)
    assert shown.code == 0, shown.stderr
    assert "1 of 3 distributions has no wheel for cp311" in shown.stdout.decode()
    assert len(site.relay.containers()) == 1


def test_auto_without_a_compiler_here(site: ContainerSite) -> None:
    site.add("native")
    options = ("--python", "3.11")
    data = site.build(site.app("native"), *options, PATH="/nowhere").data()
    assert sources(data) == {"native": "sdist-container"}
    assert site.run_package(data, "import native; print(native.answer())") == ["42"]


def test_auto_leaves_the_engine_alone_where_this_machine_does(site: ContainerSite) -> None:
    make_sdist(site.links, "pure")
    data = site.build(site.app("pure"), "--python", "3.11").data()
    assert (data["mode"], sources(data)) == ("local", {"pure": "sdist-host"})
    assert site.relay.connections == 0


def test_local_never_asks_an_engine(site: ContainerSite) -> None:
    site.add("grafted", **GRAFTED)
    app = site.app("grafted")
    error = site.build(app, "--mode", "local", "--python", "3.11").error(4, "build-failed")
    assert "deep" in error["message"]
    assert site.relay.connections == 0


@pytest.mark.parametrize("mode", ["auto", "docker"])
def test_no_engine(site: ContainerSite, mode: str) -> None:
    site.add("grafted", **GRAFTED)
    site.add("other", value="undeclared")
    make_sdist(site.links, "pure")
    app = site.app("grafted", "other", "pure")
    site.relay.cut()
    options = ("--mode", mode, "--python", "3.11")
    error = site.build(app, *options).error(5, "no-engine")
    count = {"auto": 2, "docker": 3}[mode]
    head = f"{count} distributions have to be built in a container, and there is no engine"
    assert head in error["message"]
    assert len(error["context"]["distributions"]) == count
    reason = "build backend ended with exit code 1" if mode == "auto" else "there is no wheel"
    assert error["message"].count(reason) == count
    assert f"{site.relay.host} (DOCKER_HOST): there is no such socket" in error["message"]
    assert "--mode remote" in error["hint"]
    assert not (app / "dist").exists()


def test_wheels_alone_need_no_engine(site: ContainerSite) -> None:
    make_wheel(site.links, "ready")
    data = site.build(site.app("ready"), *DOCKER).data()
    assert sources(data) == {"ready": "wheel"}
    assert manifest_of(data)["container"] is None
    assert site.relay.connections == 0


@pytest.mark.parametrize("locked", [False, True])
def test_what_is_in_the_store_needs_no_engine(site: ContainerSite, locked: bool) -> None:
    site.add("native")
    app = site.app("native")
    options = (*DOCKER, "--python", "3.11")
    if locked:
        where = ("--no-index", "--find-links", site.links, "--python", "3.11")
        assert site.azpack.run("lock", app, *where).code == 0
    first = site.build(app, *options).data()
    site.relay.cut()
    for _ in range(2):
        again = site.build(app, *options).data()
        for key in ("package", "mode", "mode_reason", "distributions"):
            assert again[key] == first[key]
        assert manifest_of(again)["container"] == manifest_of(first)["container"]
    # The plan of a lock is one thing, the wheel in the store another.
    (app / "pylock.toml").unlink(missing_ok=True)
    again = site.build(app, *options).data()
    assert again["distributions"] == first["distributions"]
    site.build(app, *options, "--docker-before", "true").error(5, "no-engine")


# What is built anew, and how it is configured.


def test_another_image_or_other_commands(site: ContainerSite) -> None:
    make_sdist(site.links, "pure")
    app = site.app("pure")
    digests = set()
    ways: tuple[tuple[str, ...], ...] = (
        ("--docker-image", "azpack-test"),
        ("--docker-image", "azpack-test-plain"),
        ("--docker-image", "azpack-test-plain", "--docker-before", "true"),
        ("--docker-image", "azpack-test-plain", "--docker-before", "true",
         "--docker-before", "echo x"),
    )  # fmt: skip
    for round_ in range(2):
        for number, way in enumerate(ways, 1):
            data = site.build(app, *DOCKER, "--python", "3.11", *way).data()
            container = manifest_of(data)["container"]
            assert container["image"] == way[1]
            assert container["before"] == list(way[3::2])
            digests.add(container["digest"])
            assert len(site.relay.containers()) == (number if round_ == 0 else len(ways))
    assert len(digests) == 2


@pytest.mark.parametrize("place", ["pyproject.toml", "azpack.toml"])
def test_settings_in_a_file(site: ContainerSite, place: str) -> None:
    script = 'assert os.path.exists("/tmp/first")\nprint("told", os.environ["TELLING"])\n'
    site.add("native", script=script + GATE)
    head = "[tool.azpack.docker]" if place == "pyproject.toml" else "[docker]"
    settings = (
        f'{head}\nimage = "azpack-test"\nplatform = "linux/amd64"\nnetwork = "none"\n'
        'environment = ["TELLING"]\nbefore = ["touch /tmp/first"]\ntimeout = "5"\n'
    )
    app = site.app("native", files={place: settings})
    site.azpack.environment["TELLING"] = VALUE
    forms = forms_of(VALUE, "")
    with CommandLines(forms) as seen:
        process = site.azpack.start(*site.arguments(app, *DOCKER, "--python", "3.11", "-vv"))
        wait_until(site.is_at_gate, process)
        told = site.told_by_engine()
        site.open_gate()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    assert b"told ****" in stderr
    assert not [text for text in (*told, stdout, stderr) if VALUE.encode() in text]
    assert any(b'"NetworkMode": "none"' in text for text in told)
    assert seen.telling == set()
    data = json.loads(stdout)["data"]
    container = manifest_of(data)["container"]
    assert sorted(container) == ["before", "digest", "distributions", "image"]
    assert (container["image"], container["before"]) == ("azpack-test", ["touch /tmp/first"])
    done = site.build(app, *DOCKER, "--python", "3.11")  # of the store
    assert places_that_tell(forms, done, app, site.azpack.cache) == []


def test_settings_that_are_wrong(site: ContainerSite) -> None:
    make_sdist(site.links, "pure")
    files = {"azpack.toml": '[docker]\nimgae = "x"\n'}
    app = site.app("pure", files=files)
    error = site.build(app, *DOCKER).error(2, "unknown-setting")
    assert error["hint"] == "perhaps you meant docker-image"
    for settings, code in (
        ('[docker]\nenvironment = ["NOT_SET_HERE"]\n', "variable-not-set"),
        ('[docker]\ntimeout = "soon"\n', "bad-setting"),
        ('[docker]\nbefore = "true"\n', "bad-setting"),
    ):
        (app / "azpack.toml").write_text(settings, encoding="utf-8")
        site.build(app, *DOCKER, "--python", "3.11").error(2, code)
    assert site.relay.connections == 0


# pip-tools in the container.


def without_interpreters(site: ContainerSite) -> dict[str, str]:
    """An environment in which no Python but this one is found."""
    return {"HOME": str(site.folder / "nobody"), "PATH": "/usr/bin:/bin", "PYENV_ROOT": "/nowhere"}


@pytest.mark.usefixtures("pythons")
def test_pip_tools_in_the_container(site: ContainerSite) -> None:
    requirements = ("jinja2<3.1.6", "typing-extensions<4.13; python_version>='3.12'",
                    "tomli; python_version<'3.12'")  # fmt: skip
    app = site.app(*requirements)
    options = ("--json", "--resolver", "pip-tools", "--python", "3.12", "--docker-network", "host")
    here = site.azpack.run("lock", app, *options)
    assert here.code == 0, here.stderr
    expected = (app / "pylock.toml").read_bytes()
    assert b'name = "tomli"' not in expected
    assert site.relay.connections == 0
    (app / "pylock.toml").unlink()
    environment = without_interpreters(site)
    there = site.azpack.run("lock", app, *options, environment=environment)
    assert there.code == 0, there.stderr
    assert "pip-tools resolves in the container" in there.stderr
    assert (app / "pylock.toml").read_bytes() == expected
    assert len(site.relay.containers()) == 1
    (app / "pylock.toml").unlink()
    data = site.azpack.run("build", app, *options, environment=environment).data()
    assert sorted(sources(data)) == ["jinja2", "markupsafe", "typing-extensions"]


@pytest.mark.usefixtures("pythons")
def test_pip_tools_without_interpreter_and_engine(site: ContainerSite) -> None:
    app = site.app("idna")
    site.relay.cut()
    done = site.azpack.run(
        "lock", app, "--json", "--resolver", "pip-tools", "--python", "3.12",
        environment=without_interpreters(site),
    )  # fmt: skip
    error = done.error(2, "resolver-needs-the-target")
    assert "no CPython 3.12" in error["message"].replace("there is ", "")
    assert f"{site.relay.host} (DOCKER_HOST): there is no such socket" in error["message"]


@pytest.mark.usefixtures("pythons")
def test_pip_tools_in_mode_local_asks_no_engine(site: ContainerSite) -> None:
    done = site.azpack.run(
        "build", site.app("idna"), "--json", "--resolver", "pip-tools", "--python", "3.12",
        "--mode", "local", environment=without_interpreters(site),
    )  # fmt: skip
    done.error(2, "resolver-needs-the-target")
    assert site.relay.connections == 0


# Several builds.


def test_two_builds_at_once_with_one_cache(site: ContainerSite) -> None:
    site.add("native")
    app = site.app("native")
    other = make_app(site.folder / "other", "native\n")
    options = (*DOCKER, "--python", "3.11")
    builds = [site.azpack.start(*site.arguments(it, *options)) for it in (app, other)]
    digests = set()
    for build in builds:
        stdout, stderr = build.communicate(timeout=120)
        assert build.returncode == 0, stderr.decode()
        package = json.loads(stdout)["data"]["package"]["path"]
        with zipfile.ZipFile(package) as opened:
            digests.add(tuple((it.filename, it.CRC) for it in opened.infolist()))
    assert len(digests) == 1
    assert os.listdir(site.azpack.cache / "v1" / "tmp") == []


def test_where_this_machine_has_another_system(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "uv"
    foreign.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))  # as programs for macOS begin
    monkeypatch.setattr(workshop, "find_uv", lambda: str(foreign))
    settings = workshop.ContainerSettings(
        image="azpack-test-plain", platform=PLATFORM, network="host", before=(), names=(),
        timeout=600.0,
    )  # fmt: skip
    environ = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    image = find_image(engine, settings.image, settings.platform, Progress())
    lines: list[str] = []
    with BuildContainer(engine, image, network=settings.network) as container:
        place = workshop.ContainerPlace(
            container, settings, find_indexes(environ), environ, Progress()
        )
        assert place.interpreter("3.11").endswith("python3.11")
        code = place.run(
            [place.uv(), "--version"],
            folder=Path("/"), environment=place.environment, output=lines.append,
        )  # fmt: skip
    assert code == 0, lines
    assert lines[0].startswith(f"uv {version('uv')}")
