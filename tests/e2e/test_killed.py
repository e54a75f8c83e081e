"""Builds that are killed at any moment, and builds that get into each other's way.

Distributions come from a folder. One of them is large, and so is the app: each phase takes a while.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_sdist, make_wheel, noise

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20
LARGE = 30_000_000


@dataclass(frozen=True, kw_only=True)
class Site:
    """An app, where its distributions are, and the zip it should come to."""

    app: Path
    links: Path
    reference: bytes
    seconds: float  # that a build with a cold cache takes

    @property
    def arguments(self) -> list[str]:
        return ["build", str(self.app), "--no-index", "--find-links", str(self.links),
                "--python", "3.11", "--quiet"]  # fmt: skip

    @property
    def output(self) -> Path:
        return self.app / "dist" / "app.zip"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("killed")
    links = folder / "links"
    make_wheel(links, "large", files={"large.bin": noise(LARGE)})
    for number in range(20):
        make_wheel(links, f"small-{number}")
    make_sdist(links, "source")
    names = ["large", "source", *(f"small-{number}" for number in range(20))]
    app = make_app(folder / "app", "\n".join(names), files={"host.json": "{}"})
    # Packing it takes about as long as all that comes before.
    (app / "model.bin").write_bytes(noise(LARGE, "model"))
    azpack = Azpack(folder)
    site = Site(app=app, links=links, reference=b"", seconds=0.0)
    assert azpack.run(*site.arguments).code == 0  # for uv's cache
    azpack.forget()
    start = time.monotonic()
    assert azpack.run(*site.arguments).code == 0
    seconds = time.monotonic() - start
    return Site(app=app, links=links, reference=site.output.read_bytes(), seconds=seconds)


def assert_store_is_right(azpack: Azpack) -> None:
    """What stands under a hash has that hash, and what a killed build wrote is in tmp alone."""
    store = azpack.cache / "v1"
    for folder in store.glob("wheels/*/*"):
        (wheel,) = folder.glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == folder.name
        assert folder.parent.name == folder.name[:2]
        assert (folder / "contents.json").read_bytes().endswith(b"}")
    for folder in store.glob("segments/*"):
        assert {"data", "directory", "meta.json"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_build_loses_nothing(site: Site, tmp_path: Path, number: int) -> None:
    azpack = Azpack(tmp_path, UV_CACHE_DIR=str(site.app.parent / "uv"))
    old = zip_of(b"an earlier build")
    site.output.write_bytes(old)
    # Spread over the whole of it, and a little beyond.
    delay = site.seconds * 1.1 * (number + random.random()) / KILLS  # noqa: S311
    process = azpack.start(*site.arguments)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert site.output.read_bytes() in (old, site.reference)
    with zipfile.ZipFile(site.output) as package:
        assert package.testzip() is None
    assert_store_is_right(azpack)
    assert half_written(site) == []

    done = azpack.run(*site.arguments)
    assert done.code == 0, done.stderr
    assert site.output.read_bytes() == site.reference
    assert_store_is_right(azpack)
    azpack.forget()  # twenty of them are a gigabyte


def zip_of(content: bytes) -> bytes:
    import io

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("content", content)
    return made.getvalue()


def half_written(site: Site) -> list[str]:
    companions = ("app.manifest.json", "app.settings.json")
    names = [path.name for path in site.output.parent.iterdir() if path != site.output]
    return [name for name in names if name not in companions]


def test_what_killed_builds_leave_is_never_packed(site: Site, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    left = site.output.with_name(".app.zip.0011aabb.tmp")
    left.write_bytes(b"half of a zip")
    try:
        assert azpack.run(*site.arguments).code == 0
        assert site.output.read_bytes() == site.reference
    finally:
        left.unlink()


def test_pruning_removes_what_killed_builds_left(site: Site, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    assert azpack.run(*site.arguments).code == 0
    before = project_files(azpack.cache)
    left = azpack.cache / "v1" / "tmp" / "0123456789abcdef"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    assert azpack.run("cache", "prune").code == 0
    assert left.is_dir()  # another build may be at work in it
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (long_ago, long_ago))
    assert azpack.run("cache", "prune").code == 0
    assert not left.exists()
    assert project_files(azpack.cache) == before


def test_builds_at_once_into_the_same_output(site: Site, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    for count in (2, 3):
        azpack.forget()
        site.output.unlink()
        builds = [azpack.start(*site.arguments) for _ in range(count)]
        for build in builds:
            _, stderr = build.communicate(timeout=120)
            assert build.returncode == 0, stderr.decode()
            # The output is whole as soon as the first has ended, whatever the others do.
            assert site.output.read_bytes() == site.reference
        assert_store_is_right(azpack)
        assert half_written(site) == []
        assert list((azpack.cache / "v1" / "tmp").iterdir()) == []


def test_a_build_while_the_cache_is_cleared(site: Site, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    build = azpack.start(*site.arguments, "--json")
    while build.poll() is None:
        assert azpack.run("cache", "clear").code == 0
    _, stderr = build.communicate(timeout=120)
    # It may fail, but it says so, and what is there is whole.
    assert build.returncode in (0, 6), stderr.decode()
    assert b"Traceback" not in stderr
    assert azpack.run(*site.arguments).code == 0
    assert site.output.read_bytes() == site.reference
