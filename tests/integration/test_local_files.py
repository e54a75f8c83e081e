"""Wheels, sdists and folders that requirements name by their path, in the project and beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_sdist, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

SITE_PACKAGES = ".python_packages/lib/site-packages/"
NAMES = ["inner", "lib", "outer", "source", "spaced"]
REQUIREMENTS = """\
./vendor/inner-1.0-py3-none-any.whl
../outer-1.0-py3-none-any.whl
vendor/source-1.0.tar.gz
../our wheels/spaced-1.0-py3-none-any.whl
-e ./lib
"""
PROJECT = """\
[project]
name = "lib"
version = "1.0"
dependencies = ["inner"]
[build-system]
requires = []
build-backend = "own"
backend-path = ["."]
"""
# Builds the wheel that pyproject.toml describes, of one module.
BACKEND = """\
import re
import zipfile
from pathlib import Path

def build_wheel(folder, settings=None, metadata=None):
    needed = re.search(r"dependencies = (.*)", Path("pyproject.toml").read_text())
    lines = ["Metadata-Version: 2.1", "Name: lib", "Version: 1.0"]
    lines += [f"Requires-Dist: {name}" for name in eval(needed[1])]
    files = {
        "lib.py": "",
        "lib-1.0.dist-info/METADATA": "\\n".join(lines) + "\\n",
        "lib-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
    }
    files["lib-1.0.dist-info/RECORD"] = "".join(
        f"{name},,\\n" for name in [*files, "lib-1.0.dist-info/RECORD"]
    )
    with zipfile.ZipFile(Path(folder, "lib-1.0-py3-none-any.whl"), "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return "lib-1.0-py3-none-any.whl"
"""


def make_project(root: Path, requirements: str = REQUIREMENTS) -> Path:
    """An app with files of all kinds in it, and others beside it."""
    app = make_app(
        root / "app", requirements, files={"lib/pyproject.toml": PROJECT, "lib/own.py": BACKEND}
    )
    make_wheel(app / "vendor", "inner")
    make_sdist(app / "vendor", "source")
    make_wheel(root, "outer")
    make_wheel(root / "our wheels", "spaced")
    return app


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_NO_INDEX="1", AZPACK_PYTHON="3.11")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def built(azpack: Azpack, app: Path, *options: str | Path) -> Any:
    data = azpack.run("build", app, "--json", "--exclude", "pylock.toml", *options).data()
    with zipfile.ZipFile(app / "dist/app.zip") as package:
        names = set(package.namelist())
    for name in NAMES:
        assert SITE_PACKAGES + f"{name}.py" in names
    return data


def locked(azpack: Azpack, app: Path, *options: str | Path) -> str:
    done = azpack.run("lock", app, *options)
    assert done.code == 0, done.stderr
    return (app / "pylock.toml").read_text()


def test_they_are_packed_directly_and_from_a_lock(azpack: Azpack, app: Path) -> None:
    direct = built(azpack, app)
    rows = {row["name"]: row for row in direct["distributions"]}
    assert list(rows) == NAMES
    assert {row["index"] for row in rows.values()} == {None}
    assert (rows["source"]["source"], rows["lib"]["source"]) == ("sdist-host", "path")
    locked(azpack, app)
    digest = direct["package"]["content_digest"]
    for options in ((), ("--locked",), ("-r", app / "pylock.toml")):
        azpack.forget()
        again = built(azpack, app, *options)
        assert again["package"]["content_digest"] == digest
        assert again["distributions"] == direct["distributions"]


def test_the_same_lock_on_each_run(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    first = locked(azpack, app)
    for path in (
        "vendor/inner-1.0-py3-none-any.whl", "../outer-1.0-py3-none-any.whl",
        "vendor/source-1.0.tar.gz", "../our wheels/spaced-1.0-py3-none-any.whl", "lib",
    ):  # fmt: skip
        assert f'path = "{path}"' in first
    assert str(tmp_path) not in first
    assert "azpack-" not in first.replace("azpack-requirements", "")
    assert locked(azpack, app) == first
    (app / "pylock.toml").unlink()
    assert locked(azpack, app) == first
    # Temporary files elsewhere, on a path of another depth, and by another name.
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a/b/c")
    azpack.environment["TMPDIR"] = str(tmp_path / "link")
    (app / "pylock.toml").unlink()
    assert locked(azpack, app) == first


def test_the_project_may_stand_elsewhere(azpack: Azpack, tmp_path: Path) -> None:
    texts = {locked(azpack, make_project(tmp_path / place)) for place in ("one", "t/wo")}
    assert len(texts) == 1


def test_a_project_that_is_named_by_a_link(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    text = locked(azpack, app, "--requirements-txt", app / "pins")
    pins = (app / "pins").read_text()
    (tmp_path / "x/y").mkdir(parents=True)
    link = tmp_path / "x/y/app"
    link.symlink_to(app)
    assert locked(azpack, link, "--requirements-txt", app / "pins") == text
    assert (app / "pins").read_text() == pins
    # ../outer is beside the folder, not beside the link.
    built(azpack, link, "--locked")


@pytest.mark.parametrize("options", [[], ["--locked"]])
def test_the_pins_name_no_place_of_this_machine(
    azpack: Azpack, tmp_path: Path, options: list[str]
) -> None:
    requirements = REQUIREMENTS.replace("our wheels/spaced-", "outer-").replace("-e ./lib\n", "")
    app = make_project(tmp_path, requirements)
    locked(azpack, app)
    locked(azpack, app, "--requirements-txt", tmp_path / "pins/all.txt", *options)
    pins = (tmp_path / "pins/all.txt").read_text()
    assert str(tmp_path) not in pins
    for path in ("./vendor/inner-1.0-py3-none-any.whl", "./vendor/source-1.0.tar.gz",
                 "../outer-1.0-py3-none-any.whl"):  # fmt: skip
        assert f"\n{path} \\\n    --hash=sha256:" in pins
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--no-index", "--require-hashes", "--no-deps",
            "--target", tmp_path / "target", "-r", tmp_path / "pins/all.txt",
        ],
        cwd=app, env={**azpack.environment, "PIP_NO_CACHE_DIR": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"inner.py", "outer.py", "source.py"} <= set(os.listdir(tmp_path / "target"))


def test_a_path_that_pip_would_not_read_is_a_url(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    locked(azpack, app, "--requirements-txt", tmp_path / "pins.txt")
    pins = (tmp_path / "pins.txt").read_text()
    url = (tmp_path / "our wheels/spaced-1.0-py3-none-any.whl").as_uri()
    assert f"\nspaced @ {url}\n" in pins
    assert "\n./lib\n" in pins
    # A folder has no hash, and pip takes hashes for all or for none.
    assert "--hash" not in pins


def test_a_file_that_changed_since_it_was_locked(azpack: Azpack, app: Path) -> None:
    locked(azpack, app)
    make_wheel(app / "vendor", "inner", files={"inner.py": b"changed"})
    for options in ([], ["--locked"]):
        done = azpack.run("build", app, "--json", *options)
        assert "inner 1.0" in done.error(4, "wrong-hash")["message"]


# A folder's own dependencies, which no hash fixes.


def change_lib(app: Path, dependencies: str) -> None:
    path = app / "lib/pyproject.toml"
    path.write_text(path.read_text().replace('["inner"]', dependencies))


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ('["inner", "missing>=2"]', "lib asks for missing>=2, and the lock does not have it"),
        ('["inner>=2"]', "lib asks for inner>=2, and the lock has 1.0"),
        ("[\"InNer>1; python_version < '3.12'\"]", "and the lock has 1.0"),
    ],
)
def test_a_folder_that_asks_for_more_than_the_lock_has(
    azpack: Azpack, app: Path, dependencies: str, message: str
) -> None:
    locked(azpack, app)
    change_lib(app, dependencies)
    for options in ([], ["--locked"]):
        done = azpack.run("build", app, "--json", *options)
        error = done.error(3, "lock-does-not-fit")
        assert message in error["message"]
        assert "azpack lock" in error["hint"]
    assert not (app / "dist").exists()


@pytest.mark.parametrize(
    "dependencies",
    ["[]", '["inner>=0.9", "missing; sys_platform == \'win32\'", "no; extra == \'more\'"]'],
)
def test_a_folder_that_asks_for_nothing_more(azpack: Azpack, app: Path, dependencies: str) -> None:
    locked(azpack, app)
    change_lib(app, dependencies)
    built(azpack, app, "--locked")


@pytest.mark.parametrize("by_uv", [False, True])
def test_a_version_that_the_project_overrides(azpack: Azpack, tmp_path: Path, by_uv: bool) -> None:
    app = make_project(tmp_path)
    (app / "requirements.txt").unlink()
    change_lib(app, '["inner>=9"]')
    (app / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["lib"]\n[tool.uv]\noverride-dependencies = ["inner==1.0"]\n'
        'no-index = true\nfind-links = ["vendor"]\n[tool.uv.sources]\nlib = { path = "lib" }\n'
    )
    if by_uv:
        from azpack.deps.uv import find_uv

        command = [find_uv(), "lock", "--quiet", "--python", sys.executable]
        subprocess.run(command, cwd=app, env=azpack.environment, check=True)
    options = ("--find-links", app / "vendor", "--json")
    for command in (["build"], ["lock"], ["build", "--locked"]):
        data = azpack.run(*command, app, *options).data()
        found = {row["name"]: row["version"] for row in data["distributions"]}
        assert (set(found), found["inner"]) == ({"inner", "lib"}, "1.0")
