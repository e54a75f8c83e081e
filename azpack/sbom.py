"""The bill of materials of a package: read from the finished zip, and written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack import __version__
from azpack.atomic import replacing
from azpack.errors import UsageError
from azpack.outputs import is_bill
from azpack.package.manifest import companions_of, target_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from azpack.deps.distribution import Distribution
    from azpack.package.contents import PackageContents
    from azpack.package.installed import Installed
    from azpack.package.requirement_graph import RequirementGraph
    from azpack.pipeline import Result
    from azpack.report.cyclonedx_json import Part


def check_sbom(path: Path, output: Path) -> None:
    """See that a bill of materials can be written at `path`, before anything is built.

    Raises:
        UsageError: that can be no file, or is one that would be lost.
    """
    if path == Path("-"):
        raise UsageError(
            "two-results", "a bill of materials can't go to standard output",
            hint="name a file for it, such as --sbom dist/app.cdx.json",
        )  # fmt: skip
    beside = companions_of(output)
    taken = (output, beside.manifest, beside.settings, beside.checksum)
    if path.absolute() in [other.absolute() for other in taken]:
        raise UsageError(
            "sbom-is-the-output", f"--sbom names {path.name}, which the build itself writes",
            hint="name another file",
        )  # fmt: skip
    if path.is_dir():
        raise UsageError(
            "sbom-is-a-folder", f"{path} is a folder",
            hint=f"name the file: --sbom {path / 'app.cdx.json'}",
        )  # fmt: skip
    if path.exists() and not path.is_file():
        raise UsageError(
            "sbom-not-a-file", f"{path} is not a regular file",
            hint="name one for the bill of materials",
        )  # fmt: skip
    if path.exists() and path.stat().st_size and not is_bill(path):
        raise UsageError(
            "sbom-is-another-file",
            f"{path} is there already, and is no bill of materials: it would be lost",
            hint="name another file with --sbom, or remove that one",
        )


def write_sbom(result: Result, path: Path, environ: Mapping[str, str]) -> None:
    """Write the CycloneDX bill of materials of what was built.

    Raises:
        FileError: it can't be written.
    """
    text = _bill_text(result, environ)
    with replacing(path, option="--sbom") as file:
        file.write(text.encode())


def _bill_text(result: Result, environ: Mapping[str, str]) -> str:
    from azpack.checks.requirement_lines import requirement_lines
    from azpack.package.contents import PackageContents
    from azpack.package.requirement_graph import RequirementGraph
    from azpack.package.zip_tree import ZipTree
    from azpack.report.cyclonedx_json import Bill, cyclonedx_json

    epoch = environ.get("SOURCE_DATE_EPOCH")
    package = result.package
    with ZipTree(package.path) as opened:
        contents = PackageContents(opened)
        asked = {line.name: line.text for line in requirement_lines(contents.tree) if line.name}
        graph = RequirementGraph(contents.packed, result.target, asked.values())
        edges = _edges(graph)
        parts = _parts(result, contents, graph.packed, edges or {})
        bill = Bill(
            name=package.path.name.removesuffix(".zip"),
            sha256=package.sha256,
            parts=sorted(parts, key=lambda part: (part.key, part.version)),
            asked=frozenset(asked),
            properties={
                **target_table(result.target),
                "mode": result.mode,
                "content_digest": package.content_digest,
                **({"dependencies": "not known"} if edges is None else {}),
            },
            epoch=int(epoch) if epoch else None,
            made_by=("azpack", __version__),
        )
    return cyclonedx_json(bill)


def _edges(graph: RequirementGraph) -> dict[str, set[str]] | None:
    """Who needs whom; None where that is more than is read."""
    from azpack.package.requirement_graph import TooManyRequirementsError

    try:
        return graph.edges()
    except TooManyRequirementsError:
        return None


def _parts(
    result: Result,
    contents: PackageContents,
    packed: Mapping[str, Sequence[Installed]],
    edges: Mapping[str, set[str]],
) -> Iterator[Part]:
    """The distributions in the zip, and those that the platform is to install."""
    from azpack.package.installed import canonical, headers
    from azpack.package.licenses import LICENSE_FIELDS, declared_licenses

    origins = {canonical(entry.name): entry for entry in result.contents.distributions}
    for key, entries in packed.items():
        origin = origins.pop(key, None)
        for entry in {it.version: it for it in entries}.values():
            text = b"" if entry.fault else contents.tree.read(f"{entry.info}/METADATA")
            licenses = declared_licenses(headers(text, LICENSE_FIELDS))
            needs = frozenset(edges.get(key, ()))
            yield _part(key, entry.name, entry.version, origin, licenses, needs)
    for key, origin in origins.items():
        yield _part(key, origin.name, origin.version, origin, (), frozenset())


def _part(
    key: str,
    name: str,
    version: str,
    origin: Distribution | None,
    licenses: tuple[str, ...],
    needs: frozenset[str],
) -> Part:
    from azpack.report.cyclonedx_json import Part

    return Part(
        key=key,
        name=name,
        version=version,
        filename=origin.filename if origin else "",
        sha256=origin.sha256 if origin else "",
        index=origin.index if origin else None,
        source=origin.source if origin else "",
        published=origin is None or origin.source != "path",
        licenses=licenses,
        needs=needs,
    )
