"""The checks of a package that azpack has written, by the rules for anybody's package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.functions.reading import declared_script, read_app
from azpack.checks.requirement_lines import requirement_lines
from azpack.checks.running import FAMILIES, OF_DISTRIBUTIONS, check_tree
from azpack.deps.resolver import name_in
from azpack.package.contents import PackageContents, PackageSubject
from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from azpack.checks.remembered import BuiltPackage
    from azpack.checks.selection import Selection
    from azpack.findings import Finding
    from azpack.package.zip_tree import ZipTree


def check_package(
    package: ZipTree, built: BuiltPackage, selection: Selection, *, known: bool
) -> tuple[Finding, ...]:
    """What the rules have to say of a package.

    If it is `known` what they say of its dependencies alone, that is left out: what they say of
    the app, and of the two together, needs no more than the names of the dependencies' files.

    Raises:
        FileError: a file in it can't be read.
    """
    has_segment = bool(built.segment)
    contents = PackageContents(package, sound=has_segment, known=known)
    script = declared_script(built.files.root)
    subject = PackageSubject(
        kind="package",
        tree=contents.tree,
        target=built.target,
        app=read_app(contents.tree, built.target, script=script),
        contents=contents,
        is_remote=built.is_remote,
        overridden=frozenset(map(name_in, built.overrides)),
    )
    families = [family for family in FAMILIES if not (known and family in OF_DISTRIBUTIONS)]
    return check_tree(subject, selection, families)


def asked_for(package: ZipTree) -> list[str]:
    """What of the app counts for what is said of its dependencies: the extras it asks for."""
    return [line.text for line in requirement_lines(package)]


def is_of_dependencies(finding: Finding) -> bool:
    """Whether a finding is of the dependencies alone, as those are that name a file of theirs."""
    return (finding.path or "").startswith(SITE_PACKAGES)
