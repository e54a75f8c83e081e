"""Builds sdists and source folders to wheels (PEP 517, in isolation).

The build requirements are installed by uv, which sees the indexes and their credentials; the
build backend is a distribution's own code and sees neither.
"""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.deps.build_hints import find_hint
from azpack.deps.interpreters import OTHER_PYTHON
from azpack.errors import AzpackError, UnreachableError, WheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from build import BuildBackendException, ProjectBuilder

    from azpack.deps.place import Place
    from azpack.target.target import Target

_EPOCH = "315532800"  # 1980-01-01, the first time that a zip can hold
_READ_LINES = 500  # for the cause, which a compiler's or a backend's own report may bury
_KEPT_LINES = 30
_SHOWN_LINES = 6
_SIGNALS = 128
_CONSTRAINTS = "constraints.txt"
_NOT_PEP_517 = "its build backend does not answer as PEP 517 asks"
# Index URLs hold credentials; the repository that azpack is run from is not the one to be built.
_WITHHELD = re.compile(
    r"(UV|PIP|AZPACK)_|SSL_CLIENT_CERT\Z|GIT_CONFIG_PARAMETERS\Z"
    r"|GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|COMMON_DIR)\Z|" + OTHER_PYTHON
)
_ERROR = re.compile(
    r":\d+: (fatal )?error: |^error(\[E\d+\])?: |undefined reference|cannot find -l|^CMake Error"
)
_UNREACHABLE = re.compile(
    r"error sending request|failed to fetch|request failed after|connection refused|dns error"
    r"|timed out|401 unauthorized|403 forbidden",
    re.IGNORECASE,
)


def build_wheel(
    source: Path,
    *,
    target: Target,
    place: Place,
    folder: Path,
    log: Callable[[str], None],
    constraints: str = "",
    checkout: Path | None = None,
) -> Path:
    """Build `source`, an sdist or a source folder, to a wheel in the empty `folder`.

    It is built at the `place`, by its interpreter for the target's version; whether the wheel
    fits is for `azpack.deps.native.fitting_tag` to say. `constraints` are those of the build
    requirements, in pip's format. `checkout` is the folder that `source`
    needs around it (a repository), by default none. A source folder is not written to.

    Raises:
        WheelError: the source is broken, or the build failed; the message has the output's end.
        UnreachableError: the index of the build requirements does not answer.
        FileError: reading or writing failed.
    """
    import shutil

    workplace = folder / "work"
    output = workplace / "wheel"
    output.mkdir(parents=True)
    try:
        tree = _own_tree(source, checkout or source, workplace, log)
        (workplace / _CONSTRAINTS).write_text(constraints, encoding="utf-8")
        build = _Build(source.name, target.python, place, workplace, log)
        place.send(workplace)
        wheel = place.finish(build.wheel(tree, output))
        return wheel.replace(folder / wheel.name)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _own_tree(source: Path, root: Path, workplace: Path, log: Callable[[str], None]) -> Path:
    from azpack.deps.source_tree import copy_tree, unpack_sdist

    if source.is_file():
        tree = unpack_sdist(source, workplace / "source")
    elif not source.is_dir() or not source.resolve().is_relative_to(root.resolve()):
        raise _no_project(source.name, "there is no such file or folder")
    else:
        copy_tree(root, workplace / "source", without=workplace.parent, log=log)
        tree = workplace / "source" / source.resolve().relative_to(root.resolve())
    if not (tree / "pyproject.toml").is_file() and not (tree / "setup.py").is_file():
        raise _no_project(source.name, "it has neither pyproject.toml nor setup.py")
    return tree


def _no_project(name: str, fault: str) -> WheelError:
    return WheelError(
        "not-a-project",
        f"{name} can't be built: {fault}",
        hint="check the path, or the subdirectory, that the requirement names",
        context={"source": name},
    )


class _Build:
    """One build, and the isolated environment it runs in, as `build.env.IsolatedEnv` asks."""

    def __init__(
        self,
        name: str,
        python: str,
        place: Place,
        workplace: Path,
        log: Callable[[str], None],
    ) -> None:
        self._name = name
        self._python = python
        self._place = place
        self._interpreter = place.interpreter(python)
        self._hook_environment = _hook_environment(place.environment, workplace)
        self._workplace = workplace
        self._venv = workplace / "venv"
        self._log = log
        self._output: deque[str] = deque(maxlen=_READ_LINES)

    @property
    def python_executable(self) -> str:
        return str(self._venv / "bin" / "python")

    def make_extra_environ(self) -> Mapping[str, str]:
        path = self._hook_environment.get("PATH", os.defpath)
        return {"PATH": f"{self._venv / 'bin'}{os.pathsep}{path}"}

    def wheel(self, tree: Path, output: Path) -> Path:
        from build import BuildBackendException

        builder = self._builder(tree)
        self._uv("venv", "--no-project", "--python", self._interpreter, str(self._venv))
        self._install(builder.build_system_requires)
        try:
            self._install(builder.get_requires_for_build("wheel"))
            wheel = Path(builder.build("wheel", output))
        except BuildBackendException as error:
            if isinstance(error.exception, AzpackError):  # of the place
                raise error.exception from error
            raise self._backend_failure(error) from error
        except TypeError as error:  # a hook returned no string, or no list of them
            raise self._failure(f"{_NOT_PEP_517}: {error}") from error
        self._place.fetch(output)
        if wheel.parent != output or wheel.suffix != ".whl" or not wheel.is_file():
            raise self._failure(f"its build backend made no wheel, but names {wheel.name!r}")
        return wheel

    def _builder(self, tree: Path) -> ProjectBuilder:
        import warnings

        from build import BuildException, ProjectBuilder, TypoWarning
        from pyproject_hooks import BuildBackendWarning

        # For good, since catch_warnings is not for threads. What is wrong fails later on.
        for category in (BuildBackendWarning, TypoWarning):
            warnings.filterwarnings("ignore", category=category)
        try:
            return ProjectBuilder.from_isolated_env(self, tree, runner=self._run_hook)
        except (BuildException, ValueError, OSError) as error:
            fault = str(error).replace(f"{tree}{os.sep}", "")
            raise WheelError(
                "bad-project",
                f"{self._name} can't be built: {fault}",
                hint="mend its pyproject.toml, or choose another version of it",
                context={"source": self._name},
            ) from error

    def _install(self, requirements: Collection[str]) -> None:
        if requirements:
            self._uv(
                "pip", "install", "--python", str(self._venv),
                "--constraints", str(self._workplace / _CONSTRAINTS), "--", *sorted(requirements),
            )  # fmt: skip

    def _uv(self, *arguments: str) -> None:
        command = [self._place.uv(), "--no-config", "--color", "never", *arguments]
        code = self._run(command, self._workplace, self._place.environment)
        if not code:
            return
        if _UNREACHABLE.search("\n".join(self._output)):
            raise UnreachableError(
                "index-unreachable",
                f"the build requirements of {self._name} can't be had: an index does not answer, "
                f"or refuses the credentials{self._shown()}",
                hint=self._place.connection_hint,
                context=self._context(),
            )
        raise WheelError(
            "build-requirements",
            f"the build environment of {self._name} can't be made{self._shown()}",
            hint="its build requirements come from the same indexes as all else: one of them has "
            "to have these, for the Python that builds",
            context=self._context(),
        )

    def _run_hook(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        import subprocess

        environment = {**self._hook_environment, **(extra_environ or {})}
        _python, script, _hook, messages = cmd  # as pyproject_hooks calls it
        self._place.send(Path(script))
        self._place.send(Path(messages))
        code = self._run(cmd, Path(cwd or self._workplace), environment)
        if code:
            raise subprocess.CalledProcessError(code, cmd)
        self._place.fetch(Path(messages))

    def _run(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> int:
        """Run a program with its output going to the log; only the end of it is kept."""
        from azpack.deps.index import redact

        def tell(line: str) -> None:
            self._output.append(redact(line))
            self._log(self._output[-1])

        self._output.clear()
        return self._place.run(command, folder=cwd, environment=environment, output=tell)

    def _backend_failure(self, error: BuildBackendException) -> AzpackError:
        import subprocess

        from pyproject_hooks import BackendUnavailable

        cause = error.exception
        if isinstance(cause, subprocess.CalledProcessError):
            code = cause.returncode
            if code < 0 or code > _SIGNALS:  # as Python tells it, and as a shell or an engine does
                number = -code if code < 0 else code - _SIGNALS
                return self._failure(f"its build was killed by signal {number}")
            return self._failure(f"its build backend ended with exit code {code}")
        if isinstance(cause, BackendUnavailable):
            self._output.extend(cause.traceback.splitlines())
            return self._failure(f"its build backend {cause.backend_name!r} can't be imported")
        return self._failure(f"{_NOT_PEP_517}: {cause!r}")

    def _failure(self, fault: str) -> WheelError:
        return WheelError(
            "build-failed",
            f"{self._name} can't be built: {fault}{self._shown()}",
            hint=find_hint("\n".join((*self._output, fault)), self._python),
            context=self._context(),
        )

    def _shown(self) -> str:
        """The end of the output, and before it a compiler's error that is further up."""
        lines = [line for line in self._output if line]
        end = lines[-_SHOWN_LINES:]
        cause = next((at for at, line in enumerate(lines) if _ERROR.search(line)), len(lines))
        if cause < len(lines) - _SHOWN_LINES:
            first = lines[cause : cause + _SHOWN_LINES // 2]
            first = [line for line in first if not line.startswith("Traceback")]
            end = [*first, "...", *lines[-_SHOWN_LINES // 2 :]]
        return "".join(f"\n  {line}" for line in end)

    def _context(self) -> dict[str, object]:
        return {
            "source": self._name,
            "interpreter": self._interpreter,
            "output": list(self._output)[-_KEPT_LINES:],
        }


def _hook_environment(environment: Mapping[str, str], workplace: Path) -> dict[str, str]:
    """What the build backend sees: no credentials, no other Python, and always the same."""
    kept = {name: value for name, value in environment.items() if not _WITHHELD.match(name)}
    if not re.search(r"\s", str(workplace)):
        # Debug information holds the paths. Unlike CFLAGS, this replaces no build's own default.
        prefix_map = f"-fdebug-prefix-map={workplace}=."
        kept["CPPFLAGS"] = f"{kept.get('CPPFLAGS', '')} {prefix_map}".strip()
    return {
        **kept,
        # Not the user's: that one is for the package, and the store keeps wheels for them all.
        "SOURCE_DATE_EPOCH": _EPOCH,
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        # The cache may lie in a repository of the user's.
        "GIT_CEILING_DIRECTORIES": str(workplace),
    }
