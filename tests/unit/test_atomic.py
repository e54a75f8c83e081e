from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.atomic import replacing
from azpack.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["nameless", "named", "refused"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With files without a name, on a system without them, and on a file system without them."""
    if request.param == "nameless" and not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no O_TMPFILE")
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if request.param == "refused":
        really_open: Callable[..., int] = os.open
        nameless = getattr(os, "O_TMPFILE", 0)

        def open_(path: str, flags: int, mode: int = 0o777) -> int:
            if nameless and flags & nameless == nameless:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return really_open(path, flags, mode)

        monkeypatch.setattr(os, "open", open_)


pytestmark = pytest.mark.usefixtures("_kind")


def test_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.zip"
    with replacing(path) as file:
        file.write(b"abc")
        assert not path.exists()
        file.seek(1)
        file.write(b"x")
    assert path.read_bytes() == b"axc"
    assert os.listdir(path.parent) == ["c.zip"]


def test_old_file_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_error(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"new" * 1000)
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["replace", "link"])
def test_error_at_the_end(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    failed = False
    try:
        with replacing(path) as file:
            file.write(b"new")
    except FileError as error:
        failed = (number, error.code) == (errno.ENOSPC, "disk-full")
    except OSError as error:
        failed = error.errno == number == errno.EIO
    assert failed or call == "link"  # a file with a name needs none
    assert path.read_bytes() == (b"old" if failed else b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_no_open_file_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for error in (None, ValueError):
        try:
            with replacing(tmp_path / "a"):
                if error:
                    raise error
        except ValueError:
            pass
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "a"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path("a"), Path("b/c")):
        with replacing(path) as file:
            file.write(b"abc")
        assert path.read_bytes() == b"abc"


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.zip")
    with replacing(path) as file:
        file.write(b"abc")
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.zip"]


def test_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (
        pytest.raises(FileError, match="a can't be written: Is a directory"),
        replacing(tmp_path / "a"),
    ):
        pytest.fail("it was opened")
    assert os.listdir(tmp_path) == ["a"]


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with (
        pytest.raises(FileError, match="b can't be written") as caught,
        replacing(tmp_path / "a" / "b"),
    ):
        pytest.fail("it was opened")
    assert caught.value.code == "not-writable"


def test_two_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path) as one:
        one.write(b"one")
        with replacing(path) as other:
            other.write(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]
