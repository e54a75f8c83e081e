"""AZP601 to 603: what must not be published, or need not be.

A secret is never part of a finding: only its kind, its file and its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.app.folders import enclosing
from azpack.checks.rules import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.tree import Tree
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

_LOCAL_SETTINGS = "local.settings.json"
_PACKAGES = ".python_packages/"
# Of one file, and of all of them; who has more than that beside the code has data there. What is
# marked takes ten times as long as the rest.
_SEARCHED_BYTES = 1 << 20
_MOST_SEARCHED = 256 << 20
_MOST_MARKED = 24 << 20
_MOST_IN_FILE = 50  # findings
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
    """A kind of secret: bytes without which there is none, and the pattern; group 1 is secret.

    `before` is what stands somewhere in front, in so many bytes, up to the end of the pattern's
    start. To search for both at once would take long where there is much of the first alone.
    """

    name: str
    mark: bytes
    pattern: re.Pattern[bytes]
    before: re.Pattern[bytes] | None = None

    def find(self, content: bytes) -> Iterator[re.Match[bytes]]:
        for match in self.pattern.finditer(content) if self.mark in content else ():
            start = match.start()
            if self.before is None or self.before.search(content[max(start - _BEFORE, 0) : start]):
                yield match


_BEFORE = 500


def _kind(name: str, mark: bytes, pattern: bytes, before: bytes | None = None) -> _Kind:
    return _Kind(
        name=name,
        mark=mark,
        pattern=re.compile(pattern),
        before=re.compile(before) if before else None,
    )


# learn.microsoft.com/purview/sit-defn-all-creds has the forms of Azure's keys; "ASt" and its like
# are marks by which they are meant to be found.
_KINDS = (
    _kind("a connection string with an account key", b"AccountKey=",
          rb"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _kind("a connection string with a shared access key", b"SharedAccessKey=",
          rb"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    _kind("a connection string with a password", b"assword=",
          rb"[Pp]assword=([^;\"'\s{}<>$%*]{8,})",
          rb"(?i:server|data source)=[^\r\n]+\Z"),
    _kind("a storage account key", b"+ASt",
          rb"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{6}==)"),
    _kind("a key of Cosmos DB", b"ACDb",
          rb"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{6}==)"),
    _kind("a key of a function app", b"AzFu",
          rb"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]==)"),
    _kind("a shared access signature", b"sig=",
          rb"sig=([A-Za-z0-9%+/]{40,}(?:%3[Dd]|=))",
          rb"[?&;]s[vretp]=[^\s\"']+\Z"),
    _kind("a client secret of Entra ID", b"8Q~",
          rb"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})(?![A-Za-z0-9_~.-])"),
    _kind("a token of Azure DevOps", b"AZDO",
          rb"(?<![A-Za-z0-9])([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?![A-Za-z0-9])"),
    _kind("a token of GitHub", b"gh",
          rb"(?<![A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36,})(?![A-Za-z0-9_])"),
    _kind("a token of GitHub", b"github_pat_",
          rb"(?<![A-Za-z0-9_])(github_pat_[A-Za-z0-9_]{60,})"),
    _kind("a private key", b"PRIVATE KEY-----",
          rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\\n|[\s\"'+\\]){0,200}([A-Za-z0-9+/]{40,})"),
)  # fmt: skip

_BALLAST = re.compile(
    r"(?:^|/)(\.git|\.hg|\.svn|\.venv|\.mypy_cache|\.pytest_cache|\.ruff_cache|\.tox|\.nox"
    r"|node_modules|\.vscode|\.idea|__pycache__)/"
)


def check(subject: Subject) -> Iterator[Finding]:
    """Look at all files but those of the dependencies."""
    paths = [path for path in subject.tree.paths() if not path.startswith(_PACKAGES)]
    search = _Search(subject.tree)
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
            yield from search.findings(path)
    yield from search.unsearched()
    # Of a project it is there only where .funcignore asks for it by name.
    if subject.kind == "package":
        yield from _check_ballast(subject.tree, paths)


class _Search:
    """A search for secrets, which ends where there is more text than apps have."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._left = _MOST_SEARCHED
        self._marked_left = _MOST_MARKED
        self._unsearched: list[str] = []

    def findings(self, path: str) -> Iterator[Finding]:
        content = self._tree.read(path, _SEARCHED_BYTES) if self._left > 0 else b""
        self._left -= len(content)
        if b"\0" in content[:1024]:
            return
        is_marked = any(kind.mark in content for kind in _KINDS)
        self._marked_left -= len(content) if is_marked else 0
        if self._left <= 0 or self._marked_left <= 0:
            self._unsearched.append(path)
            return
        lines: set[int] = set()
        for kind in _KINDS if is_marked else ():
            for match in kind.find(content):
                line = content.count(b"\n", 0, match.start(1)) + 1
                if line in lines or _is_made_up(match[1]):
                    continue
                if len(lines) == _MOST_IN_FILE:  # of whom so many do not warn
                    return
                lines.add(line)
                yield make_finding(
                    "AZP602",
                    f"this looks like {kind.name}",
                    path=path,
                    line=line,
                    hint=_HINT,
                )

    def unsearched(self) -> Iterator[Finding]:
        """What was not looked through for secrets."""
        if self._unsearched:
            files = "1 file" if len(self._unsearched) == 1 else f"{len(self._unsearched):,} files"
            yield make_finding(
                "AZP602",
                f"{files} beside the code were not searched for secrets: it is too much",
                path=self._unsearched[0],
                hint="leave data out of the package; what code reads belongs into a storage",
                severity="info",
            )


def masked(text: str) -> str:
    """A text with what looks like a secret in it masked."""
    content = text.encode(errors="backslashreplace")
    for kind in _KINDS:
        parts, end = list[bytes](), 0
        for match in kind.find(content):
            parts += [content[end : match.start(1)], b"****"]
            end = match.end(1)
        content = b"".join([*parts, content[end:]])
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
    environments = {
        path.removesuffix("pyvenv.cfg") for path in paths if path.endswith("/pyvenv.cfg")
    }
    found: dict[str, list[str]] = {}
    for path, folder in enclosing(paths, environments):
        match = _BALLAST.search(path)
        if folder is not None:
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
