"""Which of a project's files go into the package, and which rule keeps each of the others out.

Names and paths in here are POSIX and relative to the project's root, as `os.scandir` spells them.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azpack.app.ignore import IgnoreRules, Rule
from azpack.app.shared import find_shared_folders, locate
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from azpack.app.shared import SharedFolder

__all__ = ["FileSet", "IgnoredPath", "collect_files"]

_IGNORE_FILE = ".funcignore"
_PYTHON_PACKAGES = ".python_packages"
_VENV_MARKER = "pyvenv.cfg"

# Links can multiply: ten folders, each with two links to the next one, are a thousand folders.
_MAX_ENTRIES_BEHIND_LINKS = 50_000
_MAX_PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredPath:
    """A path that is left out, and the rule that decided it.

    The path of a folder ends with a slash, and stands for all that is below.
    """

    path: str
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """The files of a project to pack and the paths to leave out, each sorted by UTF-8 bytes.

    `kept_by` has the negated rule of each included file that such a rule decided. `shared` says
    where the folders are that stand at the root of the package, and not of the project.
    """

    root: Path
    included: tuple[str, ...]
    ignored: tuple[IgnoredPath, ...]
    kept_by: Mapping[str, Rule]
    shared: Mapping[str, str] = field(default_factory=dict)

    def on_disk(self, path: str) -> str:
        """Where the file of a path is that is packed or left out."""
        return locate(self.root, self.shared, path)


def collect_files(
    root: Path,
    *,
    excludes: Sequence[str] = (),
    includes: Sequence[str] = (),
    outputs: Collection[Path] = (),
    keep_python_packages: bool = False,
) -> FileSet:
    """Divide what is below a project's root into the files to pack and the paths to leave out.

    `.funcignore` at the root decides as git reads an ignore file, and after it the patterns in
    `excludes`; before both, the names that never belong into a package, `outputs` (absolute paths
    of what azpack itself writes) and, unless `keep_python_packages`, `.python_packages` at the
    root. Virtual environments, caches and settings of editors are left out too, unless a negated
    rule without wildcards decides on them. Empty folders are neither included nor ignored.

    `includes` are folders outside of the project, relative to its root. Each is packed as if it
    stood at the root under its own name, and the rules apply to what it holds.

    A link to a file or folder of the project stands for a copy of it. So a rule for folders alone
    applies to a link to a folder, which it does not for git, and a link to what never belongs
    into a package is left out as that is.

    Raises UsageError for a `.funcignore` that is no text file in UTF-8 and for a folder that can't
    be included, and FileError for what can't be read and for paths that can't be packed: links that
    are broken, that lead out of the project or into themselves, special files, and names that are
    not UTF-8.
    """
    rules = _read_rules(root).with_patterns(excludes, source="--exclude")
    shared = find_shared_folders(root, includes)
    walk = _Walk(root, rules, shared, outputs=outputs, keep_python_packages=keep_python_packages)
    walk.run()
    if walk.problems:
        raise _unpackable(walk.problems)
    for folder in shared:
        below = (path for path in walk.included if path.startswith(f"{folder.name}/"))
        walk.kept_by = dict.fromkeys(below, folder.rule) | walk.kept_by
    # The order of characters is that of their UTF-8 bytes.
    return FileSet(
        root=root,
        included=tuple(sorted(walk.included)),
        ignored=tuple(sorted(walk.ignored, key=lambda ignored: ignored.path)),
        kept_by=dict(sorted(walk.kept_by.items())),
        shared=walk.shared,
    )


def _builtin(names: str) -> dict[str, Rule]:
    return {name: Rule(pattern=name, source="azpack", negated=False) for name in names.split()}


_NEVER_PACKED = _builtin(f".git .hg .svn {_IGNORE_FILE} local.settings.json")
_PACKED_IF_NAMED = _builtin(
    ".gitignore .gitattributes .vscode .idea .azure .venv __pycache__ .mypy_cache .pytest_cache"
    " .ruff_cache .tox .nox node_modules .DS_Store"
)
_BUILTIN = {**_NEVER_PACKED, **_PACKED_IF_NAMED}
# The rule for a folder that holds this file: a virtual environment, whatever its name.
_VENV = Rule(pattern=_VENV_MARKER, source="azpack", negated=False)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk: "" or its path with a slash at the end, and the rule that kept it.

    `real` is where it really is, `behind` where the links really are that led to it.
    """

    prefix: str
    real: str
    behind: tuple[str, ...] = ()
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class _Problem:
    """A path that can't be packed: the error's code, and a sentence that begins with the path."""

    path: str
    code: str
    what: str
    target: str | None = None


class _Walk:
    """One walk through a project, and what it has found so far.

    It goes from folder to folder by a list, not by recursion: folders can be nested deeper than
    Python's stack.
    """

    def __init__(
        self,
        root: Path,
        rules: IgnoreRules,
        shared: Sequence[SharedFolder],
        *,
        outputs: Collection[Path],
        keep_python_packages: bool,
    ) -> None:
        self.included: list[str] = []
        self.ignored: list[IgnoredPath] = []
        self.kept_by: dict[str, Rule] = {}
        self.problems: list[_Problem] = []
        self._rules = rules
        self._root = os.fspath(root)
        self._real_root = os.path.realpath(root).rstrip("/")
        self._pending = [
            _Folder("", self._real_root),
            *(_Folder(f"{it.name}/", it.place, rule=it.rule) for it in shared),
        ]
        self.shared = {folder.name: folder.place for folder in shared}
        self._roots = (self._real_root, *self.shared.values())
        self._entries_behind_links = 0
        # azpack's own rules by name, for the real folders where they are not the usual ones.
        self._builtin_in: dict[str, dict[str, Rule]] = {}
        if not keep_python_packages:
            self._never_pack(self._real_root, _PYTHON_PACKAGES)
        for output in outputs:
            # Both what an output that is a link points to, and the link.
            self._never_pack(os.path.realpath(output.parent), output.name)
            self._never_pack(*os.path.split(os.path.realpath(output)))

    def _never_pack(self, folder: str, name: str) -> None:
        rules = self._builtin_in.setdefault(folder.rstrip("/"), dict(_BUILTIN))
        rules[name] = Rule(pattern=name, source="azpack", negated=False)

    def run(self) -> None:
        while self._pending:
            folder = self._pending.pop()
            try:
                self._visit(folder)
            except OSError as error:
                raise _unreadable(folder.prefix or self._root, error) from error

    def _visit(self, folder: _Folder) -> None:
        prefix, builtin = folder.prefix, self._builtin_rules(folder.real)
        for_files = self._rules.for_files
        names_suffice = not for_files.has_paths_in(prefix)
        include = self.included.append
        for entry in self._entries(folder):
            name = entry.name
            path = prefix + name
            if entry.is_dir(follow_symlinks=False):
                self._visit_folder(name, path, folder)
            elif not entry.is_file(follow_symlinks=False):
                self._visit_irregular(entry, path, folder)
            else:
                rule = for_files.find_by_name(name) if names_suffice else for_files.find(name, path)
                if name in builtin:
                    rule = _overruled(rule, builtin[name])
                if rule is None and path.isascii():
                    include(path)
                elif rule is None or rule.negated:
                    self._include(path, rule)
                else:
                    self.ignored.append(IgnoredPath(path=path, rule=rule))

    def _visit_folder(self, name: str, path: str, parent: _Folder) -> None:
        rule = self._decide(name, path, parent, is_folder=True)
        path += "/"
        if rule is None or rule.negated:
            self._pending.append(_Folder(path, f"{parent.real}/{name}", parent.behind, rule))
        else:
            self.ignored.append(IgnoredPath(path=path, rule=rule))

    def _decide(self, name: str, path: str, parent: _Folder, *, is_folder: bool) -> Rule | None:
        matcher = self._rules.for_folders if is_folder else self._rules.for_files
        rule = matcher.find(name, path)
        builtin = self._builtin_rules(parent.real).get(name)
        return rule if builtin is None else _overruled(rule, builtin)

    def _builtin_rules(self, real_folder: str) -> dict[str, Rule]:
        return self._builtin_in.get(real_folder, _BUILTIN)

    def _entries(self, folder: _Folder) -> list[os.DirEntry[str]]:
        """What a folder holds: nothing if it is a virtual environment, which is noted then."""
        with os.scandir(locate(self._root, self.shared, folder.prefix)) as found:
            entries = list(found)
        if folder.behind:
            self._entries_behind_links += len(entries)
            if self._entries_behind_links > _MAX_ENTRIES_BEHIND_LINKS:
                raise _too_many(folder.prefix)
        if _VENV_MARKER not in [entry.name for entry in entries]:
            return entries
        if _is_named(folder.rule) or not folder.prefix:  # the root is the project all the same
            return entries
        self.ignored.append(IgnoredPath(path=folder.prefix, rule=_VENV))
        return []

    def _include(self, path: str, rule: Rule | None) -> None:
        if not path.isascii() and _shown(path) != path:
            self._note(path, "name-not-utf8", "{} has a name that is not UTF-8")
            return
        self.included.append(path)
        if rule is not None:
            self.kept_by[path] = rule

    def _visit_irregular(self, entry: os.DirEntry[str], path: str, parent: _Folder) -> None:
        """Judge a link, or something that is neither file nor folder, and follow what is kept."""
        found: int | OSError
        try:
            found = entry.stat().st_mode
        except OSError as error:
            found = error
        is_folder = isinstance(found, int) and stat.S_ISDIR(found)
        rule = self._decide(entry.name, path, parent, is_folder=is_folder)
        if rule is None or rule.negated:
            real = os.path.realpath(f"{parent.real}/{entry.name}")
            left_out = self._rule_of_target(real, is_folder=is_folder, kept_by=rule)
            if left_out is None:
                self._follow(_Folder(path + "/", real, (*parent.behind, parent.real), rule), found)
                return
            rule = left_out
        self.ignored.append(IgnoredPath(path=path + "/" if is_folder else path, rule=rule))

    def _rule_of_target(self, real: str, *, is_folder: bool, kept_by: Rule | None) -> Rule | None:
        """The built-in rule that leaves out what a link leads to, whatever the link's name is."""
        if is_folder and not _is_named(kept_by) and os.path.lexists(f"{real}/{_VENV_MARKER}"):
            return _VENV
        for folder in self._roots:
            if not real.startswith(f"{folder}/"):
                continue
            for name in real[len(folder) + 1 :].split("/"):
                rule = self._builtin_rules(folder).get(name)
                if rule is not None and name not in _PACKED_IF_NAMED:
                    return rule
                folder += f"/{name}"
        return None

    def _follow(self, target: _Folder, found: int | OSError) -> None:
        """Take in what a kept link leads to, a folder or not, or note why it can't be packed."""
        path = target.prefix.rstrip("/")
        problem = None
        if isinstance(found, OSError):
            problem = _problem_of_link(found)
        elif not any(f"{target.real}/".startswith(f"{root}/") for root in self._roots):
            problem = "link-outside-project", "{} is a link to {}, outside of the project"
        elif stat.S_ISREG(found):
            self._include(path, target.rule)
        elif not stat.S_ISDIR(found):
            problem = "not-a-regular-file", "{} is neither a file nor a folder"
        elif any(f"{place}/".startswith(f"{target.real}/") for place in target.behind):
            problem = "link-loop", "{} is a link to {}, a folder that holds the link"
        else:
            self._pending.append(target)
        if problem is not None:
            place = f"{target.behind[-1]}/{path.rpartition('/')[2]}"
            self._note(path, *problem, os.readlink(place) if os.path.islink(place) else None)

    def _note(self, path: str, code: str, sentence: str, target: str | None = None) -> None:
        path, target = _shown(path), None if target is None else _shown(target)
        self.problems.append(_Problem(path, code, sentence.format(path, target), target))


def _read_rules(root: Path) -> IgnoreRules:
    path = root / _IGNORE_FILE
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(
                "ignore-file-not-a-file",
                f"{path} is not a file",
                hint=f"make {_IGNORE_FILE} a text file of patterns, or remove it",
                context={"path": str(path)},
            )
        text = path.read_bytes()
    except FileNotFoundError as error:
        if not path.is_symlink():
            return IgnoreRules()
        # Without the rules, what they were to keep out would be packed.
        raise FileError(
            "broken-link",
            f"{_IGNORE_FILE} is a link to {_shown(os.readlink(path))}, which does not exist",
            hint=f"make {_IGNORE_FILE} a text file of patterns, or remove it",
            context={"path": _IGNORE_FILE},
        ) from error
    except OSError as error:
        raise _unreadable(_IGNORE_FILE, error) from error
    return IgnoreRules.parse(text, source=_IGNORE_FILE)


def _overruled(rule: Rule | None, builtin: Rule) -> Rule:
    """The rule that decides where azpack has a rule of its own."""
    if builtin.pattern not in _PACKED_IF_NAMED:
        return builtin
    return builtin if rule is None or (rule.negated and rule.has_wildcard) else rule


def _is_named(rule: Rule | None) -> bool:
    """Whether the rule keeps a path by its very name: a pattern for many paths does not do."""
    return rule is not None and rule.negated and not rule.has_wildcard


def _shown(path: str) -> str:
    """A path as it can be printed: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _problem_of_link(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ELOOP:
        return "link-loop", "{} is a link to {}, which leads to itself or through too many links"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "broken-link", "{} is a link to {}, which does not exist"
    return "unreadable", f"{{}} can't be read: {error.strerror}"


def _unpackable(problems: list[_Problem]) -> FileError:
    """One error for all the paths that can't be packed, by the code of the first of them."""
    problems = sorted(problems, key=lambda problem: problem.path)
    message = problems[0].what
    if len(problems) > 1:
        lines = [problem.what for problem in problems[:_MAX_PROBLEMS_SHOWN]]
        if len(problems) > len(lines):
            lines.append(f"and {len(problems) - len(lines)} more")
        message = "\n  ".join((f"{len(problems)} paths can't be packed:", *lines))
    hint = f"add {'it' if len(problems) == 1 else 'them'} to {_IGNORE_FILE}"
    if any(problem.target is not None for problem in problems):
        hint += ", or replace each link by a copy of what it points to"
    return FileError(
        problems[0].code,
        message,
        hint=hint,
        context={
            "paths": [
                {"path": problem.path, "code": problem.code, "target": problem.target}
                for problem in problems
            ]
        },
    )


_FOLDER_ERRORS = {
    errno.ENOENT: ("vanished", "vanished while azpack walked through the project"),
    errno.ENOTDIR: ("vanished", "vanished while azpack walked through the project"),
    errno.ELOOP: ("link-loop", "lies behind more links than the system follows"),
    errno.ENAMETOOLONG: ("path-too-long", "has a longer path than the system can open"),
}


def _unreadable(folder: str, error: OSError) -> FileError:
    code, what = _FOLDER_ERRORS.get(
        error.errno or 0, ("unreadable", f"can't be read: {error.strerror}")
    )
    shown = _shown(folder)
    # A path of thousands of characters would bury the message.
    short = shown if len(shown) <= 200 else f"{shown[:100]}...{shown[-100:]}"
    return FileError(
        code,
        f"{short} {what}",
        hint=f"if it does not belong into the package, add it to {_IGNORE_FILE}",
        context={"path": shown},
    )


def _too_many(folder: str) -> FileError:
    return FileError(
        "too-many-files-behind-links",
        f"links to folders lead to more than {_MAX_ENTRIES_BEHIND_LINKS} files and folders; "
        f"the last one seen is {_shown(folder)}",
        hint=f"add links to {_IGNORE_FILE}: each stands for a copy of all that it leads to",
        context={"path": _shown(folder), "limit": _MAX_ENTRIES_BEHIND_LINKS},
    )
