"""Building a package as the platform does: unpacked, then pip by the app settings (Oryx)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

from azpack.deps.interpreters import find_interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PlatformPip", "install_platform_pips"]

# What Oryx has for Python below 3.12; from there on it takes the newest.
_OLD_PIP = "pip==21.2.4"


@dataclass(frozen=True, kw_only=True)
class PlatformPip:
    """A version of pip, in a folder of its own, and an interpreter as the platform has it."""

    python: str
    interpreter: str
    folder: Path

    def run(self, *arguments: str, cwd: Path, environment: Mapping[str, str]) -> Any:
        clean = {name: it for name, it in os.environ.items() if not name.startswith("PIP_")}
        own = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "NETRC": os.devnull}
        return subprocess.run(
            [self.interpreter, "-m", "pip", *arguments],
            cwd=cwd,
            env={**clean, **own, "PYTHONPATH": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, package: Path, settings: Mapping[str, str], folder: Path) -> dict[str, str]:
        """Unpack a zip into `folder`, install what it asks for, and return the versions by name.

        `settings` are app settings whose `${NAME}` whoever published has filled in.
        """
        with zipfile.ZipFile(package) as opened:
            opened.extractall(folder)
        target = ".python_packages/lib/site-packages"
        done = self.run(
            "install", "--prefer-binary", "-r", "requirements.txt", "--target", target,
            cwd=folder, environment=settings,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found = distributions(path=[str(folder / target)])
        return {re.sub(r"[-_.]+", "-", it.name).lower(): it.version for it in found}


def install_platform_pips(folder: Path) -> dict[str, PlatformPip]:
    """The pips of the platform, by the Python version that each is for."""
    pips = {}
    for python, pip in (("3.11", _OLD_PIP), ("3.13", "pip")):
        interpreter = find_interpreter(python, os.environ)
        assert interpreter is not None
        place = folder / python
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--target", place, pip],
            check=True, capture_output=True,
        )  # fmt: skip
        pips[python] = PlatformPip(python=python, interpreter=str(interpreter), folder=place)
    return pips
