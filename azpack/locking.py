"""`lock`: from a project's requirements to pylock.toml, and the same pins in pip's format."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.atomic import replacing
from azpack.dependencies import renew_lock
from azpack.errors import UsageError
from azpack.request import LOCK_NAME, make_request, target_of
from azpack.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azpack.app.project import Project
    from azpack.deps.lock import Lock
    from azpack.options import Options
    from azpack.progress import Progress
    from azpack.target.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """What `lock` came to; `written` is False where the lock said the same already."""

    lock: Lock
    target: Target
    paths: tuple[Path, ...]
    written: bool


def lock(
    project: Project,
    options: Options,
    *,
    environ: Mapping[str, str],
    progress: Progress,
    upgrade: bool = False,
    upgrade_packages: Sequence[str] = (),
    requirements_txt: Path | None = None,
) -> LockResult:
    """Resolve for the target and write pylock.toml, and the same pins in pip's format.

    With `options.locked` the lock is not written: it must fit.

    Raises:
        UsageError: the project lists no dependencies.
        ResolutionError: they can't be resolved, or `locked` and the lock does not fit.
        UnreachableError: an index does not answer, or refuses.
    """
    from azpack.deps.lock import lock_text
    from azpack.deps.pins import requirements_text

    target = target_of(project, options)
    with closing(make_request(project, options, target, environ, progress, Stopwatch())) as request:
        found = renew_lock(request, upgrade=upgrade, upgrade_packages=upgrade_packages)
    texts = {project.root / LOCK_NAME: lock_text(found, root=project.root)}
    if options.locked:
        texts = {}
    if requirements_txt is not None:
        _refuse_own_source(requirements_txt, project.root, found)
        head = "Made by 'azpack lock': the pins of pylock.toml."
        texts[requirements_txt.absolute()] = requirements_text(found, root=project.root, head=head)
    written = False
    for path, text in texts.items():
        if not path.is_file() or path.read_bytes() != text.encode():
            option = "" if path.name == LOCK_NAME else "--requirements-txt"
            with replacing(path, option=option) as file:
                file.write(text.encode())
            written = True
    paths = tuple(texts) or (project.root / LOCK_NAME,)
    return LockResult(lock=found, target=target, paths=paths, written=written)


def _refuse_own_source(path: Path, root: Path, found: Lock) -> None:
    """What was read must not be overwritten by what it came to."""
    for file in (*found.files, LOCK_NAME):
        if path.resolve() == (root / file).resolve():
            raise UsageError(
                "overwrites-requirements",
                f"{path} is what the lock is made from, or the lock",
                hint="name another file after --requirements-txt",
            )
