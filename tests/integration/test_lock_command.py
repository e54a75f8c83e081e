"""`azpack lock`: what it keeps, what it renews, and that other tools read what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from packaging.pylock import Pylock

from azpack.app.config import read_toml
from azpack.deps.uv import find_uv
from tests.commands import Azpack, make_app

if TYPE_CHECKING:
    from pathlib import Path

OLD = "idna==3.4\nzipp==3.17.0\n"


@pytest.fixture(scope="module")
def azpack(tmp_path_factory: pytest.TempPathFactory) -> Azpack:
    return Azpack(tmp_path_factory.mktemp("lock"), UV_HTTP_RETRIES="3")


def lock(azpack: Azpack, app: Path, *options: str, python: str = "3.11") -> Any:
    return azpack.run("lock", app, "--python", python, "--json", *options).data()


def locked(app: Path) -> dict[str, str]:
    packages = Pylock.from_dict(read_toml(app / "pylock.toml")).packages
    return {package.name: str(package.version) for package in packages}


@pytest.fixture
def app(azpack: Azpack, tmp_path: Path) -> Path:
    """An app that is locked to old versions, and now asks for any."""
    app = make_app(tmp_path / "app", OLD)
    data = lock(azpack, app)
    assert data["written"]
    assert data["path"] == str(app / "pylock.toml")
    assert locked(app) == {"idna": "3.4", "zipp": "3.17.0"}
    (app / "requirements.txt").write_text("idna\nzipp\n")
    return app


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], {"idna", "zipp"}),
        (["--upgrade-package", "IDNA"], {"zipp"}),
        (["--upgrade-package=idna", "--upgrade-package=zipp"], set()),
        (["--upgrade"], set()),
    ],
)
def test_versions_are_kept_unless_told(
    azpack: Azpack, app: Path, options: list[str], kept: set[str]
) -> None:
    before = locked(app)
    assert lock(azpack, app, *options)["written"]  # since the digest is another one
    after = locked(app)
    assert {name for name in after if after[name] == before[name]} == kept


def test_what_no_longer_fits_is_renewed_alone(azpack: Azpack, app: Path) -> None:
    (app / "requirements.txt").write_text("idna>3.4\nzipp\nsix==1.16.0\n")
    lock(azpack, app)
    after = locked(app)
    assert (after["zipp"], after["six"]) == ("3.17.0", "1.16.0")
    assert after["idna"] != "3.4"
    (app / "requirements.txt").write_text("six\n")
    lock(azpack, app)
    assert locked(app) == {"six": "1.16.0"}


def test_the_same_again_is_not_written(azpack: Azpack, app: Path) -> None:
    lock(azpack, app)
    path = app / "pylock.toml"
    content, inode = path.read_bytes(), path.stat().st_ino
    done = azpack.run("lock", app, "--python", "3.11")
    assert done.stdout.decode().startswith("unchanged: 2 distributions")
    assert (path.read_bytes(), path.stat().st_ino) == (content, inode)
    path.unlink()
    (app / "requirements.txt").write_text(OLD)
    lock(azpack, app)
    first = path.read_bytes()
    path.unlink()
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    azpack.run("lock", "--python", "3.11", cwd=app, environment=elsewhere)
    assert path.read_bytes() == first


def test_locked(azpack: Azpack, app: Path) -> None:
    def check(command: str, *options: str, python: str = "3.11") -> Any:
        return azpack.run(command, app, "--python", python, "--locked", "--json", *options)

    path = app / "pylock.toml"
    before = path.read_bytes()
    for command in ("lock", "build"):
        error = check(command).error(3, "lock-does-not-fit")
        assert "requirements.txt asks for something else now" in error["message"]
    (app / "requirements.txt").write_text(f"# {OLD}{OLD}")
    (app / "requirements.txt").write_text(f"# the old ones\n{OLD}")
    assert check("lock").data()["written"] is False
    assert len(check("build", "--dry-run").data()["distributions"]) == 2
    for command in ("lock", "build"):
        error = check(command, python="3.12").error(3, "lock-does-not-fit")
        assert "3.12" in error["message"]
    assert path.read_bytes() == before
    path.unlink()
    for command in ("lock", "build"):
        assert "azpack lock" in check(command).error(3, "no-lock")["hint"]
    assert not path.exists()
    assert not (app / "dist").exists()


def test_a_lock_that_does_not_fit_is_said_and_not_used(azpack: Azpack, app: Path) -> None:
    done = azpack.run("build", app, "--python", "3.11", "--dry-run", "--json")
    found = {entry["name"]: entry["version"] for entry in done.data()["distributions"]}
    assert found["idna"] != "3.4"
    assert "warning: pylock.toml does not fit" in done.stderr
    assert "azpack lock" in done.stderr


@pytest.mark.parametrize(
    ("content", "exit_code", "code"),
    [("<<<<<<< HEAD\n", 2, "bad-toml"), ("a = 1\n", 3, "bad-lock")],
)
def test_a_broken_lock(azpack: Azpack, app: Path, content: str, exit_code: int, code: str) -> None:
    (app / "pylock.toml").write_text(content)
    done = azpack.run("lock", app, "--python", "3.11", "--json")
    assert "pylock.toml" in done.error(exit_code, code)["message"]
    assert (app / "pylock.toml").read_text() == content
    # It says what helps.
    assert lock(azpack, app, "--upgrade")["written"]
    assert locked(app).keys() == {"idna", "zipp"}


REQUESTS = "requests==2.32.3\ncharset-normalizer==3.4.0\nidna==3.10\n"
PINS = {"requests", "charset-normalizer", "idna", "urllib3", "certifi"}


@pytest.fixture
def pins(azpack: Azpack, tmp_path: Path) -> Path:
    """The pins of an app with native code for 3.11, in pip's format."""
    app = make_app(tmp_path / "app", REQUESTS)
    data = lock(azpack, app, "--requirements-txt", str(tmp_path / "pins.txt"))
    assert {entry["name"] for entry in data["distributions"]} == PINS
    return tmp_path / "pins.txt"


def test_pip_installs_the_pins(azpack: Azpack, pins: Path, tmp_path: Path) -> None:
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (31, 28, 17)]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--require-hashes", "--quiet",
            "--no-cache-dir", "--target", tmp_path / "target", "--python-version=3.11",
            *platforms, "--platform=manylinux2014_x86_64", "--only-binary=:all:", "--report=-",
            "--disable-pip-version-check", "--requirement", pins,
        ],
        env=azpack.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["install"]
    found = {entry["metadata"]["name"].lower() for entry in report}
    assert found == PINS
    files = {entry["download_info"]["url"].rpartition("/")[2] for entry in report}
    assert any(name.startswith("charset_normalizer-3.4.0-cp311-cp311") for name in files)


@pytest.mark.parametrize("command", ["compile", "install"])
def test_uv_reads_the_pins(azpack: Azpack, pins: Path, tmp_path: Path, command: str) -> None:
    folder = str(tmp_path / "target")
    arguments = {
        "compile": [str(pins), "--generate-hashes", "-o", f"{folder}/again.txt"],
        "install": ["--dry-run", "--require-hashes", "--target", folder, "-r", str(pins)],
    }[command]
    (tmp_path / "target").mkdir()
    done = subprocess.run(
        [
            find_uv(), "pip", command, *arguments, "--python-version", "3.11", "--python-platform",
            "x86_64-manylinux_2_31", "--python", sys.executable, "--no-config",
        ],
        env={**azpack.environment, "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for pin in ("charset-normalizer==3.4.0", "idna==3.10", "requests==2.32.3"):
        assert pin in done.stdout + done.stderr


def test_the_pins_stand_where_they_are_asked_for(azpack: Azpack, app: Path) -> None:
    done = azpack.run("lock", "--python", "3.11", "--requirements-txt", "out/pins.txt", cwd=app)
    assert done.code == 0
    text = (app / "out/pins.txt").read_text()
    assert "idna==3.4 \\\n    --hash=sha256:" in text
    error = azpack.run(
        "lock", app, "--python", "3.11", "--json", "--requirements-txt", app / "requirements.txt"
    ).error(2, "overwrites-requirements")
    assert "requirements.txt" in error["message"]
    assert (app / "requirements.txt").read_text() == "idna\nzipp\n"


def test_nothing_to_lock(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", None)
    done = azpack.run("lock", app, "--python", "3.11", "--json")
    assert done.error(2, "nothing-to-lock")
    (app / "requirements.txt").write_text("# nothing yet\n")
    assert lock(azpack, app)["distributions"] == []
    assert locked(app) == {}
    assert azpack.run("build", app, "--python", "3.11", "--locked").code == 0
