"""Files to tar streams and back, from streams that mean no good as well."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.tar_stream import pack, unpack
from azpack.errors import FileError, WheelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MADE = 1_600_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "deep/empty").mkdir(parents=True)
    (folder / "deep/run.sh").write_text("#!/bin/sh\n")
    (folder / "deep/run.sh").chmod(0o755)
    (folder / "text").write_bytes(b"x" * 1000)
    (folder / "ünïcode\nname").write_text("")
    (folder / ("long" * 50)).write_text("long")
    (folder / "link").symlink_to("deep/run.sh")
    for path in (folder / "text", folder / "deep/run.sh"):
        os.utime(path, (MADE, MADE + 0.75))
    return folder


def members(stream: Iterable[bytes]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        return {member.name: member for member in tar}


def test_pack_keeps_modes_links_and_times(tree: Path) -> None:
    found = members(pack(tree, "/a/b/tree"))
    assert all(member.uid == member.gid == 0 for member in found.values())
    assert found["a/b/tree/deep/run.sh"].mode == 0o755
    assert found["a/b/tree/text"].mtime == MADE
    assert found["a/b/tree/link"].linkname == "deep/run.sh"
    assert found["a/b/tree/deep/empty"].isdir()
    # Not the folders above, whose modes in the container are its own.
    assert min(found) == "a/b/tree"


def test_pack_leaves_out_pipes_and_sockets(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert "t/pipe" not in members(pack(tree, "/t"))


def test_pack_of_a_link_sends_what_it_leads_to(tree: Path) -> None:
    (tree / "other").symlink_to("text")
    (found,) = members(pack(tree / "other", "/x/other")).values()
    assert (found.name, found.size, found.type) == ("x/other", 1000, tarfile.REGTYPE)


def test_pack_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"missing can't be sent .*: No such file") as caught:
        list(pack(tmp_path / "missing", "/x"))
    assert caught.value.code == "not-sent"


def test_pack_notices_a_file_that_shrinks(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 5_000_000)
    stream = pack(file, "/x")
    next(stream)
    file.write_bytes(b"")
    with pytest.raises(FileError, match="it became shorter"):
        list(stream)


def test_there_and_back(tree: Path, tmp_path: Path) -> None:
    unpack(pack(tree, "/tree"), tmp_path / "back")
    back = tmp_path / "back"
    names = sorted(path.relative_to(tree) for path in tree.rglob("*"))
    assert sorted(path.relative_to(back) for path in back.rglob("*")) == names
    assert (back / "deep/run.sh").stat().st_mode & 0o777 == 0o755
    assert (back / "text").stat().st_mtime == MADE
    assert (back / "text").read_bytes() == b"x" * 1000
    assert os.readlink(back / "link") == "deep/run.sh"


def test_lone_file(tree: Path, tmp_path: Path) -> None:
    unpack(pack(tree / "text", "/text"), tmp_path / "new/back")
    assert (tmp_path / "new/back/text").read_bytes() == b"x" * 1000


@given(pieces=st.lists(st.integers(min_value=1, max_value=3000), min_size=1))
def test_pieces_of_any_size(pieces: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "file").write_bytes(bytes(range(256)) * 20)
    whole = b"".join(pack(folder / "file", "/file"))

    def cut() -> Iterator[bytes]:
        place, turn = 0, 0
        while place < len(whole):
            size = pieces[turn % len(pieces)]
            yield whole[place : place + size]
            place, turn = place + size, turn + 1

    unpack(cut(), folder / "back")
    assert (folder / "back/file").read_bytes() == (folder / "file").read_bytes()


def archive(*entries: tuple[str, bytes, str]) -> Iterator[bytes]:
    """A stream of entries: a name, a type, and where a link leads or what a file holds."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, text in entries:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.mode = 0o4777
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()))
    yield stream.getvalue()


FILE, FOLDER = tarfile.REGTYPE, tarfile.DIRTYPE
LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [("out/../../evil", FILE, "x")],
        [("/etc/evil", FILE, "x")],
        [("out/../..", FOLDER, "")],
        [("out/null", tarfile.CHRTYPE, "")],
        [("out/disk", tarfile.BLKTYPE, "")],
        [("out/pipe", tarfile.FIFOTYPE, "")],
        [("out/link", LINK, "/etc/passwd")],
        [("out/link", LINK, "../evil")],
        [("out/link", LINK, "nowhere")],
        [("out/link", LINK, "link")],
        [("out/link", LINK, "..")],
        # Each name looks as if it stayed inside.
        [("out/d/up", LINK, ".."), ("out/evil", LINK, "d/up/..")],
        # Written through a link.
        [("out/link", LINK, ".."), ("out/link/evil", FILE, "x")],
        [("out/link", LINK, "/etc"), ("out/link", FILE, "x")],
        [("out/d", FOLDER, ""), ("out/l", LINK, "d"), ("out/l/m", LINK, "..")],
        [("out/hard", HARD, "../evil")],
        [("out/hard", HARD, "/etc/passwd")],
        [("out/link", LINK, "/etc"), ("out/hard", HARD, "out/link/passwd")],
    ],
)
def test_nothing_leads_out(entries: list[tuple[str, bytes, str]], tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("untouched")
    with pytest.raises((WheelError, FileError)) as caught:
        unpack(archive(*entries), tmp_path / "back")
    assert caught.value.code in ("unsafe-archive", "not-fetched")
    assert (tmp_path / "evil").read_text() == "untouched"
    root = (tmp_path / "back").resolve()
    assert all(path.resolve().is_relative_to(root) for path in root.rglob("*"))
    assert {path.name for path in tmp_path.iterdir()} <= {"evil", "back"}


def test_links_inside_are_kept(tmp_path: Path) -> None:
    unpack(
        archive(
            ("out", FOLDER, ""),
            ("out/lib.so.1", FILE, "binary"),
            ("out/lib.so", LINK, "lib.so.1"),
            ("out/hard", HARD, "out/lib.so.1"),
            ("out/sub/up", LINK, "../lib.so"),
        ),
        tmp_path / "back",
    )
    assert {path.name: path.read_text() for path in (tmp_path / "back").rglob("*.so*")} == {
        "lib.so.1": "binary",
        "lib.so": "binary",
    }
    assert (tmp_path / "back/hard").samefile(tmp_path / "back/lib.so.1")
    assert (tmp_path / "back/sub/up").read_text() == "binary"
    assert (tmp_path / "back/lib.so.1").stat().st_mode & 0o7777 == 0o755


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="File exists"):
        unpack(archive(("out/a", FILE, "1"), ("out/a", FILE, "2")), tmp_path / "back")


@pytest.mark.parametrize("kept", [0, 100, 600, 1500])
def test_stream_that_is_cut_short(kept: int, tmp_path: Path) -> None:
    (whole,) = archive(("out/a", FILE, "x" * 2000))
    with pytest.raises(WheelError, match="it can't be read") as caught:
        unpack([whole[:kept]], tmp_path / "back")
    assert caught.value.code == "unsafe-archive"
