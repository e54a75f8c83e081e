"""Requirements files, read as pip reads them (pip.pypa.io, "Requirements File Format").

That is UTF-8, a byte-order mark or a coding comment; continued lines; comments; `-r`, `-c` and
options.
"""

from __future__ import annotations

import codecs
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azpack.deps.requirements import (
    Requirement,
    Requirements,
    digest_of,
    missing_file,
    relative_name,
)
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
    "--extra-index-url", "-f", "--find-links", "--no-binary", "--only-binary", "--trusted-host",
}  # fmt: skip
# Of pip's options in a file these mean something to a resolver, which takes them by these names.
_PASSED_ON = {"--no-binary", "--only-binary"}
_WITHOUT_EFFECT = {"--prefer-binary", "--use-feature"}


def read_requirements_files(root: Path, paths: Iterable[Path]) -> Requirements:
    """Read files with what they include into one list; they are named relative to `root`.

    Raises:
        UsageError: a file is missing or says what can't be understood.
        FileError: one can't be read.
    """
    reader = _Reader(root)
    for path in paths:
        reader.read(path, constraint=False, included_at="")
    return reader.result()


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
    trusted_hosts: list[str] = field(default_factory=list)
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
        name = relative_name(self.root, path)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise missing_file(name, included_at) from None
        except OSError as error:
            raise FileError("unreadable", f"{name} can't be read: {error.strerror}") from error
        if name not in self.files:
            self.files.append(name)
        self._reading.append(same)
        for number, line in _logical_lines(decode_text(content, name)):
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
        elif option == "--trusted-host":
            self.trusted_hosts.append(value)
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
            digest=digest_of(asked),
            requirements=tuple(self.requirements),
            constraints=tuple(self.constraints),
            index_url=self.index_url,
            extra_index_urls=tuple(self.extra_index_urls),
            find_links=tuple(self.find_links),
            trusted_hosts=tuple(self.trusted_hosts),
            no_index=self.no_index,
            prereleases=self.prereleases,
            options=tuple(self.options),
            require_hashes=self.require_hashes or any(it.hashes for it in self.requirements),
        )


def decode_text(content: bytes, name: str) -> str:
    """The text of a requirements file: UTF-8, or what its mark or coding comment says.

    Raises:
        UsageError: it is not text in that encoding.
    """
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
