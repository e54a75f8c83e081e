"""Constraints of build requirements: those of pip's settings, and of [tool.uv]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps.pip_settings import pip_settings
from azpack.deps.requirements import table_in, texts_in
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def find_build_constraints(root: Path, environ: Mapping[str, str]) -> str:
    """The constraints as lines in pip's format; nothing where nobody set any.

    They are pip's `build-constraint` (`PIP_BUILD_CONSTRAINT`, pip.conf: names of files), and
    `build-constraint-dependencies` of [tool.uv] in the project's pyproject.toml.

    Raises:
        UsageError: a file is not there or is no text, or the table is not a list of strings.
    """
    lines = [*_of_pip(environ), *_of_uv(root)]
    return "".join(f"{line}\n" for line in lines)


def _of_pip(environ: Mapping[str, str]) -> Iterator[str]:
    for name in pip_settings(environ).get("build-constraint", "").split():
        try:
            yield from Path(name).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                "bad-build-constraint",
                f"pip's build-constraint names {name}, which can't be read: {error}",
                hint="mend PIP_BUILD_CONSTRAINT or pip.conf, or take it out",
            ) from error


def _of_uv(root: Path) -> tuple[str, ...]:
    uv = table_in(table_in(read_toml(root / "pyproject.toml"), "tool"), "uv")
    return texts_in(uv, "build-constraint-dependencies", "pyproject.toml [tool.uv]")
