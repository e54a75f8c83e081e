"""The resolver pip-tools, run as a program by an interpreter of the target's version.

pip evaluates markers for the machine and the interpreter that it runs on; so it is run only where
these are the target's. It chooses the versions. The files with their hashes are named by uv, which
adds nothing and chooses no other version.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps import uv
from azpack.deps.git_credentials import (
    repositories_in,
    with_git_credentials,
    without_git_credentials,
)
from azpack.deps.index import with_password
from azpack.deps.interpreters import undisturbed
from azpack.deps.lock import check_lock, normalized
from azpack.deps.pip_errors import explain_failure, find_silent_index
from azpack.deps.pip_settings import pip_settings
from azpack.deps.pip_tools_home import GLIBC, USE_UV, Here, find_in_container, find_pip_tools
from azpack.deps.requirements import Requirement
from azpack.deps.resolver import Freedom, NoFittingWheelError, allowed_hashes, name_in
from azpack.errors import ResolutionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock
    from azpack.deps.pip_tools_home import Home
    from azpack.deps.requirements import Requirements
    from azpack.deps.workshop import Workshop
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target

_PATH = re.compile(r"[./~]|[\w.-]+/")
_WITHHELD = re.compile(r"PIP_(?!TOOLS_CACHE_DIR\Z)|UV_|AZPACK_")
# How pip reaches an index, beside what the settings of indexes say; all else would change the
# answer.
_KEPT_SETTINGS = (
    "cache-dir", "default-timeout", "keyring-provider", "no-cache-dir", "retries", "timeout",
    "trusted-host",
)  # fmt: skip
_COMMAND = (
    "compile", "--no-config", "--quiet", "--no-header", "--no-annotate", "--no-emit-options",
    "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--strip-extras",
    "--allow-unsafe", "--newline", "lf",
)  # fmt: skip


def resolve(
    requirements: Requirements,
    target: Target,
    indexes: IndexSettings,
    freedom: Freedom,
    *,
    root: Path,
    environ: Mapping[str, str],
    progress: Progress,
    store: Store,
    workshop: Workshop | None = None,
) -> Lock:
    """Resolve requirements as pip does, by an interpreter of the target's version.

    That is one of this machine or, where it has none, that of the `workshop`'s container.

    Raises:
        UsageError: there is no such interpreter, or pip can't answer such requirements.
        ResolutionError: there is no answer; the message explains the conflict.
        UnreachableError: an index does not answer, or refuses the credentials.
    """
    lines = _as_lines(requirements, root)
    if lines is not requirements:
        named = [url for entry in lines.requirements for url in repositories_in(entry.text)]
        indexes = replace(indexes, repositories=(*indexes.repositories, *named))
    requirements = lines
    _refuse_many_indexes(indexes)
    home: Home
    try:
        python = find_pip_tools(target, indexes, environ, progress, store)
        home = Here(python=python, indexes=indexes, environ=environ)
    except UsageError as error:
        if error.code != "resolver-needs-the-target" or workshop is None:
            raise
        home = find_in_container(workshop, target, progress, error)
    with tempfile.TemporaryDirectory(prefix="azpack-") as temporary:
        pinned = _compile(
            requirements, target, freedom,
            home=home, folder=Path(temporary), root=root, progress=progress,
        )  # fmt: skip
    pins = replace(requirements, requirements=_pins(pinned, requirements), constraints=())
    files = Freedom(complete=True, excluded=freedom.excluded)
    try:
        return uv.resolve(
            pins, target, indexes, files, root=root, environ=environ, progress=progress
        )
    except NoFittingWheelError:
        raise
    except ResolutionError as error:
        raise ResolutionError(
            "pins-do-not-fit",
            f"pip-tools chose a version that can't be had for the target: {error.message}",
            hint=f"ask for another version, or {USE_UV}",
            context=error.context,
        ) from error


def _as_lines(requirements: Requirements, root: Path) -> Requirements:
    """The same requirements as lines, which is what pip-tools gets."""
    name = ", ".join(requirements.files)
    if requirements.kind == "uv.lock":
        raise UsageError(
            "resolver-ignores-uv-lock",
            f"pip-tools does not read {name}, which uv has resolved already",
            hint=f"{USE_UV}, or name the file that lists the requirements with -r",
        )
    if requirements.overrides:
        raise UsageError(
            "resolver-ignores-overrides",
            f"pip has no overrides, and {name} has some for uv",
            hint=USE_UV,
        )
    if requirements.kind in ("requirements", "poetry.lock"):
        return requirements
    from azpack.deps.pyproject import listed_dependencies, uv_sources

    listed = listed_dependencies(requirements, root)
    elsewhere = uv_sources(requirements, root) & {name_in(entry.text) for entry in listed}
    if elsewhere:
        raise UsageError(
            "resolver-ignores-sources",
            f"[tool.uv.sources] of {name} says where {', '.join(sorted(elsewhere))} comes from, "
            "and pip-tools would take another",
            hint=f"{USE_UV}, or write the source in the requirement: NAME @ URL",
        )
    return replace(requirements, kind="requirements", requirements=listed)


def _refuse_many_indexes(indexes: IndexSettings) -> None:
    """pip asks all indexes alike, and may run code of an sdist that another index would not give.

    So it does not do to look afterwards whether a name came from the first index that has it.
    """
    if indexes.strategy == "first-match" and len(indexes.urls()) > 1:
        raise UsageError(
            "resolver-mixes-indexes",
            "pip-tools takes the best version of all indexes: a public copy of a private name "
            "would win, which the index strategy first-match excludes",
            hint=f"--index-strategy best-match, if you trust all of them alike; else {USE_UV}",
        )


def _compile(
    requirements: Requirements,
    target: Target,
    freedom: Freedom,
    *,
    home: Home,
    folder: Path,
    root: Path,
    progress: Progress,
) -> list[str]:
    """Run pip-compile; the lines of the file that it writes."""
    output, log = folder / "pins.txt", folder / "pip.log"
    output.write_text("\n".join(_preferred_pins(freedom)), encoding="utf-8")
    given = {folder / "requirements.in": requirements.requirements}
    command = [*_COMMAND, "--output-file", str(output)]
    if requirements.constraints:
        given[folder / "constraints.txt"] = requirements.constraints
        command += ["--constraint", str(folder / "constraints.txt")]
    for path, entries in given.items():
        lines = [without_git_credentials(entry.text) for entry in entries]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if requirements.prereleases:
        command.append("--pre")
    if requirements.options:
        command += ["--pip-args", shlex.join(requirements.options)]
    command.append(str(folder / "requirements.in"))
    progress.log("pip-tools " + " ".join(command))
    code, printed = home.run(
        # Isolated, since a module in the app must not stand in for one of pip's.
        ["-I", "-X", "utf8", "-m", "piptools", *command],
        folder=folder,
        root=root,
        needed=_local_paths(requirements, root),
        environment=lambda indexes, environ: (
            pip_environment(indexes, environ, log=log) | {GLIBC: target.glibc}
        ),
    )
    logged = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if code:
        raise explain_failure(logged, printed, requirements, target, given)
    if error := find_silent_index(logged):
        raise error
    return output.read_text(encoding="utf-8").splitlines()


def _local_paths(requirements: Requirements, root: Path) -> list[Path]:
    """The folders and files that requirements name by their paths."""
    texts = [entry.text.removeprefix("-e ").strip() for entry in requirements.requirements]
    named = [re.split(r"[\[;]", text)[0].strip() for text in texts if _PATH.match(text)]
    return [root / name for name in named if (root / name).exists()]


def _preferred_pins(freedom: Freedom) -> list[str]:
    """The versions of the lock that is preferred, as pip-compile finds them in its own output."""
    path = freedom.preferred
    if path is None or not path.is_file():
        return []
    renewed = set(map(normalized, freedom.upgrade_packages))
    return [
        f"{package.name}=={package.version}"
        for package in check_lock(read_toml(path), name=path.name).packages
        if package.version and (package.wheels or package.sdist) and package.name not in renewed
    ]


def pip_environment(
    indexes: IndexSettings, environ: Mapping[str, str], *, log: Path
) -> dict[str, str]:
    """The environment in which pip sees these indexes and no others, and writes to `log`.

    Credentials go this way because a command line can be read by every user of the machine.
    """
    settings = {
        name: value for name, value in pip_settings(environ).items() if name in _KEPT_SETTINGS
    }
    if shutil.which("keyring"):  # for URLs in requirements; of indexes it has been asked
        settings.setdefault("keyring-provider", "subprocess")
    if indexes.no_index:
        settings["no-index"] = "1"
    else:
        settings["index-url"] = with_password(indexes.index_url)
        settings["extra-index-url"] = " ".join(map(with_password, indexes.extra_index_urls))
    settings |= {
        "find-links": " ".join(map(with_password, indexes.find_links)),
        "cert": indexes.certificates or "",
        "client-cert": indexes.client_certificate or "",
        "config-file": os.devnull,  # read already
        "disable-pip-version-check": "1",
        "log": str(log),
        "no-input": "1",
        # Otherwise pip writes the URLs of the indexes into the command line of another pip.
        "use-feature": "inprocess-build-deps",
    }
    kept = {name: value for name, value in environ.items() if not _WITHHELD.match(name)}
    environment = undisturbed(with_git_credentials(indexes.repositories, kept))
    if indexes.certificates:  # these variables stand before pip's own setting
        environment |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), indexes.certificates)
    if indexes.proxy:  # by its own setting pip would pass over netrc and NO_PROXY
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
        environment |= dict.fromkeys(names, indexes.proxy)
    return environment | {
        f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items() if value
    }


def _pins(lines: Sequence[str], requirements: Requirements) -> tuple[Requirement, ...]:
    """What pip-compile wrote, with the hashes and the places of what was asked for."""
    hashes = allowed_hashes(requirements)
    places = {name_in(entry.text): entry.place for entry in requirements.requirements}
    pins = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        # pip writes the URL of a repository on disk without its empty authority.
        text = re.sub(r"\bgit\+file:/(?!/)", "git+file:///", line)
        name = name_in(text)
        pins.append(
            Requirement(
                text=text,
                place=places.get(name, ", ".join(requirements.files)),
                hashes=tuple(sorted(hashes.get(name, ()))),
            )
        )
    return tuple(pins)
