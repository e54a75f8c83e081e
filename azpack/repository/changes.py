"""What changed in a Git repository since a revision, and which apps that concerns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.errors import UsageError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["changed_paths", "first_below"]

_FETCH = (
    "have the history there that leads to it: git fetch --unshallow, fetch-depth: 0 of "
    "actions/checkout, fetchDepth: 0 of Azure Pipelines"
)


@dataclass(frozen=True, slots=True)
class _Git:
    folder: Path

    def paths(self, *arguments: str) -> list[str]:
        """What a command prints with -z."""
        return [path for path in self.run(*arguments, "-z").split("\0") if path]

    def run(self, *arguments: str, otherwise: str = "git can't tell what changed") -> str:
        """What a command prints; `otherwise` says what it means where it fails."""
        import subprocess

        command = ["git", "-c", "core.quotePath=false", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env={**os.environ, "LC_ALL": "C"}, check=False,
                stdin=subprocess.DEVNULL, capture_output=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise UsageError(
                "no-git", "what changed can't be known: git is not installed", hint="install git"
            ) from None
        if done.returncode:
            said = redact(done.stderr.decode(errors="replace")).strip()
            raise UsageError(
                "git-failed",
                f"{otherwise} in {self.folder}\n{said}",
                hint=_FETCH if otherwise.startswith("there is no") else "",
            )
        return os.fsdecode(done.stdout)


def changed_paths(folder: Path, revision: str) -> tuple[Path, ...]:
    """The real paths of all that differs from where the branches parted, sorted.

    That is what differs between the working tree and the merge base of HEAD and `revision`, as
    for the files of a pull request, and what git does not know yet and does not ignore. What was
    removed counts, and both names of what was renamed.

    Raises:
        UsageError: there is no Git repository, or no such revision in it.
    """
    git = _Git(folder)
    top = Path(os.path.realpath(git.run("rev-parse", "--show-toplevel").rstrip("\n")))
    name = f"{revision}^{{commit}}"
    missing = f"there is no revision {revision}"
    commit = git.run("rev-parse", "--verify", "--end-of-options", name, otherwise=missing).strip()
    unrelated = f"there is no history that {revision} and HEAD share"
    base = git.run("merge-base", commit, "HEAD", otherwise=unrelated).split("\n")[0]
    git = _Git(top)
    changed = git.paths("diff", "--name-only", "--no-renames", "--no-ext-diff", base)
    unknown = git.paths("ls-files", "--others", "--exclude-standard")
    return tuple(sorted(top / path for path in {*changed, *unknown}))


def first_below(changed: Iterable[Path], sources: Collection[Path]) -> Path | None:
    """The first changed path that is one of the sources, or lies below one of them."""
    wanted = set(sources)
    return next((path for path in changed if wanted & {path, *path.parents}), None)
