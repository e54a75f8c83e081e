"""Where pip-tools is: an environment of its own for the target's Python, here or in a container."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeAlias

from azpack.deps import uv
from azpack.deps.interpreters import find_interpreter, undisturbed
from azpack.errors import ResolutionError, UnreachableError, UsageError
from azpack.store import mark_used
from azpack.target.target import ARCHITECTURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.workshop import ContainerPlace, Workshop
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target

# What pip asks which wheels the system runs (PEP 600): with it, those that the target runs too.
GLIBC = "AZPACK_TARGET_GLIBC"
_MANYLINUX = f"""
import os

def manylinux_compatible(major, minor, architecture):
    limit = os.environ.get("{GLIBC}", "")
    return (major, minor) <= tuple(map(int, limit.split("."))) if limit else None
"""
# Exactly these, since what they answer changes from version to version.
PACKAGES = ("pip-tools==7.6.2", "pip==26.3")

_IN_CONTAINER = PurePosixPath("/opt/azpack/pip-tools")

USE_UV = "resolve with uv, the default (--resolver uv)"
_PROBE = (
    "import json, platform as p, sys; print(json.dumps([p.python_implementation(), "
    "'%d.%d' % sys.version_info[:2], p.system(), p.machine(), sys.maxsize > 2**32, "
    "p.libc_ver()[0], p.python_version()]))"
)


def _find_interpreter(target: Target, environ: Mapping[str, str], progress: Progress) -> Path:
    """An interpreter that evaluates markers as the target does."""
    interpreter = find_interpreter(target.python, environ) if sys.platform == "linux" else None
    found = _describe(interpreter, environ) if interpreter is not None else []
    if interpreter is None or found[:-1] != [
        "CPython", target.python, "Linux", ARCHITECTURE, True, "glibc",
    ]:  # fmt: skip
        raise UsageError(
            "resolver-needs-the-target",
            f"pip-tools can't resolve for Python {target.python} on {target.platform} here: it "
            "evaluates markers for the interpreter and the machine that run it, and there is no "
            f"CPython {target.python} for Linux with glibc on {ARCHITECTURE}",
            hint=f"{USE_UV}: it resolves for any target"
            + (
                f"; or install that Python (uv python install {target.python})"
                if sys.platform == "linux"
                else ""
            ),
            context={"interpreter": str(interpreter) if interpreter else None},
        )
    if found[-1] != target.full_version:
        progress.log(
            f"pip-tools resolves for Python {found[-1]}, the target is {target.full_version}: "
            "markers that tell these apart are evaluated for the former"
        )
    return interpreter


def _describe(interpreter: Path, environ: Mapping[str, str]) -> list[object]:
    done = subprocess.run(
        [interpreter, "-I", "-c", _PROBE],
        env=undisturbed(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    found: list[object] = json.loads(done.stdout) if done.returncode == 0 else []
    return found


def find_pip_tools(
    target: Target,
    indexes: IndexSettings,
    environ: Mapping[str, str],
    progress: Progress,
    store: Store,
) -> Path:
    """The interpreter of the environment in the store that pip-tools is in, made where need be.

    Raises:
        UsageError: no interpreter here evaluates markers as the target does.
        ResolutionError: the indexes do not have pip-tools.
        UnreachableError: an index does not answer, or refuses the credentials.
    """
    interpreter = _find_interpreter(target, environ, progress)
    content = "\n".join((*PACKAGES, _MANYLINUX, str(interpreter.resolve())))
    key = hashlib.sha256(content.encode()).hexdigest()[:12]
    folder = store.tool_folder(f"{PACKAGES[0].replace('==', '-')}-{target.python}-{key}")
    python = folder / "bin" / "python"
    if python.exists():
        mark_used(folder)
        return python
    progress.log(f"getting {' and '.join(PACKAGES)} for {interpreter}")
    store.discard(folder)  # what is left of it when its interpreter was removed
    with store.new_folder() as temporary:
        made = temporary / "environment"
        try:
            uv.make_environment(made, interpreter, PACKAGES, indexes, environ)
        except ResolutionError as error:
            error.hint = f"let an index or --find-links have it, or {USE_UV}"
            raise
        packages = made / "lib" / f"python{target.python}" / "site-packages"
        (packages / "_manylinux.py").write_text(_MANYLINUX, encoding="utf-8")
        store.place(made, folder)
    return python


_Environment: TypeAlias = "Callable[[IndexSettings, Mapping[str, str]], Mapping[str, str]]"


class Home(Protocol):
    """Where pip-tools runs."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        root: Path,
        needed: Sequence[Path],
        environment: _Environment,
    ) -> tuple[int, str]:
        """Run the interpreter, with the project's root as working folder.

        It reads and writes in `folder`, and reads what is `needed`. `environment` makes that of
        pip out of the indexes as they are there and of what programs see there.

        Returns:
            The exit code, and what was printed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine."""

    python: Path
    indexes: IndexSettings
    environ: Mapping[str, str]

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,  # noqa: ARG002  # it is here
        root: Path,
        needed: Sequence[Path],  # noqa: ARG002  # it is here
        environment: _Environment,
    ) -> tuple[int, str]:
        """Run it; of what is printed, standard error."""
        done = subprocess.run(
            [self.python, *arguments],
            cwd=root, env=environment(self.indexes, self.environ), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        return done.returncode, done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class _InContainer:
    """A container with an interpreter of the target's version, and pip-tools in it."""

    place: ContainerPlace

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        root: Path,
        needed: Sequence[Path],
        environment: _Environment,
    ) -> tuple[int, str]:
        """Run it where all that it reads has been sent."""
        for path in (folder, *needed):
            self.place.send(path)
        lines: list[str] = []
        # The root need not be there, and pip takes relative paths for such.
        command = ["sh", "-c", 'mkdir -p "$0" && cd "$0" && exec "$@"', str(root)]
        code = self.place.run(
            [*command, f"{_IN_CONTAINER}/bin/python", *arguments],
            folder=Path("/"),
            environment={
                **environment(self.place.indexes, self.place.environment),
                "PIP_KEYRING_PROVIDER": "disabled",  # the URLs have the passwords
            },
            output=lines.append,
        )
        self.place.fetch(folder)
        return code, "\n".join(lines)


def find_in_container(
    workshop: Workshop, target: Target, progress: Progress, reason: UsageError
) -> Home:
    """pip-tools in the workshop's container, for an interpreter that is lacking here.

    Raises:
        UsageError: there is no engine either, or the image lacks the interpreter.
        ResolutionError: the indexes do not have pip-tools.
    """
    try:
        place = workshop.place()
    except UnreachableError as error:
        reason.message += f"; nor is there a container to run it in\n{error.message}"
        raise reason from error
    progress.note(f"no Python {target.python} here: pip-tools resolves in the container")
    if lines := place.make_environment(_IN_CONTAINER, target.python, PACKAGES):
        raise ResolutionError(
            "no-pip-tools",
            f"{' and '.join(PACKAGES)} can't be installed in the container\n"
            + "\n".join(f"  {line}" for line in lines[-6:]),
            hint=f"let an index or --find-links have it, or {USE_UV}",
        )
    module = _IN_CONTAINER / "lib" / f"python{target.python}" / "site-packages/_manylinux.py"
    place.write(module, _MANYLINUX)
    return _InContainer(place=place)
