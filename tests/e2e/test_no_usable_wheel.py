"""Distributions without a wheel that the target runs: all in one error, with the ways out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_sdist, make_wheel
from tests.servers import IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_SDIST = "there is no sdist to build it from"
PASSWORD = "kept-to-us~99"
FAILING = "def build_wheel(*_, **__): raise SystemExit('no such header')\n"
# The name and what is wrong with it, then the ways out.
NEWER = f"newer 1.0: its wheels are for cp312 on Linux; {NO_SDIST}"
GLIBC = f"glibc 1.0: its wheels for Linux need glibc 2.39, the target has 2.31; {NO_SDIST}"
WINDOWS = f"windows 306: its wheels are for cp311 on Windows; {NO_SDIST}"
MAC = f"mac 1.0: its wheels are for cp311 on macOS; {NO_SDIST}"
ABI = f"abi 1.0: its wheels are for cp311 on Linux; {NO_SDIST}"
OLD = f"old-style 1.0: its wheels are for py2 on any; {NO_SDIST}"
MARKER = "Azure runs Linux: add  ; sys_platform == '{}'  behind that requirement"


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("links")
    make_wheel(folder, "fine")
    make_wheel(folder, "fine", "2.0")
    make_wheel(folder, "newer", tag="cp312-cp312-manylinux_2_17_x86_64")
    make_wheel(folder, "newer", "0.9", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(folder, "glibc", tag="cp311-cp311-manylinux_2_39_x86_64")
    make_wheel(folder, "windows", "306", tag="cp311-cp311-win_amd64")
    make_wheel(folder, "mac", tag="cp311-cp311-macosx_11_0_arm64")
    make_wheel(folder, "abi", tag="cp311-cp311t-manylinux_2_17_x86_64")
    make_wheel(folder, "Old.Style", tag="py2-none-any")
    # What is met only when it has been taken: its own requirement, and a requirement's.
    make_wheel(folder, "top", requires=["windows", "middle"])
    make_wheel(folder, "middle", requires=["mac==1.0"])
    make_wheel(folder, "several", tag="py2-none-any")
    make_wheel(folder, "several", "2.0", tag="cp311-cp311-win_amd64")
    make_wheel(folder, "needs", requires=["fine<2"])
    make_sdist(folder, "failing", "2.0", backend=FAILING)
    make_wheel(folder, "failing")
    make_sdist(folder, "unknown", backend=FAILING, dynamic=True)
    return folder


@pytest.fixture(scope="module")
def server(links: Path) -> Iterator[IndexServer]:
    with IndexServer(links, user="me", password=PASSWORD) as running:
        yield running


@pytest.fixture
def azpack(tmp_path: Path, server: IndexServer) -> Azpack:
    return Azpack(tmp_path, AZPACK_PYTHON="3.11", AZPACK_INDEX_URL=server.url_as("me", PASSWORD))


def fails(
    azpack: Azpack, app: Path, code: int, name: str, *options: str, command: str = "build"
) -> Any:
    before = project_files(app)
    done = azpack.run(command, app, "--json", *options)
    error = done.error(code, name)
    assert project_files(app) == before
    assert PASSWORD not in done.stdout.decode() + done.stderr
    return error


def lines(error: Any) -> list[str]:
    """What the error says of each distribution."""
    first, *rest = error["message"].splitlines()
    count = "1 distribution has" if len(rest) == 1 else f"{len(rest)} distributions have"
    assert first == f"{count} no usable wheel for Python 3.11 on manylinux_2_31_x86_64"
    return [line.strip() for line in rest]


@pytest.mark.parametrize(
    ("command", "options"), [("build", []), ("build", ["--dry-run"]), ("lock", [])]
)
def test_all_are_named_with_the_ways_out(
    azpack: Azpack, tmp_path: Path, command: str, options: list[str]
) -> None:
    listed = "newer==1.0\nglibc\nfine\nold.style\nabi\nwindows==306\nmac==1.0\n"
    app = make_app(tmp_path / "app", listed)
    error = fails(azpack, app, 4, "no-usable-wheels", *options, command=command)
    assert lines(error) == [ABI, GLIBC, MAC, NEWER, OLD, WINDOWS]
    assert error["hint"].splitlines() == [
        f"mac: {MARKER.format('darwin')}",
        "newer: version 0.9 has a wheel that fits",
        "newer: this version has a wheel for Python 3.12 (--python)",
        f"windows: {MARKER.format('win32')}",
    ]
    rows = error["context"]["distributions"]
    assert [row["name"] for row in rows if row["fitting_version"]] == ["newer"]


def test_what_is_advised_helps(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "newer==1.0\nwindows ; sys_platform == 'win32'\n")
    done = azpack.run("build", app, "--json", "--python", "3.12")
    assert [row["version"] for row in done.data()["distributions"]] == ["1.0"]
    (app / "requirements.txt").write_text("newer==0.9\n")
    assert azpack.run("build", app, "--json").code == 0


def test_names_that_are_met_behind_others(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "top\nnewer==1.0\n")
    assert lines(fails(azpack, app, 4, "no-usable-wheels")) == [MAC, NEWER, WINDOWS]


def test_of_several_versions_none_is_meant(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "several\n")
    error = fails(azpack, app, 4, "no-usable-wheel")
    assert lines(error) == [f"several: its wheels are for cp311 on Windows; {NO_SDIST}"]
    app = make_app(tmp_path / "other", "several<2\n")
    assert (
        "several 1.0: its wheels are for py2" in lines(fails(azpack, app, 4, "no-usable-wheel"))[0]
    )


def test_pyproject(azpack: Azpack, tmp_path: Path) -> None:
    project = '[project]\nname = "app"\nversion = "1"\ndependencies = ["windows", "glibc"]\n'
    app = make_app(tmp_path / "app", None, files={"pyproject.toml": project})
    assert lines(fails(azpack, app, 4, "no-usable-wheels")) == [GLIBC, WINDOWS]


@pytest.mark.parametrize("more", ["nobody-has-this\n", "fine>5\n", "needs\nfine>=2\n", "unknown\n"])
def test_where_something_else_is_wrong_too(azpack: Azpack, tmp_path: Path, more: str) -> None:
    app = make_app(tmp_path / "app", f"windows\n{more}")
    error = fails(azpack, app, 3, "no-solution")
    assert "can't be resolved for Python 3.11" in error["message"]


def test_which_indexes_were_asked(azpack: Azpack, server: IndexServer, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "nobody-has-this\n")
    hint = fails(azpack, app, 3, "no-solution")["hint"]
    assert f"asked: {server.url}" in hint
    extra = server.url_as("me", PASSWORD).replace("/simple", "/more")
    hint = fails(azpack, app, 3, "no-solution", "--extra-index-url", extra)["hint"]
    order = f"asked in this order: {server.url.replace('simple', 'more')}, {server.url};"
    assert order in hint
    assert "--index-strategy best-match" in hint


def test_links_alone(azpack: Azpack, links: Path, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "windows\nnewer==1.0\n")
    options = ("--no-index", "--find-links", str(links))
    error = fails(azpack, app, 4, "no-usable-wheels", *options)
    assert lines(error) == [NEWER, WINDOWS]
    assert "newer: version 0.9 has a wheel that fits" in error["hint"]
    assert f"windows: {MARKER.format('win32')}" in error["hint"]


def test_a_wheel_that_is_named_by_its_path(
    azpack: Azpack, server: IndexServer, links: Path, tmp_path: Path
) -> None:
    wheels = [links / "glibc-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
              links / "windows-306-cp311-cp311-win_amd64.whl"]  # fmt: skip
    app = make_app(tmp_path / "app", "".join(f"{wheel}\n" for wheel in wheels))
    server.asked.clear()
    error = fails(azpack, app, 4, "no-usable-wheels")
    why = "the wheel that its URL names does not fit the target"
    assert lines(error) == [f"glibc 1.0: {why}", f"windows 306: {why}"]
    # What an index has by these names need not be the same.
    assert server.asked == []


def test_a_source_that_can_not_be_built(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "failing==2.0\nfine\n")
    local = fails(azpack, app, 4, "build-failed", "--mode", "local")
    # Where a container might have helped, that is said too.
    error = fails(azpack, app, 5, "no-engine")
    for message in (local["message"], error["message"]):
        assert "failing 2.0: no wheel is published; failing-2.0.tar.gz can't" in message
        assert "no such header" in message
    assert "engine" not in local["message"]
    assert "1 distribution has to be built in a container, and there is no engine" in message
    for hint in (local["hint"], error["hint"]):
        assert "failing: version 1.0 has a wheel that fits" in hint


def test_a_lock_of_which_several_can_not_be_had(
    azpack: Azpack, server: IndexServer, links: Path, tmp_path: Path
) -> None:
    text = 'lock-version = "1.0"\ncreated-by = "another tool"\n'
    for name, version, file in (
        ("failing", "2.0", "failing-2.0.tar.gz"),
        ("fine", "1.0", "fine-1.0-py3-none-any.whl"),
        ("glibc", "1.0", "glibc-1.0-cp311-cp311-manylinux_2_39_x86_64.whl"),
        ("windows", "306", "windows-306-cp311-cp311-win_amd64.whl"),
    ):
        sha256 = hashlib.sha256((links / file).read_bytes()).hexdigest()
        table = "[packages.sdist]" if file.endswith(".gz") else "[[packages.wheels]]"
        text += f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{table}\n'
        text += f'url = "{server.file_url(file)}"\nhashes = {{sha256 = "{sha256}"}}\n'
    app = make_app(tmp_path / "app", None, files={"pylock.toml": text})
    error = fails(azpack, app, 4, "no-usable-wheels", "--locked")
    assert [row["code"] for row in error["context"]["distributions"]] == [
        "build-failed", "no-usable-wheel", "no-usable-wheel",
    ]  # fmt: skip
    message = error["message"]
    assert message.startswith("3 distributions have no usable wheel")
    assert "glibc 1.0: its wheels for Linux need glibc 2.39" in message
    assert "windows 306: its wheels are for cp311 on Windows" in message
    assert "failing: version 1.0 has a wheel that fits" in error["hint"]
