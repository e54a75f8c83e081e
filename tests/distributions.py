"""Distributions made for tests, the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

from tests.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["make_sdist", "make_wheel", "noise"]


def noise(size: int, seed: str = "noise") -> bytes:
    """Bytes that can't be compressed, the same for the same seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
    requires_python: str = "",
    tag: str = "py3-none-any",
    unlisted: Mapping[str, bytes] | None = None,
    record: Callable[[str], str | None] | None = None,
) -> Path:
    """Make a wheel in `folder`; without `files` it holds one module of its own name.

    `unlisted` and `record` are those of `tests.wheels.write_wheel`.
    """
    module = {f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n".encode()}
    metadata = _metadata(name, version, requires, requires_python)
    return write_wheel(
        folder, name, version, files if files is not None else module,
        metadata=metadata, tag=tag, unlisted=unlisted, record=record,
    )  # fmt: skip


def make_sdist(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    requires_build: Sequence[str] = (),
    backend: str = "",
    dynamic: bool = False,
) -> Path:
    """Make an sdist that is its own build backend, and so needs no other to be built.

    `backend` is another module for that. Of a `dynamic` one the metadata are known when it is
    built, and not before.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    backend = backend or (
        "import shutil\n"
        "from pathlib import Path\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        f"    name = {stem + '-py3-none-any.whl'!r}\n"
        "    shutil.copy(Path(__file__).parent / name, folder)\n"
        "    return name\n"
    )
    project = (
        f"[build-system]\nrequires = {list(requires_build)}\n"
        'build-backend = "own"\nbackend-path = ["."]\n'
    )
    metadata = _metadata(name, version, (), "")
    if dynamic:
        metadata = metadata.replace("Metadata-Version: 2.2", "Metadata-Version: 2.1")
    else:
        project += f'[project]\nname = "{name}"\nversion = "{version}"\n'
    wheel = make_wheel(folder, name, version)
    members = {
        "own.py": backend.encode(),
        "pyproject.toml": project.encode(),
        "PKG-INFO": metadata.encode(),
        wheel.name: wheel.read_bytes(),
    }
    wheel.unlink()
    path = folder / f"{stem}.tar.gz"
    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member, content in members.items():
            entry = tarfile.TarInfo(f"{stem}/{member}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def _metadata(name: str, version: str, requires: Sequence[str], requires_python: str) -> str:
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n"
