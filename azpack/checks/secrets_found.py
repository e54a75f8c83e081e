"""AZP601 to 603: what must not be published, or need not be.

A secret is never part of a finding: only its kind, its file and its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.checks.rules import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.tree import Tree
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

_LOCAL_SETTINGS = "local.settings.json"
_PACKAGES = ".python_packages/"
_SEARCHED_BYTES = 1 << 20
_HINT = (
    "read it from an app setting, better a Key Vault reference or a managed identity; and change "
    "it, since whoever saw the file knows it"
)

# Where what looks like a secret is made up as a rule.
_EXAMPLES = re.compile(
    r"(?:^|/)(?:tests?|testing|testdata|examples?|samples?|fixtures?|mocks?)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$"
    r"|\.(?:example|sample|template|dist)$|[.-](?:example|sample|template)\.[^./]+$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    rb"example|placeholder|your|change[-_]?me|dummy|redacted|fake|xxxx|\.\.\.|0000|1234567|abcdef",
    re.IGNORECASE,
)
# The keys of the emulators of Storage and of Cosmos DB, which are the same everywhere.
_PUBLIC_KEYS = (
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6",
    b"C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEH",
)
_FEWEST_CHARACTERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of secret: bytes without which there is none, and the pattern; group 1 is secret."""

    name: str
    mark: bytes
    pattern: re.Pattern[bytes]


def _kind(name: str, mark: bytes, pattern: bytes) -> _Kind:
    return _Kind(name=name, mark=mark, pattern=re.compile(pattern))


# learn.microsoft.com/purview/sit-defn-all-creds has the forms of Azure's keys; "ASt" and its like
# are marks by which they are meant to be found.
_KINDS = (
    _kind("a connection string with an account key", b"AccountKey=",
          rb"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _kind("a connection string with a shared access key", b"SharedAccessKey=",
          rb"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    _kind("a connection string with a password", b"assword=",
          rb"(?i:server|data source)=[^\r\n]{1,300}?[Pp]assword=([^;\"'\s{}<>$%*]{8,})"),
    _kind("a storage account key", b"+ASt",
          rb"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{6}==)"),
    _kind("a key of Cosmos DB", b"ACDb",
          rb"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{6}==)"),
    _kind("a key of a function app", b"AzFu",
          rb"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]==)"),
    _kind("a shared access signature", b"sig=",
          rb"[?&;]s[vretp]=[^\s\"']{1,500}?sig=([A-Za-z0-9%+/]{40,}(?:%3[Dd]|=))"),
    _kind("a client secret of Entra ID", b"8Q~",
          rb"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})(?![A-Za-z0-9_~.-])"),
    _kind("a token of Azure DevOps", b"AZDO",
          rb"(?<![A-Za-z0-9])([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?![A-Za-z0-9])"),
    _kind("a token of GitHub", b"gh",
          rb"(?<![A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36,})(?![A-Za-z0-9_])"),
    _kind("a token of GitHub", b"github_pat_",
          rb"(?<![A-Za-z0-9_])(github_pat_[A-Za-z0-9_]{60,})"),
    _kind("a private key", b"PRIVATE KEY-----",
          rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\\n|[\s\"'+\\])*([A-Za-z0-9+/]{40,})"),
)  # fmt: skip

_BALLAST = re.compile(
    r"(?:^|/)(\.git|\.hg|\.svn|\.venv|\.mypy_cache|\.pytest_cache|\.ruff_cache|\.tox|\.nox"
    r"|node_modules|\.vscode|\.idea|__pycache__)/"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at all files but those of the dependencies."""
    paths = [path for path in subject.tree.paths() if not path.startswith(_PACKAGES)]
    for path in paths:
        if path.rpartition("/")[2].lower() == _LOCAL_SETTINGS:
            yield make_finding(
                "AZP601",
                f"{path} is in the package; it holds the secrets of a developer's machine",
                path=path,
                hint="leave it out, put what the app needs into its app settings, and change the "
                "keys in it if it was published",
            )
        elif not _EXAMPLES.search(path) and not _BALLAST.search(path):
            yield from _search(subject, path)
    # Of a project it is there only where .funcignore asks for it by name.
    if subject.kind == "package":
        yield from _check_ballast(subject.tree, paths)


def _search(subject: Subject, path: str) -> Iterator[Finding]:
    content = subject.tree.read(path, _SEARCHED_BYTES)
    if b"\0" in content[:1024]:
        return
    lines: set[int] = set()
    for kind in _KINDS:
        if kind.mark not in content:
            continue
        for match in kind.pattern.finditer(content):
            line = content.count(b"\n", 0, match.start(1)) + 1
            if line in lines or _is_made_up(match[1]):
                continue
            lines.add(line)
            yield make_finding(
                "AZP602",
                f"this looks like {kind.name}",
                path=path,
                line=line,
                hint=_HINT,
            )


def masked(text: str) -> str:
    """A text with what looks like a secret in it masked."""
    content = text.encode(errors="backslashreplace")
    for kind in _KINDS:
        if kind.mark in content:
            content = kind.pattern.sub(lambda found: found[0].replace(found[1], b"****"), content)
    return content.decode()


def _is_made_up(secret: bytes) -> bool:
    """Whether it stands for a secret: a word, a row of one character, or a key that all know."""
    return (
        len(set(secret)) < _FEWEST_CHARACTERS
        or _PLACEHOLDER.search(secret) is not None
        or secret.startswith(_PUBLIC_KEYS)
    )


def _is_taken_unseen(tree: Tree, path: str) -> bool:
    """Whether it is bytecode that an import takes without a look at its source (PEP 552).

    Nothing but a build for others makes such; it spares each cold start the compiling.
    """
    return path.endswith(".pyc") and tree.read(path, 8)[4:] == b"\1\0\0\0"


def _check_ballast(tree: Tree, paths: list[str]) -> Iterator[Finding]:
    """One finding for each virtual environment, and for each kind of folder."""
    environments = tuple(
        path.removesuffix("pyvenv.cfg") for path in paths if path.endswith("/pyvenv.cfg")
    )
    found: dict[str, list[str]] = {}
    for path in paths:
        match = _BALLAST.search(path)
        if path.startswith(environments):
            folder = next(prefix for prefix in environments if path.startswith(prefix))
            found.setdefault(folder, []).append(path)
        elif match is not None and not _is_taken_unseen(tree, path):
            found.setdefault(f"{match[1]}/", []).append(path)
    for folder, inside in found.items():
        kind = "a virtual environment" if folder in environments else folder
        size = sum(map(tree.size, inside)) / 1e6
        count = "1 file" if len(inside) == 1 else f"{len(inside)} files"
        yield make_finding(
            "AZP603",
            f"{kind} is in the package, with {count} of {size:.1f} MB, which no app needs on Azure",
            path=inside[0],
            hint="leave it out with a rule in .funcignore, or build with azpack",
        )
