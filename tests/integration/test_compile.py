"""`build --compile`: bytecode by real interpreters, imported in place of its sources."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.interpreters import find_interpreter
from azpack.package import compile_driver
from azpack.package.bytecode import MAGIC
from tests.commands import Azpack, make_app
from tests.distributions import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

SITE = ".python_packages/lib/site-packages/"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# What two processes, or two hash seeds, are known to compile to other bytes.
SETS = b"""\
def kind(x):
    return x in {"staticmethod", "property", "classmethod", None, 1.5, (2, "b")}
def again(y):
    return y in {"min_count", "engine", "skipna"} or y in {"engine", "skipna", "min_count", None}
class Comparator:
    name = "Comparator.kind"
    def kind(self): return "Comparator.kind", "shared by many modules", 257
def names(): return "decimal", "numeric", "NFC"
"""
# Compiling it imports unicodedata, whose names are then other modules' strings too.
NOT_ASCII = f"# {'x' * 5000}\né = 1\n".encode()
NESTED = b"x = " + b"not " * 200_000 + b"1\n"
PROBE = """\
import importlib, json, marshal, sys
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    with open(module.__cached__, "rb") as file:
        header, code = file.read(16), marshal.loads(file.read())
    found[name] = [module.VALUE, header[4], code.co_filename, module.kind.__code__.co_filename]
print(json.dumps(found))
"""


def module(value: str) -> bytes:
    return f"VALUE = {value!r}\ndef kind(): return VALUE\n".encode()


@pytest.fixture
def links(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    files = {
        "alpha/__init__.py": module("alpha"),
        "alpha/sets.py": SETS,
        "alpha/templates/{{name}}/setup.py": b"print '{{name}}'\n",
        "alpha/old.py": b"print 'Python 2'\n",
        "alpha/nul.py": b"x = '\0'\n",
        "alpha/nested.py": NESTED,
        "alpha/latin.py": b"x = '\xe9'\n",
        "alpha/warns.py": b"x = '\\d' is '\\d'\nassert (x, 'always')\n",
        "alpha/types.pyi": b"x: int\n",
        "alpha/empty.py": b"",
        "alpha/__pycache__/sets.cpython-311.pyc": b"shipped",
        "alpha/bare.pyc": b"without a source",
    }
    make_wheel(folder, "alpha", files=files)
    make_wheel(folder, "beta", files={"beta.py": module("beta"), "beta_sets.py": SETS})
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Path:
    files = {"shared/own.py": module("own").decode(), "shared/__init__.py": "", "a.b.py": ""}
    return make_app(tmp_path / "app", "alpha\nbeta\n", files=files)


def build(azpack: Azpack, app: Path, links: Path, *options: str, python: str = "3.11") -> Any:
    zipped = app.parent / f"{python}.zip"
    return azpack.run(
        "build", app, "--json", "--no-index", "--find-links", links, "--python", python,
        "--mode", "local", "--output", zipped, "--compile", *options,
    )  # fmt: skip


def interpreter(python: str) -> str:
    found = find_interpreter(python, os.environ)
    assert found is not None
    return str(found)


def contents_of(path: str | Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        return {name: package.read(name) for name in package.namelist()}


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize("python", PYTHONS)
def test_imports_take_it_and_do_not_look_at_the_sources(
    tmp_path: Path, app: Path, links: Path, python: str
) -> None:
    data = build(Azpack(tmp_path), app, links, python=python).data()
    unpacked = tmp_path / "unpacked"
    for name, content in contents_of(data["package"]["path"]).items():
        path = unpacked / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            b"raise SystemExit('compiled anew')\n" if path.suffix == ".py" else content
        )
    done = subprocess.run(
        [interpreter(python), "-S", "-B", "-c", PROBE, "alpha", "beta", "shared.own"],
        cwd=unpacked, env={"PYTHONPATH": SITE}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    mounted = "/home/site/wwwroot/"
    assert json.loads(done.stdout) == {
        name: [name.rpartition(".")[2], 1, mounted + path, f"{unpacked}/{path}"]
        for name, path in (
            ("alpha", f"{SITE}alpha/__init__.py"),
            ("beta", f"{SITE}beta.py"),
            ("shared.own", "shared/own.py"),
        )
    }
    release = data["bytecode"]["interpreters"][0]
    assert release.startswith(f"{python}.")
    assert data["bytecode"] == {
        "python": python, "magic": MAGIC[python], "files": 9, "uncompiled": 4,
        "size": data["bytecode"]["size"], "interpreters": [release],
    }  # fmt: skip
    assert (
        json.loads((app.parent / f"{python}.manifest.json").read_bytes())["bytecode"]
        == (data["bytecode"])
    )


def test_what_has_bytecode_and_what_record_says_of_it(
    tmp_path: Path, app: Path, links: Path
) -> None:
    done = build(Azpack(tmp_path), app, links)
    assert "Warning" not in done.stderr
    contents = contents_of(done.data()["package"]["path"])
    compiled = {name for name in contents if name.endswith(".cpython-311.pyc")}
    assert compiled == {
        *(f"{SITE}alpha/__pycache__/{name}.cpython-311.pyc"
          for name in ("__init__", "sets", "warns", "empty")),
        *(f"{SITE}__pycache__/{name}.cpython-311.pyc" for name in ("beta", "beta_sets")),
        *(f"shared/__pycache__/{name}.cpython-311.pyc" for name in ("__init__", "own")),
        "__pycache__/a.b.cpython-311.pyc",
    }  # fmt: skip
    assert contents[f"{SITE}alpha/bare.pyc"] == b"without a source"
    assert contents[f"{SITE}alpha/__pycache__/sets.cpython-311.pyc"] != b"shipped"
    for name in ("alpha", "beta"):
        record = contents[f"{SITE}{name}-1.0.dist-info/RECORD"].decode()
        rows = {path: (digest, size) for path, digest, size in csv.reader(io.StringIO(record))}
        for path, (digest, size) in rows.items():
            if path.endswith("/RECORD"):
                continue
            content = contents[SITE + path]
            hashed = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={hashed}", str(len(content)))
        own = {path for path in compiled if path.removeprefix(SITE) in rows}
        assert len(own) == {"alpha": 4, "beta": 2}[name]


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize("python", PYTHONS)
def test_the_same_bytes_whoever_compiles(
    tmp_path: Path, app: Path, links: Path, python: str
) -> None:
    more = [f"gamma{number}" for number in range(2 * (os.cpu_count() or 1))]
    for name in more:
        make_wheel(links, name, files={f"{name}.py": NOT_ASCII})
    everything = "\n".join(("alpha", "beta", *more))
    digests = []
    for number, asked in enumerate((everything, "beta\n", "alpha\n")):
        azpack = Azpack(tmp_path / str(number), PYTHONHASHSEED=str(number))
        (app / "requirements.txt").write_text(asked)
        build(azpack, app, links, python=python).data()
    # The others compile in other company.
    (app / "requirements.txt").write_text(everything)
    for folder in ("0", "1", "2"):
        azpack = Azpack(tmp_path / folder)
        digests.append(build(azpack, app, links, "--checksum", python=python).data()["package"])
    assert len({package["sha256"] for package in digests}) == 1


def test_what_is_in_the_store_is_not_compiled_again(tmp_path: Path, app: Path, links: Path) -> None:
    other = "3.12" if MAGIC["3.11"] == _own_magic() else "3.11"
    azpack = Azpack(tmp_path)
    if find_interpreter(other, os.environ) is None:
        pytest.skip(f"there is no Python {other} here")
    first = build(azpack, app, links, python=other).data()
    # From here on there is no such interpreter.
    for name in ("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "PATH"):
        azpack.environment[name] = str(tmp_path / "nowhere")
    (app / "requirements.txt").write_text("beta\n")
    build(azpack, app, links, python=other).data()
    (app / "requirements.txt").write_text("alpha\nbeta\n")
    shutil.rmtree(azpack.cache / "v1" / "segments")
    assert build(azpack, app, links, python=other).data()["package"] == first["package"]
    (app / "shared" / "own.py").write_text("VALUE = 'changed'\n")
    error = build(azpack, app, links, python=other).error(2, "no-interpreter")
    assert f"uv python install {other}" in error["hint"]
    done = azpack.run("build", app, "--json", "--no-index", "--find-links", links,
                      "--python", other, "--compile")  # fmt: skip
    assert "no container" in done.error(2, "no-interpreter")["message"]


def _own_magic() -> int:
    from importlib.util import MAGIC_NUMBER

    return int.from_bytes(MAGIC_NUMBER[:2], "little")


def test_an_app_that_does_not_compile(tmp_path: Path, app: Path, links: Path) -> None:
    (app / "scripts").mkdir()
    (app / "scripts" / "old.py").write_text("x = 1\nprint 'Python 2'\n")
    (app / "scripts" / "nested.py").write_bytes(NESTED)
    (app / "large.py").write_bytes(b"x = 1\n" + b"#" * (9 << 20))
    done = build(Azpack(tmp_path), app, links)
    assert done.code == 0
    findings = {row["path"]: row for row in json.loads(done.stdout)["data"]["findings"]}
    assert findings.keys() == {"scripts/old.py", "scripts/nested.py"}
    assert {row["code"] for row in findings.values()} == {"AZP301"}
    assert findings["scripts/old.py"]["line"] == 2
    assert "scripts/nested.py" in findings["scripts/nested.py"]["message"]
    assert done.data()["bytecode"]["uncompiled"] == 3 + 4
    (app / "azpack.toml").write_text("[check.per-file-ignores]\n'scripts/*' = ['AZP301']\n")
    assert build(Azpack(tmp_path), app, links).data()["findings"] == []
    assert {"scripts/old.py", "large.py"} <= set(contents_of(done.data()["package"]["path"]))


def test_a_module_that_two_distributions_bring(tmp_path: Path, app: Path, links: Path) -> None:
    """The bytecode is that of the source that is packed, also where that has none."""
    own = {"both/one.py": module("first"), "both/two.py": b"print 'Python 2'\n"}
    make_wheel(links, "first", files=own)
    make_wheel(links, "second", files={f"both/{n}.py": module("second") for n in ("one", "two")})
    (app / "requirements.txt").write_text("first\nsecond\n")
    done = build(Azpack(tmp_path), app, links)
    contents = contents_of(done.data()["package"]["path"])
    assert b"first" in contents[f"{SITE}both/__pycache__/one.cpython-311.pyc"]
    assert f"{SITE}both/__pycache__/two.cpython-311.pyc" not in contents
    paths = [row["path"] for row in done.data()["findings"] if row["code"] == "AZP109"]
    assert sorted(paths) == ["both/one.py", "both/two.py"]


def test_inspect_finds_nothing_wrong_with_it(tmp_path: Path, app: Path, links: Path) -> None:
    azpack = Azpack(tmp_path)
    path = build(azpack, app, links).data()["package"]["path"]
    done = azpack.run("inspect", path, "--json", "--ignore", "AZP104")
    assert json.loads(done.stdout)["data"]["findings"] == []


@pytest.mark.parametrize("mode", ["remote"])
def test_modes_that_it_is_not_for(tmp_path: Path, app: Path, links: Path, mode: str) -> None:
    error = build(Azpack(tmp_path), app, links, "--mode", mode).error(2, "contradiction")
    assert "--compile" in error["message"]


def test_mode_none_compiles_the_app_alone(tmp_path: Path, app: Path, links: Path) -> None:
    packages = app / SITE
    packages.mkdir(parents=True)
    (packages / "mine.py").write_text("x = 1\n")
    data = build(Azpack(tmp_path), app, links, "--mode", "none").data()
    assert {name for name in contents_of(data["package"]["path"]) if name.endswith(".pyc")} == {
        "__pycache__/a.b.cpython-311.pyc",
        *(f"shared/__pycache__/{name}.cpython-311.pyc" for name in ("__init__", "own")),
    }


def test_an_interpreter_that_dies_of_a_source(tmp_path: Path) -> None:
    """What stands before and behind it in the same batch is compiled all the same."""
    sources, deep = tmp_path / "sources", b"x = " + b"not " * 4000 + b"1\n"
    contents = [b"a = 1\n", deep, b"b = 2\n", deep, b"c = 3\n"]
    sources.write_bytes(b"".join(contents))
    batch = [
        (number, f"{number}.py", str(sources), sum(map(len, contents[:number])), len(content), 0)
        for number, content in enumerate(contents)
    ]
    (tmp_path / "jobs").write_text(json.dumps(batch) + "\n")
    out = tmp_path / "out"
    out.mkdir()
    python = interpreter("3.11")
    small_stack = 'ulimit -s 128 && exec "$@"'
    subprocess.run(
        ["sh", "-c", small_stack, "sh", python, "-s", "-S", compile_driver.__file__,
         str(MAGIC["3.11"]), str(tmp_path / "jobs"), str(out)],
        check=True,
    )  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == [
        "0", "1.error", "2", "3.error", "4", "interpreter",
    ]  # fmt: skip
    assert (out / "1.error").read_text() == "0:the interpreter crashes"


def test_an_interpreter_of_another_magic(tmp_path: Path) -> None:
    command = [interpreter("3.11"), compile_driver.__file__, "3400", "jobs", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == compile_driver.ANOTHER_PYTHON
