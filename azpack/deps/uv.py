"""The resolver uv, run as a program: everything that is uv's own way is in this module.

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps.index import redact
from azpack.deps.lock import Lock, check_lock, normalized, read_lock
from azpack.errors import AzpackError, FileError, ResolutionError, UnreachableError, UsageError
from azpack.target.target import ARCHITECTURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.requirements import Requirements
    from azpack.progress import Progress
    from azpack.target.target import Target

_OUR_CHOICE = re.compile(r"UV_(?!CACHE_DIR|HTTP_|NATIVE_TLS|SYSTEM_CERTS|OFFLINE|NO_CACHE)")
_UNREACHABLE = (
    "error sending request",
    "failed to fetch",
    "request failed after",
    "connection refused",
    "dns error",
    "timed out",
)
_REFUSED = ("401 unauthorized", "403 forbidden", "lack of valid authentication credentials")
# The answer to a URL that a requirement names: of an index, uv says what it does not have.
_NOT_THERE = re.compile(r"http status client error \((404|410)")
_NO_INDEX = "file:///nonexistent"
# No permission, a disk that is full, one that is read-only.
_NO_FILE = re.compile(r"\(os error (13|28|30)\)")
_HASH_IN_URL = re.compile(r"[#&](sha256|sha384|sha512)=([0-9a-fA-F]+)")
_LOOSEN = "loosen one of the requirements that contradict each other"
_NAME = re.compile(r"\s*(?:-e\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)")


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
    environment = {name: value for name, value in environ.items() if not _OUR_CHOICE.match(name)}
    # uv has no variable for --no-index; an index in a folder that is not there holds nothing.
    environment["UV_DEFAULT_INDEX"] = _NO_INDEX if indexes.no_index else indexes.index_url
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    # The console folds lines; folded by uv, a URL could be cut within its password.
    environment["UV_NO_WRAP"] = "1"
    if indexes.extra_index_urls and not indexes.no_index:
        environment["UV_INDEX"] = " ".join(indexes.extra_index_urls)
    if indexes.find_links:
        # A comma is where uv parts them.
        links = [link.replace(",", "%2C") for link in indexes.find_links]
        environment["UV_FIND_LINKS"] = ",".join(links)
    if indexes.strategy == "best-match":
        environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if indexes.certificates:
        environment["SSL_CERT_FILE"] = indexes.certificates
    if shutil.which("keyring"):
        environment["UV_KEYRING_PROVIDER"] = "subprocess"
    return environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Freedom:
    """How free a resolver is in choosing versions and files.

    `preferred` is a lock whose versions are kept where they still fit, `upgrade_packages`
    excepted. `only_binary` names distributions of which no sdist is taken. `locked` makes a
    uv.lock that does not fit its pyproject.toml an error.
    """

    preferred: Path | None = None
    upgrade_packages: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()
    locked: bool = False


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
        if requirements.kind == "uv.lock":
            command, given = _export(requirements, target, output, environ, locked=freedom.locked)
        else:
            command, given = _compile(requirements, target, folder, output)
            for option, names in (
                ("--upgrade-package", freedom.upgrade_packages),
                ("--only-binary", freedom.only_binary),
            ):
                command += [word for name in names for word in (option, name)]
        progress.log("uv " + " ".join(command))
        done = _run(command, given, root=root, environment=uv_environment(indexes, environ))
        if done.returncode:
            raise _explain(done.stderr, requirements, target)
        lock = read_lock(
            read_toml(output),
            folder=folder,
            target=target,
            name="the resolver's lock",
            allowed=_allowed_hashes(requirements),
            extras=requirements.extras,
            groups=requirements.groups,
        )
    return Lock(
        distributions=lock.distributions,
        target=target.record(),
        requirements_digest=requirements.digest,
        files=requirements.files,
    )


def _run(
    command: Sequence[str], given: str, *, root: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_uv(), *command, "--no-config", "--quiet", "--color", "never"],
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
    requirements: Requirements, target: Target, folder: Path, output: Path
) -> tuple[list[str], str]:
    """The command that resolves, and what it reads from standard input."""
    command = ["pip", "compile"]
    lines = [requirement.text for requirement in requirements.requirements]
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
        text = "\n".join(constraint.text for constraint in requirements.constraints)
        constraints.write_text(text, encoding="utf-8")
        command += ["--constraints", str(constraints)]
    if requirements.overrides:
        overrides = folder / "overrides.txt"
        overrides.write_text("\n".join(requirements.overrides), encoding="utf-8")
        command += ["--overrides", str(overrides)]
    if requirements.prereleases:
        command += ["--prerelease", "allow"]
    command += requirements.options
    command += ["--python-version", target.full_version]
    # uv needs some interpreter to ask sdists for their metadata; looking for one costs more
    # than resolving where python is a shim.
    command += ["--python", sys.executable]
    glibc = target.glibc.replace(".", "_")
    command += ["--python-platform", f"{ARCHITECTURE}-manylinux_{glibc}"]
    command += ["--format", "pylock.toml", "--no-header", "--no-annotate"]
    return [*command, "--output-file", str(output)], "\n".join(lines) + "\n"


def _export(
    requirements: Requirements,
    target: Target,
    output: Path,
    environ: Mapping[str, str],
    *,
    locked: bool,
) -> tuple[list[str], str]:
    project = os.path.dirname(requirements.files[0]) or "."
    command = ["export", "--project", project, "--locked" if locked else "--frozen"]
    if not locked:
        command += ["--python", sys.executable]
    else:
        from azpack.deps.host_builder import find_interpreter

        # Only what the project's requires-python admits may judge its lock.
        if interpreter := find_interpreter(target.python, environ):
            command += ["--python", str(interpreter)]
    command += ["--no-emit-project", "--no-default-groups", "--no-header"]
    command += [word for extra in requirements.extras for word in ("--extra", extra)]
    command += [word for group in requirements.groups for word in ("--group", group)]
    return [*command, "--format", "pylock.toml", "--output-file", str(output)], ""


def _allowed_hashes(requirements: Requirements) -> dict[str, frozenset[str]]:
    allowed: dict[str, frozenset[str]] = {}
    for requirement in (*requirements.requirements, *requirements.constraints):
        in_url = [f"{kind}:{value}" for kind, value in _HASH_IN_URL.findall(requirement.text)]
        hashes = frozenset((*requirement.hashes, *in_url))
        if hashes:
            name = _name_in(requirement.text)
            allowed[name] = allowed.get(name, frozenset()) | hashes
    return allowed


def _name_in(requirement: str) -> str:
    """The name that a requirement asks for; a bare URL or path has it in that of its file."""
    if match := re.match(r"(?:\S*/)([^/#?\s]+)", requirement):
        file = match[1]
        name = file.partition("-")[0] if file.endswith(".whl") else file.rpartition("-")[0]
        return normalized(name)
    named = _NAME.match(requirement)
    return normalized(named[1]) if named else ""


def _explain(output: str, requirements: Requirements, target: Target) -> AzpackError:
    """Make of what uv wrote one error that says what, where, and what to do now."""
    explanation, hints = _plain(redact(output))
    known = output.lower()
    where = ", ".join(requirements.files)
    context: dict[str, object] = {"explanation": explanation, "files": list(requirements.files)}
    if full := _NO_FILE.search(output):
        return FileError(
            "disk-full" if full[1] == "28" else "uv-cannot-write",
            f"uv, which resolves the requirements, can't read or write its files\n{explanation}",
            hint="make room, or name other folders with UV_CACHE_DIR and TMPDIR",
            context=context,
        )
    if any(sign in known for sign in _REFUSED):
        return UnreachableError(
            "index-refused",
            f"an index refuses the credentials\n{explanation}",
            hint="put user and password in netrc, keyring, or the index's URL as ${NAME}",
            context=context,
        )
    if any(sign in known for sign in _UNREACHABLE) and not _NOT_THERE.search(known):
        return UnreachableError(
            "index-unreachable",
            f"an index {'answers with an error' if 'http status' in known else 'does not answer'}\n"
            f"{explanation}",
            hint="check --index-url, the network and the proxy, then build again",
            context=context,
        )
    if error := _bad_requirement(requirements):
        return error
    if requirements.kind == "uv.lock":
        return ResolutionError(
            "lock-does-not-fit",
            f"{where} can't be used\n{explanation}",
            hint="\n".join(hints),
            context=context,
        )
    places = _places(explanation, requirements)
    return ResolutionError(
        "no-solution",
        f"{places or where} can't be resolved for Python {target.python} on {target.platform}\n"
        f"{explanation}",
        hint="\n".join(_own_hint(explanation) or hints or _loosen(explanation)),
        context=context,
    )


def _places(explanation: str, requirements: Requirements) -> str:
    """The lines that uv's conclusions speak of: FILE:LINE (TEXT), and so on."""
    conclusions = re.findall(r"you require (.*?), we can conclude", explanation, re.DOTALL)
    words = re.findall(r"[A-Za-z0-9][\w.-]*", " ".join(conclusions))
    names = set(map(normalized, words))
    concerned = [
        f"{entry.place} ({redact(entry.text)})"
        for entry in (*requirements.requirements, *requirements.constraints)
        if (name := _NAME.match(entry.text)) and normalized(name[1]) in names
    ]
    return ", ".join(concerned)


def _plain(output: str) -> tuple[str, list[str]]:
    """uv's message without its frame: the causes, each on lines of its own, and its hints."""
    lines = []
    hints = []
    for line in output.splitlines():
        text = re.sub(r"^\s*[×│├╰─▶]+\s?", "", line).rstrip()  # noqa: RUF001  # uv's frame
        # uv indents what goes on under "  cause: " by as much as that takes.
        text = re.sub(r"^\s*cause: |^error: |^ {9}", "", text)
        if text.startswith("hint: "):
            hints.append(_in_our_words(text.removeprefix("hint: ")))
        elif text and not text.startswith(("No solution found", "warning:")):
            lines.append(f"  {text}")
    return "\n".join(lines), hints


def _in_our_words(hint: str) -> str:
    """uv's hints name uv's options, and this is azpack."""
    hint = hint.replace("--index-strategy unsafe-best-match", "--index-strategy best-match")
    return hint.replace("By default, uv will only consider", "By default azpack considers only")


def _own_hint(explanation: str) -> list[str]:
    if "pywin32" in explanation or "pypiwin32" in explanation:
        return ["Azure runs Linux: add  ; sys_platform == 'win32'  behind that requirement"]
    if "not found in the package registry" in explanation:
        return ["check the spelling, or name the index that has it with --extra-index-url"]
    if "there is no version of" in explanation or "there are no versions of" in explanation:
        return ["ask for a version that the index has, or name another index"]
    if "Distribution not found at" in explanation:
        return ["mend the path; it is relative to the project"]
    if _NOT_THERE.search(explanation.lower()):
        return ["mend the URL: there is no file at that address"]
    return []


def _loosen(explanation: str) -> list[str]:
    return [_LOOSEN] if "we can conclude" in explanation else []


def _bad_requirement(requirements: Requirements) -> UsageError | None:
    """The line that no reader of requirements understands, if there is one."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    for requirement in (*requirements.requirements, *requirements.constraints):
        text = requirement.text
        is_path = text.startswith(("-e ", ".", "/", "~")) or os.sep in text or "://" in text
        if is_path or text.endswith((".whl", ".zip", ".gz")):
            continue
        try:
            Parsed(text)
        except InvalidRequirement as error:
            return UsageError(
                "bad-requirement",
                f"{requirement.place}: {str(error).splitlines()[0]}: {text}",
                hint="write it as NAME==VERSION, with a marker behind a semicolon if need be",
            )
    return None
