"""The same project is the same bytes, whoever builds it, where, and when."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_sdist, make_wheel
from tests.fixture_apps import copy_app

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("links")
    make_wheel(folder, "alpha", requires=["beta"], files={f"alpha/{n}.py": b"" for n in "zayb"})
    make_wheel(folder, "beta", files={"alpha/y.py": b"", "tests/x.py": b"beta's"})
    make_wheel(folder, "gamma", files={"tests/x.py": b"gamma's"})
    make_sdist(folder, "source")
    return folder


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The fixture app with the awkward names, links and modes, and dependencies from a folder."""
    app = copy_app("awkward-tree", tmp_path / "original")
    (app / "requirements.txt").write_text("alpha\nbeta\ngamma\nsource\n", encoding="utf-8")
    return app


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """How a checkout differs from others."""

    path: str = "app"
    reverse: bool = False
    umask: int = 0o022
    moment: float = 1_500_000_000.0
    environment: Mapping[str, str] = field(default_factory=dict)


def check_out(original: Path, copy: Path, how: Checkout) -> None:
    """Copy an app file by file: the order of that is the order in which folders list them."""
    paths = sorted(original.rglob("*"), reverse=how.reverse)
    folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
    copy.mkdir(parents=True)
    for folder in folders:
        (copy / folder.relative_to(original)).mkdir(parents=True, exist_ok=True)
    for path in paths:
        place = copy / path.relative_to(original)
        if path.is_symlink():
            place.symlink_to(path.readlink())
        elif path.is_file():
            shutil.copyfile(path, place)
            mode = 0o777 if path.stat().st_mode & 0o100 else 0o666
            place.chmod(mode & ~how.umask)
    for place in sorted(copy.rglob("*"), reverse=True):
        os.utime(place, (how.moment, how.moment), follow_symlinks=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Checkout(), Checkout(path="much/deeper/in/another place")),
        (Checkout(), Checkout(reverse=True)),
        (Checkout(), Checkout(umask=0o077)),
        (Checkout(umask=0o027), Checkout(umask=0o000)),
        (Checkout(), Checkout(moment=86400.0)),  # before 1980
        (Checkout(), Checkout(environment={"LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"})),
        (Checkout(), Checkout(environment=ASCII)),
        (Checkout(), Checkout(environment={"PYTHONHASHSEED": "1"})),
        (Checkout(environment=EPOCH), Checkout(environment={**EPOCH, "TZ": "America/Caracas"})),
        (
            Checkout(),
            Checkout(path="Zoë", reverse=True, umask=0o077, moment=2e9, environment=ASCII),
        ),
    ],
    ids=["path", "order", "umask", "masks", "times", "locale", "ascii", "hashes", "epoch", "all"],
)
def test_checkouts_that_differ(
    original: Path, links: Path, tmp_path: Path, one: Checkout, other: Checkout
) -> None:
    built = []
    for name, how in (("one", one), ("other", other)):
        app = tmp_path / name / how.path
        check_out(original, app, how)
        # A cache of its own: nothing comes from the other build.
        azpack = Azpack(tmp_path / name)
        outputs = tmp_path / name / "outputs"
        outputs.mkdir()
        before = os.umask(how.umask)
        try:
            done = azpack.run(
                "build", app, "--no-index", "--find-links", links, "--python", "3.11",
                "--checksum", "--output", outputs / "app.zip", environment=how.environment,
            )  # fmt: skip
        finally:
            os.umask(before)
        assert done.code == 0, done.stderr
        built.append(project_files(outputs))
    assert sorted(built[0]) == [
        "app.manifest.json", "app.settings.json", "app.zip", "app.zip.sha256",
    ]  # fmt: skip
    assert built[0] == built[1]


def test_building_again_is_the_same(original: Path, links: Path, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    options = ["--no-index", "--find-links", str(links), "--python", "3.11"]
    built = []
    for more in ([], ["--quiet"], ["--checksum", "-v"]):
        assert azpack.run("build", original, *options, *more).code == 0
        built.append((original / "dist" / "awkward-tree.zip").read_bytes())
    # What stands at the default place is not packed where another is named.
    done = azpack.run("build", original, *options, "--output", "-")
    assert done.code == 0
    assert {done.stdout, *built} == {built[0]}


def test_a_lock_gives_the_same_package(original: Path, links: Path, tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    options = ["--no-index", "--find-links", str(links), "--python", "3.11"]
    digests = []
    assert azpack.run("lock", original, *options).code == 0
    for _ in range(2):
        data = azpack.run("build", original, *options, "--locked", "--json").data()
        digests.append(data["package"]["content_digest"])
    azpack.forget()
    (original / "requirements.txt").touch()
    data = azpack.run("build", original, *options, "--json").data()
    assert {data["package"]["content_digest"], *digests} == {digests[0]}


def test_another_time_is_asked_for(tmp_path: Path) -> None:
    import zipfile

    azpack, app = Azpack(tmp_path), make_app(tmp_path / "app")
    times = set()
    for environment in ({}, EPOCH):
        done = azpack.run("build", app, "--python", "3.11", environment=environment)
        assert done.code == 0
        with zipfile.ZipFile(app / "dist/app.zip") as package:
            times |= {entry.date_time for entry in package.infolist()}
    assert times == {(1980, 1, 1, 0, 0, 0), (2023, 11, 14, 22, 13, 20)}
