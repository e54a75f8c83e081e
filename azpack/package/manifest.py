"""The files beside the zip: what is in it and where that came from, and its app settings."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from azpack.atomic import replacing
from azpack.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from azpack.dependencies import InContainer
    from azpack.deps.distribution import Distribution
    from azpack.package.assemble import Package
    from azpack.package.cuts import Compiled, LeftOut
    from azpack.remote import RemoteBuild
    from azpack.target.plans import Publishing
    from azpack.target.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """Where the files beside a zip stand."""

    manifest: Path
    settings: Path
    checksum: Path


def companions_of(output: Path) -> Companions:
    """The companions of the zip at `output`: NAME.manifest.json and so on."""
    stem = output.name.removesuffix(".zip")
    return Companions(
        manifest=output.with_name(f"{stem}.manifest.json"),
        settings=output.with_name(f"{stem}.settings.json"),
        checksum=output.with_name(f"{stem}.zip.sha256"),
    )


def check_companions(companions: Companions) -> None:
    """See that the companions can be written, before there is a zip that they belong to.

    Raises:
        FileError: a folder stands in the place of one.
    """
    for path in (companions.manifest, companions.settings, companions.checksum):
        if path.is_dir():
            raise FileError(
                "companion-is-a-folder",
                f"{path} is a folder, and azpack writes a file of that name beside the zip",
                hint="name the zip otherwise with --output, or the folder",
            )


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest that azpack wrote: it says so in its first lines."""
    try:
        with open(path, "rb") as file:
            return b'"created_by": "azpack ' in file.read(200)
    except OSError:
        return False


def target_table(target: Target) -> dict[str, str]:
    """The target as the JSON of the contract has it."""
    return {
        "functions": target.functions,
        "python": target.python,
        "platform": target.platform,
        "glibc": target.glibc,
        "plan": target.plan,
    }


def make_manifest(
    package: Package,
    *,
    version: str,
    mode: str,
    mode_reason: str,
    target: Target,
    distributions: Sequence[Distribution],
    publishing: Publishing,
    remote: RemoteBuild | None = None,
    in_container: InContainer | None = None,
    compiled: Compiled | None = None,
    left_out: Sequence[LeftOut] | None = None,
) -> dict[str, Any]:
    """The manifest of a package as plain values; the same package gives the same manifest.

    Its form is that of docs/manifest.schema.json.
    """
    return {
        "schema_version": 1,
        "created_by": f"azpack {version}",
        "package": {
            "name": package.path.name,
            "content_digest": package.content_digest,
            "sha256": package.sha256,
            "size": package.size,
            "uncompressed_size": package.uncompressed_size,
            "entries": package.entries,
        },
        "mode": mode,
        "mode_reason": mode_reason,
        "target": target_table(target),
        "app_settings": {"set": settings_table(publishing), "unset": list(publishing.unset)},
        "publish": dict(publishing.commands),
        "container": asdict(in_container) if in_container is not None else None,
        "bytecode": bytecode_table(compiled, target) if compiled is not None else None,
        "left_out": left_out_table(left_out) if left_out is not None else None,
        "remote_build": _remote_table(remote) if remote is not None else None,
        "distributions": [asdict(distribution) for distribution in distributions],
        "files": [{**asdict(file), "mode": f"{file.mode:o}"} for file in package.files],
    }


def bytecode_table(compiled: Compiled, target: Target) -> dict[str, Any]:
    """The bytecode that was made for a package."""
    from azpack.package.bytecode import MAGIC

    return {"python": target.python, "magic": MAGIC[target.python], **compiled._asdict()}


def left_out_table(left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """What is not in a package of what its distributions have."""
    return {
        "files": sum(entry.files for entry in left_out),
        "size": sum(entry.size for entry in left_out),
        "distributions": [entry._asdict() for entry in left_out],
    }


def _remote_table(remote: RemoteBuild) -> dict[str, Any]:
    """What the platform is to do with a package without dependencies."""
    return {
        "requirements": "requirements.txt",
        "source": remote.source,
        "pinned": remote.pinned,
        "hashed": remote.hashed,
        "indexes": list(remote.indexes),
    }


def settings_table(publishing: Publishing) -> list[dict[str, Any]]:
    """App settings in the form that `az functionapp config appsettings set` reads."""
    # Without slotSetting: with it, az asks for the slots' settings too.
    return [{"name": name, "value": value} for name, value in publishing.settings.items()]


def write_companions(companions: Companions, manifest: dict[str, Any], package: Package) -> None:
    """Write the manifest, the settings and, where there is one, the checksum.

    A checksum file that an earlier build left, and this one does not renew, is removed: it would
    be of another zip.

    Raises:
        FileError: a file can't be written.
    """
    _write_json(companions.manifest, manifest)
    _write_json(companions.settings, manifest["app_settings"]["set"])
    if package.sha256 is not None:
        _write(companions.checksum, os.fsencode(f"{package.sha256}  {package.path.name}\n"))
    else:
        companions.checksum.unlink(missing_ok=True)


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # The name of the zip need not be Unicode; what is not becomes an escape of JSON.
    _write(path, f"{text}\n".encode(errors="backslashreplace"))


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
