"""Distributions made for tests, the same bytes each time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["make_sdist", "make_wheel", "noise"]

_TIME = (2020, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"


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
    build: str = "",
    unrecorded: Mapping[str, bytes] | None = None,
    recorded: Mapping[str, bytes] | None = None,
) -> Path:
    """Make a wheel in `folder`; without `files` it holds one module of its own name.

    `recorded` are files as RECORD describes them, where it shall lie; `unrecorded` members are
    not in it at all.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    module = f"{name.replace('-', '_')}.py"
    members = dict(files if files is not None else {module: f"VERSION = {version!r}\n".encode()})
    members[f"{info}/METADATA"] = _metadata(name, version, requires, requires_python)
    members[f"{info}/WHEEL"] = _WHEEL.format(tag=tag).encode()
    described = {**members, **(recorded or {})}
    rows = [f"{path},{_hash(content)},{len(content)}" for path, content in described.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    path = folder / "-".join(filter(None, [stem, build, f"{tag}.whl"]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as wheel:
        for member, content in {**members, **(unrecorded or {})}.items():
            wheel.writestr(zipfile.ZipInfo(member, _TIME), content, zipfile.ZIP_DEFLATED)
    return path


def make_sdist(folder: Path, name: str, version: str = "1.0") -> Path:
    """Make an sdist that is its own build backend, and so needs nothing to be built."""
    stem = f"{name.replace('-', '_')}-{version}"
    backend = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, str(Path(__file__).parent))\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        "    import shutil\n"
        f"    name = {stem + '-py3-none-any.whl'!r}\n"
        "    shutil.copy(Path(__file__).parent / name, folder)\n"
        "    return name\n"
    )
    project = (
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
    )
    wheel = make_wheel(folder, name, version)
    members = {
        "own.py": backend.encode(),
        "pyproject.toml": project.encode(),
        "PKG-INFO": _metadata(name, version, (), ""),
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


def _metadata(name: str, version: str, requires: Sequence[str], requires_python: str) -> bytes:
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n").encode()


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
