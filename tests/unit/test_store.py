from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from azpack.errors import FileError
from azpack.store import Section, Store, default_cache_folder

HASH = "ab" + "0" * 62
OTHER = "cd" + "1" * 62
DAY = 24 * 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def put_wheel(store: Store, sha256: str, content: bytes = b"wheel") -> Path:
    with store.new_folder() as folder:
        whole = folder / "whole"
        whole.mkdir()
        (whole / "a-1-py3-none-any.whl").write_bytes(content)
        (whole / "contents.json").write_bytes(b"{}")
        store.place(whole, store.wheel_folder(sha256))
    return store.wheel_folder(sha256) / "a-1-py3-none-any.whl"


def put_segment(store: Store, key: str) -> Path:
    with store.new_folder() as folder:
        whole = folder / "whole"
        whole.mkdir()
        (whole / "data").write_bytes(b"data")
        store.place(whole, store.segment_folder(key))
    return store.segment_folder(key)


def make_old(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


def leftovers(store: Store) -> list[str]:
    return [path.name for path in store.folder.glob("v1/tmp/*")]


def test_nothing_is_there(store: Store) -> None:
    assert store.find_wheel(HASH) is None
    assert store.find_built("key") is None
    assert store.find_plan("key") is None
    assert store.prune(unused_days=0) == store.clear() == 0
    assert store.sections() == tuple(
        Section(name=name, count=0, size=0)
        for name in ("wheels", "built", "segments", "bytecode", "plans", "tools", "tmp")
    )
    assert not store.folder.exists()


def test_wheel(store: Store) -> None:
    path = put_wheel(store, HASH)
    assert store.find_wheel(HASH) == path
    assert path.parent == store.folder / "v1" / "wheels" / "ab" / HASH
    assert store.find_wheel(OTHER) is None
    assert leftovers(store) == []


def test_finding_is_use(store: Store) -> None:
    folder = put_wheel(store, HASH).parent
    store.record_built("key", HASH, "py3-none-any")
    store.record_plan("key", "plan")
    places = [folder, *(store.folder / "v1" / kind / "key" for kind in ("built", "plans"))]
    for place in places:
        make_old(place, 10)
    store.find_wheel(HASH)
    store.find_built("key")
    store.find_plan("key")
    for place in places:
        assert time.time() - place.stat().st_mtime < DAY


def test_the_first_of_two_is_kept(store: Store) -> None:
    path = put_wheel(store, HASH, b"first")
    put_wheel(store, HASH, b"second")
    assert path.read_bytes() == b"first"
    assert leftovers(store) == []


def test_place_that_can_not_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(*_: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(PermissionError):
        put_wheel(store, HASH)
    assert leftovers(store) == []


def test_built(store: Store) -> None:
    store.record_built("key", HASH, "cp311-cp311-linux_x86_64")
    assert store.find_built("key") is None  # the wheel is not here, or not any more
    put_wheel(store, HASH)
    assert store.find_built("key") == (HASH, "cp311-cp311-linux_x86_64")
    put_wheel(store, OTHER)
    store.record_built("key", OTHER, "py3-none-any")
    assert store.find_built("key") == (OTHER, "py3-none-any")


@pytest.mark.parametrize("content", [b"", b"one", b"one two three", b"\xff\xfe"])
def test_built_that_was_cut_short(content: bytes, store: Store) -> None:
    store.record_built("key", HASH, "py3-none-any")
    (store.folder / "v1" / "built" / "key").write_bytes(content)
    assert store.find_built("key") is None


def test_plan(store: Store) -> None:
    store.record_plan("key", "é")
    assert store.find_plan("key") == "é".encode()
    store.record_plan("key", "other")
    assert store.find_plan("key") == b"other"


def test_new_folder(store: Store) -> None:
    with store.new_folder() as one, store.new_folder() as other:
        assert one != other
        (one / "a" / "b").mkdir(parents=True)
        assert sorted(leftovers(store)) == sorted([one.name, other.name])
    assert leftovers(store) == []
    with pytest.raises(ValueError, match="anything"), store.new_folder() as one:
        raise ValueError("anything")
    assert leftovers(store) == []


def test_cache_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(FileError, match="cache folder") as caught,
        Store(tmp_path / "file").new_folder(),
    ):
        pytest.fail("it was made")
    assert caught.value.code == "cache-not-writable"
    assert "--cache-dir" in caught.value.hint


def test_sections(store: Store) -> None:
    put_wheel(store, HASH)
    put_wheel(store, OTHER, b"larger")
    put_segment(store, "key")
    store.record_plan("key", "plan")
    store.record_built("key", "hash", "tag")
    with store.new_folder() as folder:
        (folder / "tool").mkdir()
        (folder / "tool" / "code").write_bytes(b"123")
        (folder / "tool" / "link").symlink_to("code")  # counted as what it is, not what it names
        store.place(folder / "tool", store.tool_folder("tool-1"))
    with store.new_folder() as folder:
        (folder / "a").write_bytes(b"12345")
        assert [(found.name, found.count, found.size) for found in store.sections()] == [
            ("wheels", 2, len(b"wheel" + b"larger") + 2 * len(b"{}")),
            ("built", 1, 8),
            ("segments", 1, 4),
            ("bytecode", 0, 0),
            ("plans", 1, 4),
            ("tools", 1, 7),
            ("tmp", 1, 5),
        ]


def test_a_wheel_without_its_contents_was_never_whole(store: Store) -> None:
    path = put_wheel(store, HASH)
    (path.parent / "contents.json").unlink()
    assert store.find_wheel(HASH) is None
    assert not path.parent.exists()
    assert put_wheel(store, HASH) == path
    assert store.find_wheel(HASH) == path


def test_prune(store: Store) -> None:
    old, new = put_wheel(store, HASH), put_wheel(store, OTHER)
    segment = put_segment(store, "key")
    store.record_plan("old", "plan")
    store.record_plan("new", "plan")
    store.record_built("old", "hash", "tag")
    tool = store.tool_folder("old")
    (tool / "bin").mkdir(parents=True)
    for path in (old.parent, segment, *store.folder.glob("v1/*/old")):
        make_old(path, 31)
    make_old(new.parent, 29)
    with store.new_folder() as killed, store.new_folder() as running:
        (killed / "file").write_bytes(b"12")
        make_old(killed, 1.1)
        make_old(running, 0.9)
        assert store.prune(unused_days=30) == 7 + 4 + 4 + 8 + 2
        assert not killed.exists()
        assert running.exists()
    assert store.find_wheel(HASH) is None
    assert store.find_wheel(OTHER) == new
    assert not segment.exists()
    assert not tool.exists()
    assert store.find_plan("old") is None
    assert store.find_plan("new") == b"plan"
    assert not (store.folder / "v1" / "built" / "old").exists()
    assert leftovers(store) == []


def test_prune_removes_other_formats(store: Store) -> None:
    put_wheel(store, HASH)
    other = store.folder / "v0" / "wheels" / "a"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"123")
    assert store.prune(unused_days=30) == 3
    assert os.listdir(store.folder) == ["v1"]


def test_clear(store: Store) -> None:
    put_wheel(store, HASH)
    put_segment(store, "key")
    (store.folder / "v1" / ".DS_Store").touch()
    assert store.clear() == 7 + 4
    assert os.listdir(store.folder) == []
    assert store.find_wheel(HASH) is None
    put_wheel(store, HASH)
    assert store.find_wheel(HASH)


def test_clear_and_prune_leave_what_is_not_the_store_s(store: Store) -> None:
    """`--cache-dir ~` must not cost anybody their videos."""
    put_wheel(store, HASH)
    for path in ("venv/pyvenv.cfg", "videos/a", "v2/api.py", "v3/wheels/a", "v3/other/b", "v4"):
        place = store.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"123")
    assert store.prune(unused_days=30) == 0
    assert store.clear() == 7
    assert sorted(os.listdir(store.folder)) == ["v2", "v3", "v4", "venv", "videos"]
    assert (store.folder / "v3" / "wheels" / "a").exists()


@pytest.mark.parametrize("method", ["prune", "clear"])
def test_removing_that_is_interrupted(
    method: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half gone is not believed to be whole, and goes the next time."""

    def interrupted(folder: Path, **_: object) -> None:
        next(path for path in folder.rglob("*") if path.is_file()).unlink()
        raise KeyboardInterrupt

    def remove() -> int:
        return store.prune(unused_days=30) if method == "prune" else store.clear()

    folder = put_wheel(store, HASH).parent
    make_old(folder, 31)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove()
    assert not folder.exists()
    assert put_wheel(store, OTHER).parent.parent.parent.parent == store.folder / "v1"
    path = put_wheel(store, HASH)
    assert store.find_wheel(HASH) == path
    for grave in store.folder.glob("v1/tmp/*"):
        make_old(grave, 1.1)
    remove()
    assert len(list(store.folder.rglob("*.whl"))) == (2 if method == "prune" else 0)
    assert leftovers(store) == []


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, "HOME/.cache/azpack"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/azpack"),
        ("linux", {"XDG_CACHE_HOME": ""}, "HOME/.cache/azpack"),
        ("linux", {"AZPACK_CACHE_DIR": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ("linux", {"AZPACK_CACHE_DIR": "~/own"}, "HOME/own"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "HOME/Library/Caches/azpack"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/azpack/Cache"),
    ],
)
def test_cache_folder(
    platform: str,
    environ: dict[str, str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AZPACK_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), **environ}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert default_cache_folder() == Path(expected.replace("HOME", str(tmp_path)))
