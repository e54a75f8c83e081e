"""The Python interpreters of this machine."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables that make an interpreter behave as another one.
OTHER_PYTHON = r"PYTHON(HOME|PATH|EXECUTABLE|STARTUP)\Z|VIRTUAL_ENV\Z|__PYVENV_LAUNCHER__\Z"

# Where version managers keep interpreters, under the home folder. Their shims are not asked: one
# that is not set up for a version fails, and uv stops at it.
_INSTALLED = (".pyenv/versions", ".asdf/installs/python", ".local/share/mise/installs/python")


def undisturbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what makes an interpreter behave as another one."""
    return {name: value for name, value in environment.items() if not re.match(OTHER_PYTHON, name)}


def find_interpreter(python: str, environment: Mapping[str, str]) -> Path | None:
    """An interpreter of that version ("3.12") on this machine, or None.

    This one where it fits, else what uv finds: its own, those on PATH, and of pyenv, asdf and
    mise. Nothing is downloaded.
    """
    import subprocess
    import sysconfig

    if (
        python == "{}.{}".format(*sys.version_info)
        and sys.implementation.name == "cpython"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and sys.executable
    ):
        return Path(sys.executable)
    from azpack.deps.uv import find_uv

    done = subprocess.run(
        [
            find_uv(), "python", "find", f"cpython{python}+gil",
            "--system", "--no-project", "--no-config", "--no-python-downloads",
        ],
        env={**undisturbed(environment), "PATH": _search_path(python, environment)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def _search_path(python: str, environment: Mapping[str, str]) -> str:
    folders = [
        folder
        for folder in environment.get("PATH", "").split(os.pathsep)
        if Path(folder).name != "shims"
    ]
    home = Path(environment.get("HOME") or Path.home())
    roots = [home / path for path in _INSTALLED]
    if "PYENV_ROOT" in environment:
        roots.insert(0, Path(environment["PYENV_ROOT"]) / "versions")
    for root in roots:
        found = root.glob(f"{python}.*/bin")
        folders += [str(folder) for folder in sorted(found, key=_patch_release, reverse=True)]
    return os.pathsep.join(folders)


def _patch_release(folder: Path) -> int:
    digits = re.match(r"\d+\.\d+\.(\d+)", folder.parent.name)
    return int(digits[1]) if digits else -1
