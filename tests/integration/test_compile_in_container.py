"""`build --compile` in a container, where this machine has no Python of the target's version."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributions import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.container_site import ContainerSite

# Not what runs the tests, and in the image that stands in for those with every Python.
PYTHON = "3.13"


@pytest.fixture
def nowhere(site: ContainerSite) -> dict[str, str]:
    """An environment in which no other interpreter is found."""
    names = ("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "PATH")
    return dict.fromkeys(names, str(site.folder / "nowhere"))


@pytest.fixture
def app(site: ContainerSite) -> Path:
    files = {f"alpha/m{number}.py": b"x = {'a', 'b', None}\n" for number in range(20)}
    make_wheel(site.links, "alpha", files={**files, "alpha/old.py": b"print 'Python 2'\n"})
    return site.app("alpha", files={"own.py": "VALUE = 1\n"})


def bytecode(data: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(data["package"]["path"]) as package:
        return {name: package.read(name) for name in package.namelist() if name.endswith(".pyc")}


@pytest.mark.parametrize("mode", ["auto", "docker"])
def test_the_container_compiles(
    site: ContainerSite, app: Path, nowhere: dict[str, str], mode: str
) -> None:
    options = ("--compile", "--python", PYTHON, "--mode", mode)
    data = site.build(app, *options, **nowhere).data()
    assert len(bytecode(data)) == 21
    assert data["bytecode"]["uncompiled"] == 1
    # What is kept takes no container.
    count = len(site.relay.containers())
    assert bytecode(site.build(app, *options, **nowhere).data()) == bytecode(data)
    assert len(site.relay.containers()) == count == 1
    # The image has this machine's Python, so that gives the same bytes.
    site.azpack.forget()
    assert bytecode(site.build(app, *options).data()) == bytecode(data)
    assert len(site.relay.containers()) == count


def test_one_container_builds_and_compiles(
    site: ContainerSite, app: Path, nowhere: dict[str, str]
) -> None:
    site.add("native")
    # The index stands in requirements.txt alone: the container has to know it from the start.
    lines = ("--no-index", f"--find-links {site.links}", "alpha", "native")
    (app / "requirements.txt").write_text("\n".join(lines))
    options = ("--json", "--compile", "--python", PYTHON, "--mode", "docker")
    data = site.azpack.run("build", app, *options, environment=nowhere).data()
    assert {row["source"] for row in data["distributions"]} == {"wheel", "sdist-container"}
    assert len(bytecode(data)) >= 21
    assert len(site.relay.containers()) == 1


def test_mode_local_takes_no_container(
    site: ContainerSite, app: Path, nowhere: dict[str, str]
) -> None:
    options = ("--compile", "--python", PYTHON, "--mode", "local")
    error = site.build(app, *options, **nowhere).error(2, "no-interpreter")
    assert "the mode is local" in error["message"]
    assert site.relay.containers() == []


def test_an_image_without_that_python(
    site: ContainerSite, app: Path, nowhere: dict[str, str]
) -> None:
    options = ("--compile", "--python", PYTHON, "--docker-image", "azpack-test-plain")
    done = site.build(app, *options, **nowhere)
    assert done.error(2, "no-interpreter-in-image")
    assert json.loads(done.stdout)["status"] == "error"
