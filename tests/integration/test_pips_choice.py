"""Which of several files pip takes: of the two versions of pip that the platform has."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from azpack.deps.holdings import Pin, find_holdings
from azpack.deps.index import IndexSettings
from azpack.deps.interpreters import find_interpreter
from azpack.deps.lock import LockedDistribution
from azpack.deps.pips_choice import Taken, find_taken
from azpack.target.target import find_target
from tests.distributions import make_sdist, make_wheel
from tests.servers import Form, IndexServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import NoReturn

# What Oryx has for Python below 3.12, and the newest, which it has from there on.
PIPS = ("pip==21.2.4", "pip")


@pytest.fixture(scope="session")
def python(need: Callable[[str, str], NoReturn]) -> str:
    """An interpreter that both versions run on."""
    if sys.version_info.minor < 12:
        return sys.executable
    found = find_interpreter("3.11", os.environ)
    return str(found) if found else need("pythons", "there is no Python 3.11 here")


@pytest.fixture(scope="session")
def pips(python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The command of each version of pip."""
    commands = {}
    for name in PIPS:
        folder = tmp_path_factory.mktemp("pip")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target",
             str(folder), name],
            check=True, capture_output=True,
        )  # fmt: skip
        commands[name] = [python, str(folder / "pip")]
    return commands


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is on an index, an extra one, and a second extra one; `taken` says the place of which.

    Files are tags of wheels of `one` 1.0, or whole filenames; what begins with `~` is yanked. With
    `links` the first place is not an index, but links. With `again` the first index is named again
    as the last one.
    """

    places: tuple[tuple[str, ...], ...]
    taken: tuple[str, int]
    wanted: str = "1.0"
    links: bool = False
    again: bool = False
    requires_python: dict[int, str] = field(default_factory=dict)


ANY = "py3-none-any"
WHEEL, SDIST = f"one-1.0-{ANY}.whl", "one-1.0.tar.gz"
NEW, OLD = "{0}-{0}-manylinux_2_28_x86_64", "{0}-{0}-manylinux2014_x86_64"
on_linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="wheels for Linux on x86-64"
)
CASES = {
    "the same on two": Case(places=((ANY,), (ANY,)), taken=(WHEEL, 1)),
    "the same on three": Case(places=((ANY,), (ANY,), (ANY,)), taken=(WHEEL, 2)),
    "the same on an index named twice": Case(
        places=((ANY,), (ANY,)), again=True, taken=(WHEEL, 1)
    ),
    "the same in links": Case(places=((ANY,), (ANY,)), links=True, taken=(WHEEL, 1)),
    "a better tag": Case(
        places=(("py{1}-none-any",), (ANY,)), taken=("one-1.0-py{1}-none-any.whl", 0)
    ),
    "a better platform": Case(places=((NEW,), (OLD,)), taken=(f"one-1.0-{NEW}.whl", 0)),
    "platforms in one name": Case(
        places=((f"{OLD}.manylinux_2_5_x86_64",), (ANY,)),
        taken=(f"one-1.0-{OLD}.manylinux_2_5_x86_64.whl", 0),
    ),
    "a build": Case(places=((f"1-{ANY}",), (ANY,)), taken=(f"one-1.0-1-{ANY}.whl", 0)),
    "builds": Case(
        places=((f"10a-{ANY}",), (f"9z-{ANY}",)), taken=(f"one-1.0-10a-{ANY}.whl", 0)
    ),
    "a tag before a build": Case(
        places=(("py{1}-none-any",), (f"7-{ANY}",)), taken=("one-1.0-py{1}-none-any.whl", 0)
    ),
    "a wheel and an sdist": Case(places=((ANY,), (SDIST,)), taken=(WHEEL, 0)),
    "sdists": Case(places=((SDIST,), (SDIST,)), taken=(SDIST, 1)),
    "yanked": Case(places=((ANY,), (f"~{ANY}",)), taken=(WHEEL, 0)),
    "an sdist and a yanked wheel": Case(places=((SDIST,), (f"~{ANY}",)), taken=(SDIST, 0)),
    "all yanked": Case(places=((f"~{ANY}",), (f"~{ANY}",)), taken=(WHEEL, 1)),
    "not for this Python": Case(
        places=((ANY,), (ANY,)), requires_python={1: "<3"}, taken=(WHEEL, 0)
    ),
    "not for this platform": Case(places=((ANY,), ("py3-none-win32",)), taken=(WHEEL, 0)),
    "equal ones on a page": Case(
        places=(("one-1.0-py3-none-any.whl", "one-1.0.0-py3-none-any.whl"),),
        taken=("one-1.0.0-py3-none-any.whl", 0),
    ),
    "another version": Case(places=((ANY,), (f"one-2.0-{ANY}.whl",)), taken=(WHEEL, 0)),
    "a local version": Case(
        places=((f"one-1.0+zzz-{ANY}.whl",), (ANY,)), taken=(f"one-1.0+zzz-{ANY}.whl", 0)
    ),
    "a wheel before a local version": Case(
        places=(("one-1.0+zzz.tar.gz",), (ANY,)), taken=(WHEEL, 1)
    ),
    "the only local version": Case(
        places=((f"one-1.0+a-{ANY}.whl",), (f"one-1.0+b-{ANY}.whl", ANY)), wanted="1.0+a",
        taken=(f"one-1.0+a-{ANY}.whl", 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[on_linux] if "platform" in name else [])
        for name, case in CASES.items()
    ],
)
def test_what_pip_takes(
    pips: Mapping[str, list[str]], python: str, tmp_path: Path, pip: str, case: Case
) -> None:
    version = version_of(python)
    interpreter = f"cp{version.replace('.', '')}"
    filled = [
        [name.format(interpreter, interpreter.removeprefix("cp")) for name in names]
        for names in case.places
    ]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                serve(tmp_path / str(place), names, case.requires_python.get(place))
            )
            for place, names in enumerate(filled)
        ]
        indexes = settings(servers, links=case.links, again=case.again)
        target = find_target(tmp_path, python=version)
        entry = LockedDistribution(name="one", version=case.wanted, kind="wheel", url="")
        pin = Pin(entry=entry, allowed=frozenset())
        predicted = find_taken([pin], target, find_holdings([pin], indexes))["one"]
        for server in servers:
            server.asked.clear()
        install([*pips[pip], "install"], indexes, case.wanted, tmp_path / "installed")
        taken = [
            (unquote(path.removeprefix("/files/")), place)
            for place, server in enumerate(servers)
            for path in server.paths_asked()
            if path.startswith("/files/") and not path.endswith(".metadata")
        ]
    filename, place = case.taken
    filename = filename.format(interpreter, interpreter.removeprefix("cp"))
    assert set(taken) == {(filename, place)}
    asked = [*indexes.find_links, indexes.index_url, *indexes.extra_index_urls]
    assert predicted == Taken(filename=filename, place=asked[place], is_pinned=False)


def version_of(python: str) -> str:
    script = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def serve(folder: Path, names: Sequence[str], requires_python: str | None) -> IndexServer:
    """An index of `one`, whose files have other bytes than those of the same name elsewhere."""
    folder.mkdir()
    yanked = {}
    for name in names:
        filename = name.removeprefix("~")
        if filename.startswith("one-"):
            made = make(folder, filename, requires_python)
        else:
            made = make(folder, f"one-1.0-{filename}.whl", requires_python)
        if name.startswith("~"):
            yanked[made.name] = "it breaks"
    return IndexServer(folder, form=Form(yanked=yanked))


def make(folder: Path, filename: str, requires_python: str | None) -> Path:
    if filename.endswith(".tar.gz"):
        version = filename.removesuffix(".tar.gz").partition("-")[2]
        return make_sdist(folder, "one", version)
    version, _, tag = filename.removesuffix(".whl").partition("-")[2].partition("-")
    files = {"one.py": f"FOLDER = {folder.name!r}\n".encode()}
    return make_wheel(
        folder, "one", version, tag=tag, files=files, requires_python=requires_python or ""
    )


def settings(servers: Sequence[IndexServer], *, links: bool, again: bool) -> IndexSettings:
    urls = [server.url for server in servers]
    if links:
        (page, index) = urls
        return IndexSettings(find_links=(f"{page}/one/",), index_url=index)
    extra = (*urls[1:], urls[0]) if again else tuple(urls[1:])
    return IndexSettings(index_url=urls[0], extra_index_urls=extra)


def install(command: list[str], indexes: IndexSettings, version: str, folder: Path) -> None:
    """Install `one` as Oryx does, with the app settings of these indexes."""
    kept = {name: it for name, it in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [*command, "--prefer-binary", "--target", str(folder), "--no-cache-dir",
         f"one=={version}"],
        env={**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
             **indexes.for_platform()},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
