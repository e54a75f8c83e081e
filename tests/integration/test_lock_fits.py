"""Whether a lock fits: the target, the requirements, its own files; pylock.toml and uv.lock."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.uv import find_uv
from tests.commands import Azpack, make_app
from tests.distributions import make_sdist, make_wheel
from tests.servers import IndexServer

if TYPE_CHECKING:
    from pathlib import Path

SITE_PACKAGES = ".python_packages/lib/site-packages/"


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("links")
    make_wheel(folder, "alpha")
    make_wheel(folder, "alpha", "2.0")
    make_wheel(folder, "beta")
    make_sdist(folder, "source")
    make_wheel(folder, "newer", tag="cp312-cp312-manylinux_2_17_x86_64")
    return folder


@pytest.fixture
def azpack(tmp_path: Path, links: Path) -> Azpack:
    return Azpack(
        tmp_path,
        AZPACK_NO_INDEX="1",
        AZPACK_FIND_LINKS=links.as_uri(),
        AZPACK_PYTHON="3.11",
    )


def lock_of(*entries: tuple[str, Path], kind: str = "archive", version: str = "1.0") -> str:
    """A lock that another tool wrote, of files by their path."""
    text = 'lock-version = "1.0"\ncreated-by = "another tool"\npackages = []\n'
    text = text.replace("packages = []\n", "" if entries else "packages = []\n")
    for name, path in entries:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        table = f'path = "{path}"\nhashes = {{sha256 = "{sha256}"}}\n'
        text += f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        text += f"[{'[' if kind == 'wheels' else ''}packages.{kind}]"
        text += "]\n" if kind == "wheels" else "\n"
        text += table
    return text


def build(azpack: Azpack, app: Path, *options: str | Path) -> Any:
    return azpack.run("build", app, "--json", *options)


def names(azpack: Azpack, app: Path, *options: str | Path) -> dict[str, str]:
    data = build(azpack, app, *options).data()
    return {row["name"]: row["version"] for row in data["distributions"]}


# The target.


def test_a_lock_for_another_python_and_nothing_to_resolve(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "alpha\n")
    assert azpack.run("lock", app).code == 0
    (app / "requirements.txt").unlink()
    assert names(azpack, app) == {"alpha": "2.0"}
    (app / "dist/app.zip").unlink()
    for options in ([], ["--locked"], ["-r", app / "pylock.toml"], ["--dry-run"]):
        done = build(azpack, app, "--python", "3.12", *options)
        error = done.error(3, "lock-does-not-fit")
        assert "it is for Python 3.11" in error["message"]
        assert "azpack lock --python 3.12" in error["hint"]
    assert not (app / "dist/app.zip").exists()


def test_the_next_patch_release_of_the_platform(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "alpha==1.0\n")
    assert azpack.run("lock", app).code == 0
    text = (app / "pylock.toml").read_text()
    record = next(line for line in text.splitlines() if line.startswith("python = "))
    for version, fits in (("3.11.2", True), ("3.11", True), ("3.1", False), ("3.12.2", False)):
        (app / "pylock.toml").write_text(text.replace(record, f'python = "{version}"'))
        done = build(azpack, app, "--locked", "--dry-run")
        assert (done.code == 0) is fits, done.stderr


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("~=3.12", "python-contradiction"),
        (">=3.10,<3.11", "python-contradiction"),
        (">=3.11.99", "python-contradiction"),
        ("3.11", "bad-requires-python"),
        (">=3.10", ""),
        ("==3.11.*", ""),
    ],
)
def test_the_pythons_that_the_project_is_for(
    azpack: Azpack, tmp_path: Path, asked: str, code: str
) -> None:
    project = f'[project]\nname = "app"\nversion = "1"\nrequires-python = "{asked}"\n'
    app = make_app(tmp_path / "app", "alpha\n", files={"pyproject.toml": project})
    done = build(azpack, app, "--dry-run")
    if not code:
        assert done.code == 0, done.stderr
        return
    error = done.error(2, code)
    assert asked in error["message"]
    assert error["hint"]
    if code == "python-contradiction":
        assert "(AZPACK_PYTHON)" in error["message"]


# The requirements.


def test_a_lock_of_another_tool_answers_no_file_that_is_named(
    azpack: Azpack, links: Path, tmp_path: Path
) -> None:
    text = lock_of(("alpha", links / "alpha-1.0-py3-none-any.whl"))
    files = {"pylock.toml": text, "other.txt": "beta\n"}
    app = make_app(tmp_path / "app", "beta\n", files=files)
    assert names(azpack, app) == {"alpha": "1.0"}
    other = ("-r", app / "other.txt")
    assert names(azpack, app, *other) == {"beta": "1.0"}
    warned = azpack.run("build", app, *other).stderr.replace("\n ", "")
    assert "does not fit: it does not say that it was made from other.txt" in warned
    error = build(azpack, app, *other, "--locked").error(3, "lock-does-not-fit")
    assert "other.txt" in error["message"]
    # Nor what the configuration names.
    (app / "azpack.toml").write_text("requirements = ['other.txt']\n")
    assert names(azpack, app) == {"beta": "1.0"}


# Its own files.


@pytest.mark.parametrize("kind", ["wheels", "archive"])
@pytest.mark.parametrize(("name", "version"), [("alpha", "1.5"), ("beta", "1.0")])
def test_an_entry_whose_wheel_is_of_something_else(
    azpack: Azpack, links: Path, tmp_path: Path, kind: str, name: str, version: str
) -> None:
    wheel = links / "alpha-1.0-py3-none-any.whl"
    text = lock_of((name, wheel), kind=kind, version=version)
    app = make_app(tmp_path / "app", None, files={"pylock.toml": text})
    error = build(azpack, app).error(3, "bad-lock")
    assert wheel.name in error["message"]
    assert "azpack lock" in error["hint"]


@pytest.mark.parametrize("kind", ["wheels", "archive"])
def test_a_wheel_for_another_python_that_is_in_the_store(
    azpack: Azpack, links: Path, tmp_path: Path, kind: str
) -> None:
    wheel = links / "newer-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    text = lock_of(("newer", wheel), kind=kind)
    app = make_app(tmp_path / "app", None, files={"pylock.toml": text})
    build(azpack, app).error(4, "no-usable-wheel")
    assert names(azpack, app, "--python", "3.12") == {"newer": "1.0"}
    for _ in range(2):
        error = build(azpack, app).error(4, "no-usable-wheel")
        assert "newer 1.0: " in error["message"]


LIAR = """\
import shutil
from pathlib import Path
def build_wheel(folder, settings=None, metadata=None):
    wheel = next(Path(__file__).parent.glob("*.whl"))
    shutil.copy({wheel!r}, folder)
    return {name!r}
"""


@pytest.mark.parametrize(("name", "version"), [("alpha", "2.0"), ("beta", "1.0")])
def test_an_sdist_that_builds_something_else(
    azpack: Azpack, links: Path, tmp_path: Path, name: str, version: str
) -> None:
    wheel = links / f"{name}-{version}-py3-none-any.whl"
    backend = LIAR.format(wheel=str(wheel), name=wheel.name)
    sdist = make_sdist(tmp_path, "alpha", backend=backend)
    text = lock_of(("alpha", sdist), kind="sdist")
    app = make_app(tmp_path / "app", None, files={"pylock.toml": text})
    for _ in range(2):
        error = build(azpack, app).error(4, "another-distribution")
        assert f"alpha 1.0: its source builds {name} {version}" in error["message"]


def test_a_source_that_was_built_under_its_own_name(
    azpack: Azpack, links: Path, tmp_path: Path
) -> None:
    source = links / "source-1.0.tar.gz"
    text = lock_of(("source", source))
    app = make_app(tmp_path / "app", None, files={"pylock.toml": text})
    assert names(azpack, app) == {"source": "1.0"}
    (app / "pylock.toml").write_text(lock_of(("alpha", source)))
    error = build(azpack, app).error(4, "another-distribution")
    assert "alpha 1.0: its source builds source 1.0" in error["message"]


def test_a_wheel_that_the_store_has_in_part(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "beta\n")
    digest = build(azpack, app).data()["package"]["content_digest"]
    (contents,) = azpack.cache.rglob("contents.json")
    contents.unlink()
    for section in ("segments", "plans"):
        for path in azpack.cache.glob(f"*/{section}/*"):
            path.rename(tmp_path / f"{section}-{path.name}")
    assert build(azpack, app).data()["package"]["content_digest"] == digest
    assert contents.is_file()


# An sdist whose dependencies are those of the Python that asks.

BY_PYTHON = """\
import sys
import zipfile
from pathlib import Path
def build_wheel(folder, settings=None, metadata=None):
    needed = "beta" if sys.version_info[:2] == (3, 12) else "alpha"
    files = {
        "asks.py": "",
        "asks-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: asks\\nVersion: 1.0\\n"
        f"Requires-Dist: {needed}\\n",
        "asks-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
    }
    record = "asks-1.0.dist-info/RECORD"
    files[record] = "".join(f"{name},,\\n" for name in [*files, record])
    with zipfile.ZipFile(Path(folder, "asks-1.0-py3-none-any.whl"), "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "asks-1.0-py3-none-any.whl"
"""


@pytest.mark.usefixtures("pythons")
def test_an_sdist_is_asked_with_the_python_of_the_target(
    azpack: Azpack, links: Path, tmp_path: Path
) -> None:
    make_sdist(tmp_path, "asks", backend=BY_PYTHON, dynamic=True)
    options = ("--find-links", tmp_path, "--find-links", links)
    for python, needed in (("3.12", "beta"), ("3.11", "alpha"), ("3.13", "alpha")):
        app = make_app(tmp_path / f"app-{python}", "asks\n")
        # uv keeps what it learns from an sdist, whichever Python it asked.
        azpack.environment["UV_CACHE_DIR"] = str(tmp_path / f"uv-{python}")
        assert set(names(azpack, app, "--python", python, *options)) == {"asks", needed}


# uv.lock.

PROJECT = """\
[project]
name = "app"
version = "1"
requires-python = ">=3.10"
dependencies = ["alpha<2"]
"""


def uv_lock(azpack: Azpack, app: Path) -> None:
    subprocess.run(
        [find_uv(), "lock", "--quiet", "--python", sys.executable],
        cwd=app, env=azpack.environment, check=True,
    )  # fmt: skip


@pytest.fixture
def uv_app(azpack: Azpack, links: Path, tmp_path: Path) -> Path:
    """A project that uv has locked; where it finds distributions, azpack is not told."""
    settings = f'[tool.uv]\nno-index = true\nfind-links = ["{links}"]\n'
    app = make_app(tmp_path / "app", None, files={"pyproject.toml": PROJECT + settings})
    uv_lock(azpack, app)
    return app


def ask_for_more(app: Path) -> None:
    path = app / "pyproject.toml"
    path.write_text(path.read_text().replace('"alpha<2"', '"alpha<2", "beta"'))


def test_a_uv_lock_that_fits(azpack: Azpack, uv_app: Path) -> None:
    for command in (["build"], ["build", "--locked"], ["lock"], ["build", "--locked"]):
        done = azpack.run(*command, uv_app, "--json")
        assert [row["version"] for row in done.data()["distributions"]] == ["1.0"]
        assert "warning" not in done.stderr


def test_a_uv_lock_that_is_stale(azpack: Azpack, uv_app: Path) -> None:
    ask_for_more(uv_app)
    done = build(azpack, uv_app)
    assert [row["name"] for row in done.data()["distributions"]] == ["alpha"]
    assert "warning: uv.lock does not fit its pyproject.toml" in done.stderr
    assert "'uv lock'" in done.stderr.replace("\n ", "")
    for command in (["build", "--locked"], ["lock"]):
        error = azpack.run(*command, uv_app, "--json").error(3, "lock-does-not-fit")
        assert "uv.lock" in error["message"]
    assert not (uv_app / "pylock.toml").exists()
    uv_lock(azpack, uv_app)
    assert set(names(azpack, uv_app, "--locked")) == {"alpha", "beta"}


def test_a_lock_that_was_made_of_a_uv_lock(azpack: Azpack, uv_app: Path) -> None:
    assert azpack.run("lock", uv_app).code == 0
    build(azpack, uv_app, "--locked").data()
    ask_for_more(uv_app)  # the uv.lock is still the same
    build(azpack, uv_app, "--locked").error(3, "lock-does-not-fit")
    done = build(azpack, uv_app)
    assert done.code == 0
    assert "pylock.toml does not fit" in done.stderr
    assert "uv.lock does not fit its pyproject.toml" in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        '[[tool.uv.index]]\nname = "ours"\nurl = "{url}"\ndefault = true\n',
        '[[tool.uv.index]]\nname = "ours"\nurl = "{url}"\n',
        '[tool.uv]\nindex-url = "{url}"\nprerelease = "allow"\n',
    ],
)
@pytest.mark.parametrize("options", [["--no-index"], []])
def test_a_uv_lock_of_an_index_of_the_projects(
    azpack: Azpack, links: Path, tmp_path: Path, settings: str, options: list[str]
) -> None:
    for name in ("AZPACK_NO_INDEX", "AZPACK_FIND_LINKS"):
        del azpack.environment[name]
    with IndexServer(links) as server:
        files = {"pyproject.toml": PROJECT + settings.format(url=server.url)}
        app = make_app(tmp_path / "app", None, files=files)
        uv_lock(azpack, app)
        server.asked.clear()
        done = build(azpack, app, "--locked", *options)
        assert done.data()["distributions"][0]["name"] == "alpha"
        assert server.paths_asked() == ["/files/alpha-1.0-py3-none-any.whl"]
        assert azpack.run("lock", app, *options).code == 0
    with zipfile.ZipFile(app / "dist/app.zip") as package:
        assert SITE_PACKAGES + "alpha.py" in package.namelist()


def test_a_uv_lock_that_nobody_can_compare(azpack: Azpack, uv_app: Path) -> None:
    path = uv_app / "pyproject.toml"
    path.write_text(path.read_text() + 'required-version = "==0.0.1"\n')
    done = build(azpack, uv_app)
    assert [row["name"] for row in done.data()["distributions"]] == ["alpha"]
    assert "warning: uv.lock can't be compared with its pyproject.toml" in done.stderr
    build(azpack, uv_app, "--locked").error(3, "lock-does-not-fit")


def test_a_member_of_a_uv_workspace(azpack: Azpack, links: Path, tmp_path: Path) -> None:
    """The lock is the workspace's, of which the member takes what it depends on itself."""
    shop = tmp_path / "shop"
    make_app(shop / "app", None, files={"pyproject.toml": PROJECT})
    (shop / "other").mkdir()
    (shop / "other" / "pyproject.toml").write_text(
        '[project]\nname = "other"\nversion = "1"\ndependencies = ["beta"]\n'
    )
    (shop / "pyproject.toml").write_text(
        '[tool.uv.workspace]\nmembers = ["app", "other"]\n'
        f'[tool.uv]\nno-index = true\nfind-links = ["{links}"]\n'
    )
    uv_lock(azpack, shop)
    for command in (["build", "--locked"], ["lock"], ["build", "--locked"]):
        done = azpack.run(*command, shop / "app", "--json")
        assert [row["name"] for row in done.data()["distributions"]] == ["alpha"]
        assert "warning" not in done.stderr
    ask_for_more(shop / "app")
    (shop / "app" / "pylock.toml").unlink()
    error = azpack.run("build", shop / "app", "--locked", "--json").error(3, "lock-does-not-fit")
    assert "../uv.lock" in error["message"]
