"""Wheels of an index whose code is not what their tags promise, with really compiled code."""

from __future__ import annotations

import json
import platform
import struct
import subprocess
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from azpack.deps.elf import read_object
from tests.commands import Azpack, make_app
from tests.distributions import make_wheel
from tests.objects import EM_AARCH64, reading
from tests.servers import IndexServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULE = """
#include <pthread.h>
void *PyInit__x(void) {{ {body}; return 0; }}
"""
NOTHING = "(void)0"
# glibc 2.34 took this into libc.so.6, under a new version.
NEW_IN_234 = "pthread_create(0, 0, 0, 0)"
BINARY = "cp311-cp311-manylinux_2_17_x86_64"
STABLE = "cp38-abi3-manylinux_2_17_x86_64"
FOR_311 = "_x.cpython-311-x86_64-linux-gnu.so"
FOR_312 = "_x.cpython-312-x86_64-linux-gnu.so"


@pytest.fixture(scope="module")
def compile_module(
    compiler: str, need: Callable[[str, str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], bytes]:
    """Compile a module that does this when it is imported."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        need("gcc", "what gcc makes here is not for Azure")
    folder = tmp_path_factory.mktemp("compiled")

    def run(body: str) -> bytes:
        (folder / "x.c").write_text(MODULE.format(body=body))
        command = [compiler, "-shared", "-fPIC", "-o", "x.so", "x.c", "-lpthread"]
        subprocess.run(command, cwd=folder, check=True)
        return (folder / "x.so").read_bytes()

    return run


@pytest.fixture(scope="module")
def links(
    compile_module: Callable[[str], bytes],
    need: Callable[[str, str], NoReturn],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    new, old = compile_module(NEW_IN_234), compile_module(NOTHING)
    found = read_object(reading(new))
    if found is None or ("libc.so.6", "GLIBC_2.34") not in found.versions:
        need("gcc", "the glibc here is older than 2.34")
    arm = old[:18] + struct.pack("<H", EM_AARCH64) + old[20:]
    folder = tmp_path_factory.mktemp("links")
    for name, tag, module, content in (
        ("fine", BINARY, FOR_311, old),
        ("new-glibc", STABLE, "_x.abi3.so", new),
        ("arm", BINARY, FOR_311, arm),
        ("arm-library", "py3-none-any", "libx.so.1", arm),
        ("other-python", BINARY, FOR_312, old),
        ("other-python-pure", "py3-none-any", FOR_312, old),
        ("several", "py3-none-any", FOR_312, old),
        ("mended", BINARY, FOR_312, old),
    ):
        files = {f"{name}/__init__.py": b"", f"{name}/{module}": content}
        if name == "several":
            files[f"{name}/{FOR_311}"] = old
        make_wheel(folder, name, files=files, tag=tag)
    make_wheel(folder, "mended", "2.0")
    return folder


@pytest.fixture
def server(links: Path) -> Iterator[IndexServer]:
    with IndexServer(links) as running:
        yield running


@pytest.fixture
def azpack(tmp_path: Path, server: IndexServer) -> Azpack:
    return Azpack(tmp_path, AZPACK_PYTHON="3.11", AZPACK_INDEX_URL=server.url)


def lines(error: Any) -> list[str]:
    return [line.strip() for line in error["message"].splitlines()[1:]]


def fetched(server: IndexServer) -> list[str]:
    """The wheels that were asked for since the last time."""
    paths = server.paths_asked()
    server.asked.clear()
    return [path for path in paths if path.endswith(".whl")]


def test_all_that_would_not_load_is_named(
    azpack: Azpack, server: IndexServer, tmp_path: Path
) -> None:
    names = ["arm", "arm-library", "fine", "new-glibc", "other-python", "other-python-pure"]
    app = make_app(tmp_path / "app", "\n".join(names))
    error = azpack.run("build", app, "--json").error(4, "no-usable-wheels")
    elsewhere = "is for aarch64, Azure runs x86_64 (glibc)"
    faults = {
        f"arm 1.0: arm-1.0-{BINARY}.whl": f"arm/{FOR_311} {elsewhere}",
        "arm-library 1.0: arm_library-1.0-py3-none-any.whl": f"arm-library/libx.so.1 {elsewhere}",
        f"new-glibc 1.0: new_glibc-1.0-{STABLE}.whl": (
            "new-glibc/_x.abi3.so needs GLIBC_2.34, the target has GLIBC_2.31"
        ),
        f"other-python 1.0: other_python-1.0-{BINARY}.whl": (
            f"other-python/{FOR_312} is for CPython 3.12, the target is CPython 3.11"
        ),
        "other-python-pure 1.0: other_python_pure-1.0-py3-none-any.whl": (
            f"other-python-pure/{FOR_312} is for CPython 3.12, the target is CPython 3.11"
        ),
    }
    assert lines(error) == [
        f"{wheel} does not run on the target: {fault}" for wheel, fault in faults.items()
    ]
    assert {row["code"] for row in error["context"]["distributions"]} == {"does-not-fit"}
    assert "new-glibc: the wheel does not keep what its tag promises" in error["hint"]
    assert not (app / "dist").exists()
    assert len(fetched(server)) == len(names)
    # Known from the store, without getting it again.
    again = azpack.run("build", app, "--json").error(4, "no-usable-wheels")
    assert (lines(again), fetched(server)) == (lines(error), [])


def test_what_the_store_has_for_one_target_does_not_pass_for_another(
    azpack: Azpack, server: IndexServer, tmp_path: Path
) -> None:
    app = make_app(tmp_path / "app", "new-glibc\nseveral\n")
    done = azpack.run("build", app, "--json", "--python", "3.12")
    assert [row["name"] for row in done.data()["distributions"]] == ["new-glibc", "several"]
    assert len(fetched(server)) == 2
    error = azpack.run("build", app, "--json").error(4, "does-not-fit")
    assert "new-glibc/_x.abi3.so needs GLIBC_2.34, the target has GLIBC_2.31" in lines(error)[0]
    assert fetched(server) == []
    # As is one that is missing, and so got, beside one that is in the store.
    (app / "requirements.txt").write_text("new-glibc\narm\n")
    error = azpack.run("build", app, "--json").error(4, "no-usable-wheels")
    assert [line.partition(" ")[0] for line in lines(error)] == ["arm", "new-glibc"]


def test_a_lock_that_fits_is_no_way_round(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "new-glibc\nfine\n")
    assert azpack.run("lock", app).code == 0
    for _ in range(2):
        error = azpack.run("build", app, "--json", "--locked").error(4, "does-not-fit")
        assert "GLIBC_2.34" in error["message"]


def test_another_version_is_named(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "mended==1.0\n")
    error = azpack.run("build", app, "--json").error(4, "does-not-fit")
    assert "mended: version 2.0 has a wheel that fits" in error["hint"]


def test_a_store_that_knows_nothing_of_code(
    azpack: Azpack, server: IndexServer, tmp_path: Path
) -> None:
    app = make_app(tmp_path / "app", "fine\n")
    assert azpack.run("build", app).code == 0
    assert len(fetched(server)) == 1
    (place,) = azpack.cache.glob("v1/wheels/*/*/contents.json")
    contents = json.loads(place.read_bytes())
    assert len(contents.pop("native")) == 3
    for text in (json.dumps(contents), '{"native": 1}', "", "[]"):
        place.write_text(text)
        assert azpack.run("build", app).code == 0
        assert len(fetched(server)) == 1
        assert "native" in json.loads(place.read_bytes())
    assert azpack.run("build", app).code == 0
    assert fetched(server) == []
