"""Where a build writes to, and what earlier builds left there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.atomic import leftovers
from azpack.errors import UsageError
from azpack.package.manifest import companions_of, is_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.project import Project
    from azpack.options import Options

# The suffix that CycloneDX recommends.
_BILLS = "*.cdx.json"
_ZIP_MARKS = (b"PK\3\4", b"PK\5\6")


def default_output(project: Project) -> Path:
    """Where the zip goes when nobody says."""
    return project.root / "dist" / f"{project.name}.zip"


def find_output(project: Project, options: Options) -> Path:
    """Where the zip goes, as an absolute path; to the default one where that is no file.

    Raises:
        UsageError: what is there already is not a zip, and would be lost.
    """
    output = options.output
    if output is None or output == Path("-"):
        output = default_output(project)
    output = Path(os.path.abspath(output))
    if output.is_dir():
        raise UsageError(
            "output-is-a-folder",
            f"{output} is a folder",
            hint=f"name the zip: --output {output / project.name}.zip",
        )
    if not output.exists():
        return output
    if not output.is_file():
        raise UsageError(
            "output-not-a-file",
            f"{output} is not a regular file",
            hint="write to standard output with --output - and redirect that",
        )
    with open(output, "rb") as file:
        begin = file.read(4)
    if begin and begin not in _ZIP_MARKS:
        raise UsageError(
            "output-is-no-zip",
            f"{output} is there already, and is no zip: it would be lost",
            hint="name another file with --output, or remove that one",
        )
    return output


def written_paths(project: Project, output: Path, sbom: Path | None = None) -> tuple[Path, ...]:
    """All that builds write, and so none packs.

    That is this output, the default one and the bill of materials, the others that azpack made in
    the same folders, and what killed builds left.
    """
    packages = dict.fromkeys((output, default_output(project)))
    bills: list[Path] = []
    for folder in dict.fromkeys(package.parent for package in packages):
        packages.update(dict.fromkeys(_other_packages(folder)))
        bills += filter(is_bill, folder.glob(_BILLS))
    paths = [] if sbom is None else [Path(os.path.abspath(sbom))]
    for package in packages:
        beside = companions_of(package)
        paths += (package, beside.manifest, beside.settings, beside.checksum)
    return (*paths, *bills, *(left for path in paths for left in leftovers(path)))


def is_bill(path: Path) -> bool:
    """Whether a file is a CycloneDX bill of materials, made by whatever program."""
    try:
        return path.is_file() and b'"bomFormat"' in path.read_bytes()
    except OSError:
        return False


def _other_packages(folder: Path) -> Iterator[Path]:
    for manifest in folder.glob("*.manifest.json"):
        if is_manifest(manifest):
            stem = manifest.with_name(manifest.name.removesuffix(".manifest.json"))
            package = stem.with_name(f"{stem.name}.zip")
            # One that is named without the suffix has the same companions.
            yield stem if stem.is_file() and not package.is_file() else package
