"""The resolver uv, run as a program: all that is uv's own way is here and in `uv_errors`.

uv evaluates markers for the target rather than for the machine it runs on, and writes a lock
in the form of PEP 751 (docs.astral.sh/uv, "uv pip compile" and "uv export").
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps.git_credentials import with_git_credentials, without_git_credentials
from azpack.deps.index import has_token_alone, with_password
from azpack.deps.interpreters import find_interpreter, undisturbed
from azpack.deps.lock import Lock, check_lock, read_lock
from azpack.deps.resolver import allowed_hashes
from azpack.deps.uv_errors import explain_failure, explain_tool_failure
from azpack.deps.uv_workspace import locked_project
from azpack.errors import UsageError
from azpack.target.target import ARCHITECTURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.requirements import Requirements
    from azpack.deps.resolver import Freedom
    from azpack.progress import Progress
    from azpack.target.target import Target

_STALE = "needs to be updated"
_OUR_CHOICE = re.compile(r"UV_(?!CACHE_DIR|HTTP_|NATIVE_TLS|SYSTEM_CERTS|OFFLINE|NO_CACHE)")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_INDEX_STRATEGY")
_NO_INDEX = "file:///nonexistent"


def find_uv() -> str:
    """The path of the uv that azpack was installed with.

    Raises:
        UsageError: it is not there.
    """
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        if found := shutil.which("uv"):
            return found
    raise UsageError(
        "no-uv", "uv, which resolves the requirements, is not installed", hint="pip install uv"
    )


def uv_environment(indexes: IndexSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which uv sees these indexes and no others.

    Credentials go this way because a command line can be read by every user of the machine.
    """
    kept = {name: value for name, value in environ.items() if not _OUR_CHOICE.match(name)}
    environment = with_git_credentials(indexes.repositories, kept)
    # uv has no variable for --no-index; an index in a folder that is not there holds nothing.
    environment["UV_DEFAULT_INDEX"] = (
        _NO_INDEX if indexes.no_index else with_password(indexes.index_url)
    )
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    # The console folds lines; folded by uv, a URL could be cut within its password.
    environment["UV_NO_WRAP"] = "1"
    if indexes.extra_index_urls and not indexes.no_index:
        environment["UV_INDEX"] = " ".join(map(with_password, indexes.extra_index_urls))
    if indexes.find_links:
        # A comma is where uv parts them.
        links = [with_password(link).replace(",", "%2C") for link in indexes.find_links]
        environment["UV_FIND_LINKS"] = ",".join(links)
    if indexes.strategy == "best-match":
        environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    # Of indexes it has been asked; this is for URLs in requirements. uv puts the user on keyring's
    # command line, where a token must not stand.
    if shutil.which("keyring") and not any(map(has_token_alone, indexes.urls())):
        environment["UV_KEYRING_PROVIDER"] = "subprocess"
    return environment | _connection(indexes)


def _connection(indexes: IndexSettings) -> dict[str, str]:
    """How to connect: what is trusted, what is shown, and by which proxy."""
    environment = {}
    if indexes.certificates:
        of_files = os.path.isfile(indexes.certificates)
        environment["SSL_CERT_FILE"] = indexes.certificates if of_files else ""
        environment["SSL_CERT_DIR"] = "" if of_files else indexes.certificates
    if indexes.client_certificate:
        environment["SSL_CLIENT_CERT"] = indexes.client_certificate
    if indexes.proxy:
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
        environment |= dict.fromkeys(names, indexes.proxy)
    return environment


def resolve(
    requirements: Requirements,
    target: Target,
    indexes: IndexSettings,
    freedom: Freedom,
    *,
    root: Path,
    environ: Mapping[str, str],
    progress: Progress,
) -> Lock:
    """Resolve requirements for the target to exact distributions with hashes.

    Raises:
        ResolutionError: there is no answer; the message explains the conflict.
        UnreachableError: an index does not answer, or refuses the credentials.
    """
    with tempfile.TemporaryDirectory(prefix="azpack-") as temporary:
        folder = Path(temporary)
        output = folder / "pylock.toml"
        preferred = freedom.preferred
        if preferred is not None and preferred.is_file():
            check_lock(read_toml(preferred), name=preferred.name)
            shutil.copyfile(preferred, output)
        environment = uv_environment(indexes, environ)
        if requirements.kind == "uv.lock":
            command, given = _export(requirements, target, root, output, environ), ""
        else:
            command, given = _compile(requirements, target, freedom, folder, output, environ)
        progress.log("uv " + " ".join(command))
        if requirements.kind == "uv.lock":
            done = _run_export(command, requirements, freedom, root, environment, progress)
        else:
            done = _run(command, given, root=root, environment=environment)
        if done.returncode:
            raise explain_failure(done.stderr, requirements, target, indexes)
        lock = read_lock(
            read_toml(output),
            folder=folder,
            target=target,
            name="the resolver's lock",
            allowed=allowed_hashes(requirements),
            extras=requirements.extras,
            groups=requirements.groups,
        )
    return Lock(
        distributions=lock.distributions,
        target=target.record(),
        requirements_digest=requirements.digest,
        files=requirements.files,
    )


def make_environment(
    folder: Path,
    interpreter: Path,
    packages: Sequence[str],
    indexes: IndexSettings,
    environ: Mapping[str, str],
) -> None:
    """Make a virtual environment that can be moved, with these packages in it.

    Raises:
        ResolutionError: the indexes do not have them.
        UnreachableError: an index does not answer, or refuses the credentials.
    """
    for command in (
        ["venv", "--no-project", "--relocatable", "--python", str(interpreter), str(folder)],
        ["pip", "install", "--python", str(folder), "--only-binary", ":all:", *packages],
    ):
        environment = undisturbed(uv_environment(indexes, environ))
        done = _run(command, "", root=folder.parent, environment=environment)
        if done.returncode:
            raise explain_tool_failure(done.stderr, packages, interpreter)


def _run(
    command: Sequence[str],
    given: str,
    *,
    root: Path,
    environment: Mapping[str, str],
    configured: bool = False,
) -> subprocess.CompletedProcess[str]:
    configuration = [] if configured else ["--no-config"]
    return subprocess.run(
        [find_uv(), *command, *configuration, "--quiet", "--color", "never"],
        cwd=root,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _compile(
    requirements: Requirements,
    target: Target,
    freedom: Freedom,
    folder: Path,
    output: Path,
    environ: Mapping[str, str],
) -> tuple[list[str], str]:
    """The command that resolves, and what it reads from standard input."""
    command = ["pip", "compile"]
    lines = [without_git_credentials(line.text) for line in requirements.requirements]
    if requirements.kind == "pyproject":
        command.append(requirements.files[0])
        command += [word for extra in requirements.extras for word in ("--extra", extra)]
        # Of a group's name alone uv thinks it is one of the project's in the working folder.
        groups = [f"{requirements.files[0]}:{group}" for group in requirements.groups]
        command += [word for group in groups for word in ("--group", group)]
    else:
        command.append("-")
    if requirements.constraints:
        constraints = folder / "constraints.txt"
        text = "\n".join(without_git_credentials(it.text) for it in requirements.constraints)
        constraints.write_text(text, encoding="utf-8")
        command += ["--constraints", str(constraints)]
    if requirements.overrides:
        overrides = folder / "overrides.txt"
        overrides.write_text(
            "\n".join(map(without_git_credentials, requirements.overrides)), encoding="utf-8"
        )
        command += ["--overrides", str(overrides)]
    if requirements.prereleases:
        command += ["--prerelease", "allow"]
    command += requirements.options
    command += ["--python-version", target.full_version]
    # It asks sdists for their metadata, which may depend on it; named, because uv's own search
    # takes longer than resolving where python is a shim.
    command += ["--python", str(find_interpreter(target.python, environ) or sys.executable)]
    command += _freedom_words(freedom, folder)
    glibc = target.glibc.replace(".", "_")
    command += ["--python-platform", f"{ARCHITECTURE}-manylinux_{glibc}"]
    command += ["--format", "pylock.toml", "--no-header", "--no-annotate"]
    return [*command, "--output-file", str(output)], "\n".join(lines) + "\n"


def _freedom_words(freedom: Freedom, folder: Path) -> list[str]:
    words = ["--no-deps"] if freedom.complete else []
    words += [word for name in freedom.upgrade_packages for word in ("--upgrade-package", name)]
    if freedom.excluded:
        excludes = folder / "excludes.txt"
        excludes.write_text("\n".join(freedom.excluded), encoding="utf-8")
        words += ["--excludes", str(excludes)]
    return words


def _export(
    requirements: Requirements,
    target: Target,
    root: Path,
    output: Path,
    environ: Mapping[str, str],
) -> list[str]:
    lock = Path(os.path.normpath(root / requirements.files[0]))
    project = os.path.relpath(locked_project(root, lock), root)
    # Only an interpreter that the project's requires-python admits may judge its lock.
    interpreter = find_interpreter(target.python, environ) or sys.executable
    command = ["export", "--project", project, "--locked", "--python", str(interpreter)]
    command += ["--no-emit-project", "--no-default-groups", "--no-header"]
    command += [word for extra in requirements.extras for word in ("--extra", extra)]
    command += [word for group in requirements.groups for word in ("--group", group)]
    return [*command, "--format", "pylock.toml", "--output-file", str(output)]


def _run_export(
    command: Sequence[str],
    requirements: Requirements,
    freedom: Freedom,
    root: Path,
    environment: Mapping[str, str],
    progress: Progress,
) -> subprocess.CompletedProcess[str]:
    """Export a uv.lock if it fits its pyproject.toml, or else as it is, unless it must fit."""
    # What was locked with the project's own settings and indexes would not fit others.
    own = {name: value for name, value in environment.items() if name not in _INDEXES}
    done = _run(command, "", root=root, environment=own, configured=True)
    if not done.returncode or freedom.locked:
        return done
    fault = "does not fit" if _STALE in done.stderr else "can't be compared with"
    progress.warn(
        f"{requirements.files[0]} {fault} its pyproject.toml, and is packed as it is; "
        "'uv lock' renews it"
    )
    frozen = ["--frozen" if word == "--locked" else word for word in command]
    return _run(frozen, "", root=root, environment=environment)
