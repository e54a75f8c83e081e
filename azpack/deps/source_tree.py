"""A folder of our own to build a distribution in: an sdist unpacked, or a source folder copied.

Sources: PEP 517 and 625 for sdists, PEP 721 for unpacking them; source folders are copied because
backends (setuptools) leave `build/` and `*.egg-info` where they build.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from azpack.errors import FileError, WheelError

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

# Never a part of what is built. `.git` is copied: setuptools-scm and its like take the version,
# and the list of files, from it.
_LEFT_OUT = frozenset(
    {
        "__pycache__", ".venv", "node_modules", ".tox", ".nox",
        ".mypy_cache", ".pytest_cache", ".ruff_cache",
    }
)  # fmt: skip
# What an earlier build by setuptools left at the root; it would go into the wheel as it is.
_STALE_BUILD = re.compile(r"(lib|bdist\.|temp\.|scripts-)")
_NOT_CONTENT = re.compile(r"(\._.*|\.DS_Store|pax_global_header)\Z")


def unpack_sdist(archive: Path, folder: Path) -> Path:
    """Unpack the sdist into `folder` and return its one top folder.

    Raises:
        WheelError: not an archive, one that reaches out of the folder, or none of one top folder.
        FileError: reading or writing failed.
    """
    import zlib
    from lzma import LZMAError
    from tarfile import TarError
    from zipfile import BadZipFile

    damaged = (TarError, BadZipFile, EOFError, zlib.error, LZMAError, ValueError, LookupError)
    try:
        folder.mkdir()
        unpack = _unpack_zip if archive.suffix == ".zip" else _unpack_tar
        unpack(archive, folder)
    # zipfile raises RuntimeError for encrypted members, and for compressions it has not.
    except (*damaged, RuntimeError) as error:
        raise _bad_sdist(archive, f"can't be unpacked: {error}") from error
    except OSError as error:
        # Only an error of the system names a file; the gzip reader's own have no number.
        if error.errno is None:
            raise _bad_sdist(archive, f"can't be unpacked: {error}") from error
        raise FileError(
            "not-unpacked", f"{archive.name} can't be unpacked: {error.strerror}"
        ) from error
    tops = [entry for entry in folder.iterdir() if not _NOT_CONTENT.match(entry.name)]
    if len(tops) != 1 or not tops[0].is_dir() or tops[0].is_symlink():
        raise _bad_sdist(archive, "does not hold one top folder, as an sdist must")
    return tops[0]


def _unpack_tar(archive: Path, folder: Path) -> None:
    import tarfile

    # Python 3.10 has the filter since 3.10.12 only.
    has_filter = hasattr(tarfile, "data_filter")
    with tarfile.open(archive, "r:*") as tar:
        members = list(_checked(archive, tar, links=has_filter))
        if has_filter:
            tar.extractall(folder, members, filter="data")
        else:
            for member in members:
                member.mode = member.mode & 0o755 | 0o600
                member.uid, member.gid = os.getuid(), os.getgid()
            tar.extractall(folder, members)  # noqa: S202  # the members are checked


def _checked(archive: Path, tar: tarfile.TarFile, *, links: bool) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        _check_name(archive, member.name)
        if member.isdev():
            raise _bad_sdist(archive, f"holds a device: {member.name}")
        if (member.issym() or member.islnk()) and not links:
            raise _bad_sdist(archive, f"holds a link: {member.name}; Python 3.10.12 unpacks it")
        yield member


def _unpack_zip(archive: Path, folder: Path) -> None:
    import zipfile

    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _check_name(archive, member.filename)
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise _bad_sdist(archive, f"holds a link: {member.filename}")
            place = Path(opened.extract(member, folder))
            if not member.is_dir():
                place.chmod(0o755 if mode & 0o100 else 0o644)


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise _bad_sdist(archive, f"would write outside its folder: {name}")


def _bad_sdist(archive: Path, fault: str) -> WheelError:
    return WheelError(
        "bad-sdist",
        f"{archive.name} {fault}",
        hint="the file is broken where it was published, or on its way here; "
        "choose another version or another index",
        context={"source": archive.name},
    )


def copy_tree(source: Path, copy: Path, *, without: Path, log: Callable[[str], None]) -> None:
    """Copy a source folder; links that lead out of it, and the folder `without`, are left out.

    Raises:
        FileError: reading or writing failed.
    """
    try:
        root = source.resolve(strict=True)
        _copy_folder(root, copy, root=root, without=without.resolve(), log=log)
    except OSError as error:
        raise FileError(
            "not-copied",
            f"{source} can't be copied to be built: {error.filename}: {error.strerror}",
        ) from error


def _copy_folder(
    source: Path, copy: Path, *, root: Path, without: Path, log: Callable[[str], None]
) -> None:
    import shutil

    copy.mkdir()
    with os.scandir(source) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path, place = Path(entry.path), copy / entry.name
        if entry.is_symlink():
            _copy_link(path, place, root=root, log=log)
        elif entry.is_dir():
            if path != without and not _is_left_out(path, root):
                _copy_folder(path, place, root=root, without=without, log=log)
        elif entry.is_file() and path != root / ".git":  # a file: the repository is elsewhere
            if path.is_relative_to(root / ".git" / "objects"):
                _link_or_copy(path, place)
            else:
                shutil.copy2(path, place)


def _is_left_out(folder: Path, root: Path) -> bool:
    if folder.name in _LEFT_OUT or (folder / "pyvenv.cfg").is_file():
        return True
    return folder.parent == root / "build" and bool(_STALE_BUILD.match(folder.name))


def _copy_link(path: Path, place: Path, *, root: Path, log: Callable[[str], None]) -> None:
    try:
        target = path.resolve()
        inside = target.is_relative_to(root)
    except (OSError, RuntimeError):  # a loop
        inside = False
    if inside:
        place.symlink_to(os.path.relpath(target, path.parent))
    else:
        log(f"{path.relative_to(root)} is left out of the build: the link leads out of {root}")


def _link_or_copy(path: Path, place: Path) -> None:
    """Git never changes an object's file, so the copy may share it, as `git clone --local`."""
    import shutil

    try:
        place.hardlink_to(path)
    except OSError:
        shutil.copy2(path, place)
