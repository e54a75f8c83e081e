"""Where bytecode stands, how the work is divided, and what the store has of it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from azpack.deps.distribution import WheelEntry
from azpack.package.bytecode import (
    MAGIC,
    Module,
    _batches,
    _write_jobs,
    bytecode_key,
    compiled_path,
    find_bytecode,
    is_module,
    source_path,
    wheel_modules,
)
from azpack.store import Store
from azpack.target.runtimes import load_runtimes

OWN = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize("path", ["a.py", "a/b.py", "a/__init__.py", "a.b.py", "my-func/x.py"])
def test_paths_are_those_that_python_takes(path: str) -> None:
    compiled = compiled_path(path, OWN)
    assert compiled == importlib.util.cache_from_source(path)
    assert source_path(compiled) == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", True), ("a/b/__init__.py", True), ("é/ü.py", True),
        ("a.pyi", False), ("a/b-c.py", False), ("a/{{name}}/b.py", False), ("a/1.py", False),
        ("a-1.dist-info/x.py", False), ("a/b.c.py", False), ("a/.py", False), ("py", False),
    ],
)  # fmt: skip
def test_what_an_import_can_name(path: str, expected: bool) -> None:
    assert is_module(path) is expected


def test_the_magic_is_known_of_each_version_that_is_packaged() -> None:
    assert MAGIC.keys() >= {row.python for row in load_runtimes() if row.packaged}
    assert MAGIC[OWN] == int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")


def module(path: str, size: int) -> Module:
    return Module(path=path, file=Path("/w"), offset=0, length=size, method=0, size=size)


def test_batches() -> None:
    sizes = [100 << 10, 100 << 10, 100 << 10, 300 << 10, 9 << 20, 1]
    modules = [module(f"{index}.py", size) for index, size in enumerate(sizes)]
    batches = list(_batches(modules, 7))
    assert [[source[0] for source in batch.sources] for batch in batches] == [
        [7, 8], [9], [10], [12],
    ]  # fmt: skip
    assert batches[0].sources[0][1] == "/home/site/wwwroot/0.py"
    assert list(_batches([], 0)) == []


def test_workers_get_about_the_same(tmp_path: Path) -> None:
    modules = [module(f"{index}.py", 200 << 10) for index in range(10)]
    jobs = _write_jobs(tmp_path, list(_batches(modules, 0)), 3)
    counts = [len(job.read_text().splitlines()) for job in jobs]
    assert sorted(counts) == [3, 3, 4]
    numbers = [json.loads(line)[0][0] for job in jobs for line in job.read_text().splitlines()]
    assert sorted(numbers) == list(range(10))
    assert len(_write_jobs(tmp_path, list(_batches(modules[:1], 0)), 3)) == 1
    assert _write_jobs(tmp_path, [], 3) == []


def test_modules_of_a_wheel() -> None:
    paths = ["b.py", "a.py", "bin/tool.py", "a/tests/test_a.py", "a.so", "x-y.py"]
    entries = [WheelEntry(path, 0o644, 8, 0, 5, 9, "", 77) for path in paths]
    found = wheel_modules(Path("/w"), entries, frozenset({"a/tests/test_a.py"}))
    site = ".python_packages/lib/site-packages/"
    assert found == tuple(Module(f"{site}{name}", Path("/w"), 77, 5, 8, 9) for name in paths[1::-1])


def test_a_key_is_of_a_version_of_python() -> None:
    keys = {bytecode_key(*parts, python=python) for python in ("3.11", "3.12")
            for parts in (("wheel", "a"), ("wheel", "b"), ("app", "a"), ())}  # fmt: skip
    assert len(keys) == 8


@pytest.mark.parametrize("meta", ['{"size": 3', '{"size": 3}', '{"size": 4, "entries": []}', "[]"])
def test_what_is_damaged_is_made_again(tmp_path: Path, meta: str) -> None:
    store = Store(tmp_path)
    folder = store.bytecode_folder("key")
    assert find_bytecode(store, "key") is None
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(b"123")
    whole = {"size": 3, "entries": [], "uncompiled": [], "interpreter": "3.11.7"}
    (folder / "meta.json").write_text(json.dumps(whole))
    found = find_bytecode(store, "key")
    assert found is not None
    assert found.interpreter == "3.11.7"
    (folder / "meta.json").write_text(meta)
    assert find_bytecode(store, "key") is None
    assert not folder.exists()
