"""What a project depends on: requirements files, pyproject.toml, uv.lock.

Requirements files are read as pip reads them (pip.pypa.io, "Requirements File Format"): UTF-8,
a byte-order mark or a coding comment; continued lines; comments; `-r`, `-c` and options.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from azpack.app.config import read_toml
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal["requirements", "pyproject", "uv.lock"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"--hash(?:=|\s+)(['\"]?)(\w+):([0-9a-fA-F]+)\1(?!\S)")
_WITH_VALUE = {
    "-e", "--editable", "-r", "--requirement", "-c", "--constraint", "-i", "--index-url",
    "--extra-index-url", "-f", "--find-links", "--no-binary", "--only-binary",
}  # fmt: skip
# Of pip's options in a file these mean something to a resolver, which takes them by these names.
_PASSED_ON = {"--no-binary", "--only-binary"}
_WITHOUT_EFFECT = {"--prefer-binary", "--trusted-host", "--use-feature"}
_PASSWORD = re.compile(r"://[^/@\s]*:(?!\$\{)[^/@\s]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A line of a requirements file: `text` without comment and options, `place` is FILE:LINE."""

    text: str
    place: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All that a project asks for, from one kind of source.

    `files` are what was read, relative to the project root, the first ones named; of the options
    in requirements files those for indexes may hold `${NAME}`, unexpanded. `overrides` stand in
    the place of whatever else asks for their names. `require_hashes` says, as for pip, that what
    has no hash is refused: by option, or because one line has one. `digest` is of what the
    requirements say, not of their comments and line ends.
    """

    kind: Kind
    files: tuple[str, ...]
    digest: str
    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    prereleases: bool = False
    options: tuple[str, ...] = ()
    require_hashes: bool = False
    overrides: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """All that was read as single lines: requirements, constraints and overrides."""
        listed = (*self.requirements, *self.constraints)
        return (*(requirement.text for requirement in listed), *self.overrides)

    @property
    def has_password(self) -> bool:
        """Whether a URL of an index has a password in plain, not as `${NAME}`."""
        urls = (self.index_url or "", *self.extra_index_urls, *self.find_links)
        return any(map(_PASSWORD.search, urls))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for (known of requirements files alone)."""
        return self.kind == "requirements" and not self.requirements


def find_requirements(
    root: Path,
    *,
    files: Sequence[str] = (),
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> Requirements | None:
    """Read what `files` list, else the project's requirements.txt, uv.lock or pyproject.toml.

    Returns:
        None where the project lists no dependencies anywhere.

    Raises:
        UsageError: a file is missing or says what can't be understood.
    """
    if not files:
        for name in ("requirements.txt", "uv.lock", "pyproject.toml"):
            # A folder of that name is met when it is read: it must not be passed over in silence.
            if (root / name).exists() and (name != "pyproject.toml" or _has_project(root)):
                files = (str(root / name),)
                break
        else:
            return None
    names = {Path(name).name for name in files}
    for kind in ("uv.lock", "pyproject.toml"):
        if kind in names and len(files) > 1:
            raise UsageError(
                "mixed-requirements",
                f"{kind} can't be combined with other requirements",
                hint="name one pyproject.toml or uv.lock, or any number of requirements files",
            )
    if names == {"pyproject.toml"}:
        return _pyproject(root, files[0], extras, groups)
    if names == {"uv.lock"}:
        return _uv_lock(root, files[0], extras, groups)
    reader = _Reader(root)
    for name in files:
        reader.read(locate(root, name), constraint=False, included_at="")
    return reader.result()


def is_lock_name(name: str) -> bool:
    """Whether a file is a lock by its name: pylock.toml or pylock.NAME.toml (PEP 751)."""
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", name.rpartition("/")[2]) is not None


def locate(root: Path, name: str) -> Path:
    """The path of a requirements file: in the working folder, else in the project."""
    path = Path(name)
    return path.absolute() if path.is_absolute() or path.exists() else root / path


def _has_project(root: Path) -> bool:
    """Whether pyproject.toml lists dependencies, rather than only configuring tools."""
    content = read_toml(root / "pyproject.toml")
    poetry = _table(_table(content, "tool"), "poetry")
    if "project" not in content and "dependencies" in poetry:
        raise UsageError(
            "poetry-dependencies",
            "pyproject.toml lists its dependencies under [tool.poetry], which azpack can't read",
            hint="move them to [project] (Poetry 2 reads it too), or write a requirements.txt "
            "with 'poetry export'",
        )
    return "project" in content


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _relative(root: Path, path: Path) -> str:
    """How a file is named from the project: the same wherever that stands."""
    return Path(os.path.relpath(path, root)).as_posix()


def _pyproject(root: Path, name: str, extras: Sequence[str], groups: Sequence[str]) -> Requirements:
    path = locate(root, name)
    name = _relative(root, path)
    if not path.is_file():
        raise _missing(name, "")
    content = read_toml(path)
    project = content.get("project")
    if not isinstance(project, dict):
        raise UsageError(
            "no-project-table",
            f"{name} has no [project] table, so it lists no dependencies",
            hint="list them under [project] dependencies, or in a requirements.txt",
        )
    dynamic = project.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise UsageError(
            "dynamic-dependencies",
            f"{name} leaves its dependencies to the build back end (dynamic)",
            hint="list them under [project] dependencies, or name their file with -r",
        )
    _check_names(name, "extras", extras, project.get("optional-dependencies", {}))
    _check_names(name, "groups", groups, content.get("dependency-groups", {}))
    uv = _table(_table(content, "tool"), "uv")
    place = f"{name} [tool.uv]"
    relevant = ("sources", "constraint-dependencies", "override-dependencies", "index")
    asked = {
        "dependencies": project.get("dependencies", []),
        "extras": {extra: project.get("optional-dependencies", {}) for extra in extras},
        "groups": {group: content.get("dependency-groups", {}) for group in groups},
        "uv": {key: uv[key] for key in relevant if key in uv},
    }
    return Requirements(
        kind="pyproject",
        files=(name,),
        digest=_digest(asked),
        constraints=tuple(
            Requirement(text=text, place=place)
            for text in _texts(uv, "constraint-dependencies", place)
        ),
        overrides=_texts(uv, "override-dependencies", place),
        extras=tuple(extras),
        groups=tuple(groups),
    )


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name)
    return table if isinstance(table, dict) else {}


def _texts(table: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    texts = table.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError("bad-setting", f"{place}: {name} must be a list of strings")
    return tuple(texts)


def _check_names(file: str, what: str, asked: Sequence[str], known: object) -> None:
    from packaging.utils import canonicalize_name

    names = list(known) if isinstance(known, dict) else []
    for name in asked:
        if canonicalize_name(name) not in map(canonicalize_name, names):
            raise UsageError(
                f"unknown-{what[:-1]}",
                f"[tool.azpack] {what} names {name!r}, which {file} does not have",
                hint=f"it has {', '.join(names) or 'none'}",
            )


def _uv_lock(root: Path, name: str, extras: Sequence[str], groups: Sequence[str]) -> Requirements:
    path = locate(root, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _missing(name, "") from None
    beside = read_toml(path.with_name("pyproject.toml"))
    uv = _table(_table(beside, "tool"), "uv")
    listed = [beside.get("project"), beside.get("dependency-groups"), uv]
    asked = [hashlib.sha256(content).hexdigest(), listed, list(extras), list(groups)]
    return Requirements(
        kind="uv.lock",
        files=(_relative(root, path),),
        digest=_digest(asked),
        overrides=_texts(uv, "override-dependencies", "pyproject.toml [tool.uv]"),
        extras=tuple(extras),
        groups=tuple(groups),
    )


def _missing(name: str, included_at: str) -> UsageError:
    where = f", which {included_at} includes" if included_at else ""
    return UsageError("no-requirements-file", f"there is no {name}{where}", context={"file": name})


@dataclass(slots=True)
class _Reader:
    """Reads requirements files with what they include into one list."""

    root: Path
    files: list[str] = field(default_factory=list)
    requirements: list[Requirement] = field(default_factory=list)
    constraints: list[Requirement] = field(default_factory=list)
    index_url: str | None = None
    extra_index_urls: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    no_index: bool = False
    prereleases: bool = False
    require_hashes: bool = False
    options: list[str] = field(default_factory=list)
    _reading: list[Path] = field(default_factory=list)

    def read(self, path: Path, *, constraint: bool, included_at: str) -> None:
        # Named by another way, through `..` or a link, it is still the same file.
        same = path.resolve()
        if same in self._reading:
            raise UsageError(
                "circular-requirements", f"{included_at} includes {path.name}, which includes it"
            )
        name = _relative(self.root, path)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _missing(name, included_at) from None
        except OSError as error:
            raise FileError("unreadable", f"{name} can't be read: {error.strerror}") from error
        if name not in self.files:
            self.files.append(name)
        self._reading.append(same)
        for number, line in _logical_lines(_decode(content, name)):
            self._take(line, path, f"{name}:{number}", constraint=constraint)
        self._reading.pop()

    def _take(self, line: str, path: Path, place: str, *, constraint: bool) -> None:
        if not line.startswith("-"):
            (self.constraints if constraint else self.requirements).append(
                _requirement(line, place)
            )
            return
        for option, value in _options(line, place):
            self._take_option(option, value, path, place, constraint=constraint)

    def _take_option(
        self, option: str, value: str, path: Path, place: str, *, constraint: bool
    ) -> None:
        if option in ("-e", "--editable"):
            if constraint:
                raise UsageError(
                    "editable-constraint",
                    f"{place}: an editable requirement can't be a constraint",
                    hint="list it in a file that is included with -r",
                )
            self.requirements.append(_requirement(f"-e {value}", place))
        elif option in ("-r", "--requirement", "-c", "--constraint"):
            if "://" in value:
                from azpack.deps.index import redact

                raise UsageError(
                    "remote-requirements",
                    f"{place} includes {redact(value)}, which is not a file",
                    hint="download it into the project and include the file",
                )
            included = path.parent / value
            is_constraint = constraint or option in ("-c", "--constraint")
            self.read(included, constraint=is_constraint, included_at=place)
        elif option in ("-i", "--index-url", "--pypi-url"):
            self.index_url = value
        elif option == "--extra-index-url":
            self.extra_index_urls.append(value)
        elif option in ("-f", "--find-links"):
            self.find_links.append(_folder_from(path.parent, value))
        elif option == "--no-index":
            self.no_index = True
        elif option == "--pre":
            self.prereleases = True
        elif option == "--require-hashes":
            self.require_hashes = True
        elif option in _PASSED_ON:
            self.options += [option, value]
        elif option not in _WITHOUT_EFFECT:
            raise UsageError(
                "unknown-requirements-option",
                f"{place}: {option} is no option of requirements files that azpack knows",
                hint="requirements files take -r, -c, -e, --index-url, --extra-index-url, "
                "--find-links, --no-index, --pre, --no-binary and --only-binary",
            )

    def result(self) -> Requirements:
        asked = [
            [(entry.text, sorted(entry.hashes)) for entry in self.requirements],
            [(entry.text, sorted(entry.hashes)) for entry in self.constraints],
            [self.prereleases, self.options, *(["hashes"] if self.require_hashes else [])],
        ]
        return Requirements(
            kind="requirements",
            files=tuple(self.files),
            digest=_digest(asked),
            requirements=tuple(self.requirements),
            constraints=tuple(self.constraints),
            index_url=self.index_url,
            extra_index_urls=tuple(self.extra_index_urls),
            find_links=tuple(self.find_links),
            no_index=self.no_index,
            prereleases=self.prereleases,
            options=tuple(self.options),
            require_hashes=self.require_hashes or any(it.hashes for it in self.requirements),
        )


def _decode(content: bytes, name: str) -> str:
    encoding = "utf-8"
    for mark, marked in _MARKS:
        if content.startswith(mark):
            encoding = marked
            break
    else:
        for line in content.split(b"\n", 2)[:2]:
            if found := _CODING.match(line):
                encoding = found[1].decode("ascii")
                break
    try:
        text = content.decode(encoding)
    except (ValueError, LookupError):  # of some codecs the error is not a UnicodeDecodeError
        text = "\0"
    if "\0" in text:  # as in UTF-16 without a mark
        raise UsageError(
            "bad-encoding",
            f"{name} is not text in {encoding.upper()}",
            hint="save it as UTF-8",
            context={"file": name},
        )
    return text


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those joined that a backslash continues, without comments; numbered from 1."""
    joined = ""
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not joined:
            start = number
        # A comment ends what is continued, and is not continued itself.
        if _COMMENT.match(line):
            line = ""
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        if whole := _COMMENT.sub("", joined + line).strip():
            yield start, whole
        joined = ""
    if whole := _COMMENT.sub("", joined).strip():
        yield start, whole


def _options(line: str, place: str) -> Iterator[tuple[str, str]]:
    """The options of a line, each with its value: pip takes several on one line."""
    try:
        words = shlex.split(line)
    except ValueError:
        # Without the line: there may be a password in it.
        raise UsageError("bad-requirement", f"{place}: unbalanced quotes") from None
    starts = [number for number, word in enumerate(words) if word.startswith("-")]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        option, equals, value = words[start].partition("=")
        if not option.startswith("--"):  # -rfile, as pip's parser allows
            option, equals = words[start][:2], words[start][2:]
            value = equals
        value = " ".join([value, *words[start + 1 : end]] if equals else words[start + 1 : end])
        if not value and option in _WITH_VALUE:
            raise UsageError("bad-requirement", f"{place}: {option} needs a value")
        yield option, value


def _requirement(line: str, place: str) -> Requirement:
    text, *rest = re.split(r"\s(?=--)", line, maxsplit=1)
    options = "".join(rest)
    hashes = tuple(f"{kind}:{value.lower()}" for _, kind, value in _HASH.findall(options))
    if len(hashes) != options.count("--hash"):
        raise UsageError(
            "bad-requirement",
            f"{place}: a hash can't be read",
            hint="write it as --hash=sha256:DIGITS",
        )
    return Requirement(text=text.strip(), place=place, hashes=hashes)


def _folder_from(folder: Path, value: str) -> str:
    """A find-links that names a folder beside the file means that one, as for pip."""
    beside = folder / value
    return str(beside) if "://" not in value and beside.exists() else value
