"""What rules look at, written down by tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.collect import collect_files
from azpack.app.functions import AppModel
from azpack.app.tree_folder import FolderTree
from azpack.checks.rules import Subject
from azpack.target.target import find_target
from tests.unit.app.functions.trees import TextTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.checks.rules import Check
    from azpack.findings import Finding

EMPTY_APP = AppModel(models=frozenset(), functions=(), findings=())


def package_of(
    files: Mapping[str, str | bytes],
    *,
    plan: str = "flex",
    python: str = "3.12",
    app: AppModel = EMPTY_APP,
) -> Subject:
    """A package of these files."""
    target = find_target(Path(), python=python, plan=plan)
    return Subject(kind="package", tree=TextTree(files), target=target, app=app)


def project_of(root: Path, files: Mapping[str, str | bytes], *, plan: str = "flex") -> Subject:
    """A project of these files, on disk below `root`."""
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    collected = collect_files(root)
    return Subject(
        kind="project",
        tree=FolderTree(collected),
        target=find_target(root, python="3.12", plan=plan),
        app=EMPTY_APP,
        files=collected,
    )


def found(check: Check, subject: Subject) -> list[Finding]:
    """What a family finds; each finding says where it is and how to mend it."""
    findings = list(check(subject))
    for finding in findings:
        assert finding.hint
        assert finding.message
        assert not finding.message.endswith(".")
    return findings


def codes(check: Check, subject: Subject) -> list[str]:
    """The codes of what a family finds."""
    return [finding.code for finding in found(check, subject)]
