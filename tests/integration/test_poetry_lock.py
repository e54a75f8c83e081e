"""Building Poetry projects: the versions and hashes of poetry.lock, wherever they come from."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel
from tests.servers import IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYPROJECT = """
[tool.poetry]
name = "shop"
version = "1"
[tool.poetry.dependencies]
python = "^3.10"
"""
TOKEN = "s3cret-t0ken"


@pytest.fixture(scope="module")
def azpack(tmp_path_factory: pytest.TempPathFactory) -> Azpack:
    return Azpack(tmp_path_factory.mktemp("poetry"), UV_HTTP_RETRIES="3")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def index(wheels: Path) -> Iterator[IndexServer]:
    with IndexServer(wheels) as index:
        yield index


def entry(wheel: Path | None, name: str = "", version: str = "1.0", **more: Any) -> dict[str, Any]:
    """A package of a lock as Poetry 1.8 writes it, with the hash of a file."""
    files = []
    if wheel is not None:
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        files = [{"file": wheel.name, "hash": f"sha256:{digest}"}]
    package = {"name": name.replace("_", "-"), "version": version, "description": "",
               "optional": False, "python-versions": "*", "files": files}  # fmt: skip
    return package | more


def make_project(folder: Path, dependencies: str, *packages: dict[str, Any]) -> Path:
    lock = {"package": list(packages), "metadata": {"lock-version": "2.0"}}
    files = {"pyproject.toml": PYPROJECT + dependencies, "poetry.lock": tomli_w.dumps(lock)}
    return make_app(folder, None, files=files)


def built(azpack: Azpack, app: Path, *options: str) -> dict[str, str]:
    done = azpack.run("build", app, "--python", "3.11", "--json", *options)
    return {row["name"]: row["version"] for row in done.data()["distributions"]}


def refused(azpack: Azpack, app: Path, exit_code: int, code: str, *options: str) -> Any:
    done = azpack.run("build", app, "--python", "3.11", "--json", *options)
    return done.error(exit_code, code)


def test_the_versions_are_those_of_the_lock(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    shelf = make_wheel(wheels, "shelf", "1.0", requires=["nails>=1", "paint; os_name == 'nt'"])
    nails = make_wheel(wheels, "nails", "1.4")
    old = make_wheel(wheels, "lamp", "1.9")
    new = make_wheel(wheels, "lamp", "2.1")
    lift = make_wheel(wheels, "lift", "1.0rc1")
    for name, version in (("shelf", "1.1"), ("nails", "1.5"), ("lamp", "2.2"), ("lift", "2.0")):
        make_wheel(wheels, name, version)
    app = make_project(
        tmp_path / "app",
        'shelf = "^1.0"\nlift = "*"\n'
        'lamp = [{version = "^1", platform = "linux"}, {version = "^2", platform = "win32"}]\n'
        "[tool.poetry.group.dev.dependencies]\nhammer = '*'\n",
        entry(shelf, dependencies={"nails": ">=1", "paint": "*"}),
        entry(nails), entry(old), entry(new), entry(lift), entry(None, "hammer"),
    )  # fmt: skip
    expected = {"shelf": "1.0", "nails": "1.4", "lamp": "1.9", "lift": "1.0rc1"}
    source = ("--index-url", index.url)
    assert built(azpack, app, *source) == expected
    assert built(azpack, app, *source, "-r", str(app / "poetry.lock")) == expected
    assert azpack.run("lock", app, "--python", "3.11", *source).code == 0
    assert built(azpack, app, *source, "--locked") == expected
    # Where pyproject.toml says no more, Poetry tries the newest first.
    (app / "pyproject.toml").write_text(PYPROJECT + 'shelf = "^1.0"\nlift = "*"\nlamp = "*"\n')
    assert azpack.run("lock", app, "--python", "3.11", *source).code == 0
    assert built(azpack, app, *source, "--locked") == {**expected, "lamp": "2.1"}


def test_of_two_versions_the_one_that_others_admit(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    shelf = make_wheel(wheels, "shelf", "1.0", requires=["lamp<2; python_version < '3.12'"])
    lamps = [make_wheel(wheels, "lamp", version) for version in ("1.9", "2.1")]
    app = make_project(
        tmp_path / "app", 'shelf = "*"\nlamp = "*"\n', entry(shelf), *map(entry, lamps)
    )
    found = built(azpack, app, "--index-url", index.url)
    assert found == {"shelf": "1.0", "lamp": "1.9"}


def test_a_file_of_another_hash_is_not_taken(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    locked = entry(make_wheel(wheels, "shelf", "1.0"))
    app = make_project(tmp_path / "app", 'shelf = "*"\n', locked)
    make_wheel(wheels, "shelf", "1.0", files={"shelf.py": b"another\n"})
    error = refused(azpack, app, 4, "no-usable-wheel", "--index-url", index.url)
    assert "shelf 1.0" in error["message"]
    locked["files"] = []
    without = make_project(tmp_path / "without", 'shelf = "*"\n', locked)
    error = refused(azpack, without, 3, "hash-missing", "--index-url", index.url)
    assert error["message"] == "poetry.lock has no hash for shelf 1.0"


def test_a_lock_that_does_not_fit(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    shelf = make_wheel(wheels, "shelf", "1.0", requires=["nails"])
    make_wheel(wheels, "nails", "1.4")
    app = make_project(tmp_path / "app", 'shelf = "*"\n', entry(shelf))
    error = refused(azpack, app, 3, "lock-does-not-fit", "--index-url", index.url)
    assert "it lacks nails 1.4, needed for Python 3.11" in error["message"]
    assert "poetry lock" in error["hint"]
    newer = make_project(tmp_path / "newer", 'shelf = "^2.0"\n', entry(shelf))
    make_wheel(wheels, "shelf", "2.0")
    error = refused(azpack, newer, 3, "no-solution", "--index-url", index.url)
    assert "pyproject.toml [tool.poetry.dependencies] (shelf<3,>=2.0)" in error["message"]
    assert "poetry.lock (shelf==1.0)" in error["message"]
    assert "poetry lock" in error["hint"]


def test_a_lock_that_is_stale(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    shelf = entry(make_wheel(wheels, "shelf", "1.0"))
    app = make_project(tmp_path / "app", 'shelf = "*"\n', shelf)
    text = (app / "poetry.lock").read_text()
    (app / "poetry.lock").write_text(text + f'content-hash = "{"0" * 64}"\n')
    done = azpack.run("build", app, "--python", "3.11", "--index-url", index.url)
    assert done.code == 0
    assert "poetry.lock does not fit its pyproject.toml, and is packed as it is" in done.stderr
    done = azpack.run("lock", app, "--python", "3.11", "--index-url", index.url, "--json")
    assert "poetry lock" in done.error(3, "lock-does-not-fit")["hint"]
    assert not (app / "pylock.toml").exists()


@pytest.mark.parametrize(
    ("python", "code"), [("^3.12", "python-contradiction"), ("newest", "bad-requires-python")]
)
def test_a_project_for_another_python(
    azpack: Azpack, tmp_path: Path, wheels: Path, python: str, code: str
) -> None:
    shelf = make_wheel(wheels, "shelf", "1.0")
    app = make_project(tmp_path / "app", 'shelf = "*"\n', entry(shelf))
    (app / "pyproject.toml").write_text(PYPROJECT.replace("^3.10", python) + 'shelf = "*"\n')
    error = refused(azpack, app, 2, code, "--no-index", "--find-links", str(wheels))
    assert python in error["message"]


def test_a_private_index_of_the_lock(azpack: Azpack, tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "public").mkdir()
    lamp = make_wheel(tmp_path / "public", "lamp", "1.0")
    make_wheel(tmp_path / "public", "shelf", "1.0", files={"shelf.py": b"a stranger's\n"})
    shelf = make_wheel(wheels, "shelf", "1.0", requires=["lamp"])
    with (
        IndexServer(tmp_path / "public") as public,
        IndexServer(wheels, user="me", password=TOKEN) as feed,
    ):
        source = {"type": "legacy", "url": feed.url, "reference": "feed"}
        app = make_project(
            tmp_path / "app", 'shelf = {version = "*", source = "feed"}\n',
            entry(shelf, source=source, dependencies={"lamp": "*"}), entry(lamp),
        )  # fmt: skip
        refused(azpack, app, 5, "index-refused", "--index-url", public.url)
        with_password = ("--extra-index-url", feed.url_as("me", TOKEN))
        assert built(azpack, app, "--index-url", public.url, *with_password).keys() == {
            "shelf", "lamp",
        }  # fmt: skip
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {TOKEN}\n")
        done = azpack.run(
            "build", app, "--python", "3.11", "--index-url", public.url, "--json",
            environment={"NETRC": str(netrc), "AZPACK_CACHE_DIR": str(tmp_path / "cache")},
        )  # fmt: skip
        rows = {row["name"]: row["index"] for row in done.data()["distributions"]}
    assert rows == {"shelf": feed.url, "lamp": public.url}


def test_files_and_folders_and_urls(
    azpack: Azpack, tmp_path: Path, wheels: Path, index: IndexServer
) -> None:
    nails = make_wheel(wheels, "nails", "1.4")
    (tmp_path / "app/files").mkdir(parents=True)
    shelf = make_wheel(tmp_path / "app/files", "shelf", "1.0", requires=["nails"])
    (tmp_path / "hidden").mkdir()
    lamp = make_wheel(tmp_path / "hidden", "lamp", "1.0")
    with IndexServer(tmp_path / "hidden") as other:
        by_url = {"type": "url", "url": other.file_url(lamp.name)}
        by_path = {"type": "file", "url": f"files/{shelf.name}"}
        made = make_project(
            tmp_path / "made", 'nails = "*"\n'
            f'shelf = {{path = "files/{shelf.name}"}}\nlamp = {{url = "{by_url["url"]}"}}\n',
            entry(shelf, source=by_path, dependencies={"nails": "*"}),
            entry(lamp, source=by_url), entry(nails),
        )  # fmt: skip
        (tmp_path / "app/files").rename(made / "files")
        found = built(azpack, made, "--index-url", index.url)
        assert found == {"shelf": "1.0", "nails": "1.4", "lamp": "1.0"}
        make_wheel(made / "files", "shelf", "1.0", files={"shelf.py": b"another\n"})
        refused(azpack, made, 4, "no-usable-wheel", "--index-url", index.url)


def test_a_repository_and_a_folder(azpack: Azpack, tmp_path: Path, git: str) -> None:
    for name in ("repository/part", "app/lib"):
        make_source_folder(tmp_path / name)
    repository = tmp_path / "repository"
    settings = ("-c", "user.name=me", "-c", "user.email=me@shop.example")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([git, *settings, *command], cwd=repository, check=True)
    commit = subprocess.run(
        [git, "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    source = {"type": "git", "url": repository.as_uri(), "reference": "main",
              "resolved_reference": commit, "subdirectory": "part"}  # fmt: skip
    app = make_project(
        tmp_path / "made",
        f'part = {{git = "{repository.as_uri()}", branch = "main", subdirectory = "part"}}\n'
        'lib = {path = "lib", develop = true}\n',
        entry(None, "part", source=source),
        entry(None, "lib", source={"type": "directory", "url": "lib"}),
    )
    (tmp_path / "app/lib").rename(app / "lib")
    done = azpack.run("build", app, "--python", "3.11", "--dry-run", "--json", "--no-index")
    assert {row["name"] for row in done.data()["distributions"]} == {"part", "lib"}
    assert azpack.run("lock", app, "--python", "3.11", "--no-index").code == 0
    text = (app / "pylock.toml").read_text()
    assert f'commit-id = "{commit}"' in text
    assert 'path = "lib"' in text


def make_source_folder(folder: Path) -> None:
    """A folder whose metadata need no build."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{folder.name}"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "none"\n'
    )
