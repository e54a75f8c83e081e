"""The checks of a project: its files as they would be packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.functions.reading import declared_script, read_app
from azpack.app.tree_folder import FolderTree
from azpack.checks.rules import Subject
from azpack.checks.running import check_tree

if TYPE_CHECKING:
    from azpack.app.collect import FileSet
    from azpack.checks.selection import Selection
    from azpack.findings import Finding
    from azpack.target.target import Target


def check_project(
    files: FileSet,
    target: Target,
    selection: Selection,
    *,
    brought: tuple[str, ...] | None = None,
) -> tuple[Finding, ...]:
    """What the rules have to say of a project, of which `files` would be packed.

    `brought` are the paths of what its dependencies would bring, where that is known.

    Raises:
        FileError: a file can't be read.
    """
    tree = FolderTree(files)
    app = read_app(tree, target, left_out=tree.left_out, script=declared_script(files.root))
    subject = Subject(
        kind="project", tree=tree, target=target, app=app, files=files, brought=brought
    )
    return check_tree(subject, selection)
