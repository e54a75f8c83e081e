"""The lock: exact distributions for one target, read from and written as pylock.toml (PEP 751)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from azpack.deps.index import is_remote, public
from azpack.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.pylock import Package, PackageWheel, Pylock
    from packaging.tags import Tag

    from azpack.target.target import Target

Kind = Literal["wheel", "sdist", "archive", "directory", "vcs"]

NOT_ALLOWED = "the hashes that the requirements allow are of other files"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDistribution:
    """The one file, folder or commit that a distribution is taken from.

    `url` is where the file is (a `file:` URL for one on disk), the folder's absolute path, or the
    repository's URL; `sha256` is of the file, and empty for folders and commits. `index` is the
    URL of the one that lists it, without credentials, where the lock says so. `tag` is the best of
    the wheel's tags, `reason` why this one was chosen.
    """

    name: str
    version: str
    kind: Kind
    url: str
    filename: str = ""
    sha256: str = ""
    size: int | None = None
    index: str = ""
    tag: str = ""
    reason: str = ""
    commit: str = ""
    subdirectory: str = ""

    @property
    def is_wheel(self) -> bool:
        """Whether the file is a wheel, and not what one must be built from."""
        return self.filename.endswith(".whl") or self.kind == "wheel"

    @property
    def is_path(self) -> bool:
        """Whether it is a folder on this machine, whose content no hash fixes."""
        return self.kind == "directory"

    @property
    def is_from_index(self) -> bool:
        """Whether an index lists it, and not a requirement names it by URL or path."""
        return self.kind in ("wheel", "sdist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Exact distributions for one target, sorted by name.

    `requirements_digest` and `files` say what it was resolved from, if it was.
    """

    distributions: tuple[LockedDistribution, ...]
    target: Mapping[str, str]
    requirements_digest: str = ""
    files: tuple[str, ...] = ()


def check_lock(table: Mapping[str, Any], *, name: str) -> Pylock:
    """The lock in a table, whichever target it is for.

    Raises:
        ResolutionError: the table is no lock.
    """
    from packaging.pylock import Pylock, PylockValidationError

    try:
        return Pylock.from_dict(table)
    except PylockValidationError as error:
        raise ResolutionError(
            "bad-lock",
            f"{name} is not a valid lock: {error}",
            hint="make it anew: azpack lock --upgrade",
        ) from None


def read_lock(
    table: Mapping[str, Any],
    *,
    folder: Path,
    target: Target,
    name: str,
    allowed: Mapping[str, frozenset[str]] | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> Lock:
    """Choose from a lock's table what the target installs.

    `folder` is where its relative paths start; `allowed` names the only hashes ("sha256:…") that
    the requirements allow for a distribution.

    Raises:
        ResolutionError: the table is no lock, or not one for this target.
    """
    pylock = check_lock(table, name=name)
    if pylock.requires_python and not pylock.requires_python.contains(target.full_version):
        raise ResolutionError(
            "lock-for-another-python",
            f"{name} is for Python {pylock.requires_python}, the target is {target.full_version}",
            hint="make it anew: azpack lock",
        )
    ranks = {tag: rank for rank, tag in enumerate(target.tags())}
    chosen = []
    for package in _wanted(pylock, target, extras, groups, name):
        _check_urls(package, name)
        chosen.append(_choose(package, folder, ranks, (allowed or {}).get(package.name)))
    for entry in chosen:
        if entry.url and entry.kind in ("wheel", "sdist", "archive") and not entry.sha256:
            raise ResolutionError(
                "no-hash",
                f"{name} has no SHA-256 for {entry.filename}",
                hint="what no hash fixes can't be checked: make the lock anew with 'azpack lock'",
            )
    return Lock(
        distributions=tuple(sorted(chosen, key=lambda entry: entry.name)), target=target.record()
    )


def _wanted(
    pylock: Pylock, target: Target, extras: Sequence[str], groups: Sequence[str], name: str
) -> Iterator[Package]:
    environment: dict[str, Any] = dict(target.marker_environment())
    environment["extras"] = frozenset(extras)
    environment["dependency_groups"] = frozenset((*(pylock.default_groups or ()), *groups))
    if pylock.environments and not any(
        _holds(marker, environment, name) for marker in pylock.environments
    ):
        raise ResolutionError(
            "lock-for-another-environment",
            f"{name} is for environments of which the target is none: "
            + ", ".join(map(str, pylock.environments)),
            hint="make it anew: azpack lock",
        )
    seen: set[str] = set()
    for package in pylock.packages:
        if package.marker and not _holds(package.marker, environment, name):
            continue
        if package.requires_python and not package.requires_python.contains(target.full_version):
            raise ResolutionError(
                "lock-for-another-python",
                f"{name}: {package.name} needs Python {package.requires_python}, "
                f"the target is {target.full_version}",
                hint="make the lock anew: azpack lock",
            )
        if package.name in seen:
            raise ResolutionError(
                "bad-lock", f"{name} has two entries of {package.name} for this target"
            )
        seen.add(package.name)
        yield package


def _holds(marker: Marker, environment: dict[str, Any], name: str) -> bool:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return marker.evaluate(environment, context="lock_file")
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise ResolutionError(
            "bad-lock", f"{name} has a marker that can't be evaluated: {marker} ({error})"
        ) from None


def _check_urls(package: Package, name: str) -> None:
    files = [*(package.wheels or ()), package.sdist, package.archive, package.vcs]
    urls = [file.url for file in files if file is not None and file.url]
    for url in filter(None, [*urls, package.index]):
        try:
            urlsplit(url)
        except ValueError:
            raise ResolutionError(
                "bad-lock", f"{name}: {package.name} has a URL that can't be read"
            ) from None


def _choose(
    package: Package,
    folder: Path,
    ranks: Mapping[Tag, int],
    allowed: frozenset[str] | None,
) -> LockedDistribution:
    version = str(package.version or "")
    if package.directory is not None:
        path = os.path.normpath(folder / package.directory.path)
        return LockedDistribution(
            name=package.name, version=version, kind="directory", url=path,
            subdirectory=package.directory.subdirectory or "", reason="a folder",
        )  # fmt: skip
    if package.vcs is not None:
        if package.vcs.type != "git":
            raise ResolutionError(
                "not-git", f"{package.name} comes from {package.vcs.type}; azpack knows git alone"
            )
        url = package.vcs.url or _file_url(folder, package.vcs.path)
        return LockedDistribution(
            name=package.name, version=version, kind="vcs", url=url,
            commit=package.vcs.commit_id, subdirectory=package.vcs.subdirectory or "",
            reason=f"commit {package.vcs.commit_id[:12]}",
        )  # fmt: skip
    if package.archive is not None:
        url = package.archive.url or _file_url(folder, package.archive.path)
        filename = _filename(url)
        if not _is_allowed(package.archive.hashes, allowed):
            return LockedDistribution(
                name=package.name, version=version, kind="archive", url="", filename=filename,
                reason=NOT_ALLOWED,
            )  # fmt: skip
        best = _best_tag(filename, ranks) if filename.endswith(".whl") else None
        if best:
            _check_archive(package, filename)
        return LockedDistribution(
            name=package.name, version=version, kind="archive", url=url, filename=filename,
            sha256=package.archive.hashes.get("sha256", ""), size=package.archive.size,
            subdirectory=package.archive.subdirectory or "",
            tag=str(best[1]) if best else "",
            reason="named by its URL" if best or not filename.endswith(".whl")
            else "the wheel that its URL names does not fit the target",
        )  # fmt: skip
    return _choose_file(package, folder, ranks, allowed)


def _check_archive(package: Package, filename: str) -> None:
    """A wheel is what its name says; of those that an index lists `check_lock` has seen to that."""
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(filename)
    if name != package.name or (package.version and version != package.version):
        what = f"{package.name} {package.version or ''}".rstrip()
        raise ResolutionError(
            "bad-lock",
            f"the lock has {filename} for {what}",
            hint="make it anew: azpack lock --upgrade",
        )


def _choose_file(
    package: Package,
    folder: Path,
    ranks: Mapping[Tag, int],
    allowed: frozenset[str] | None,
) -> LockedDistribution:
    """The wheel whose tag the target likes best, else the sdist, else what there is."""
    version = str(package.version or "")
    wheels = [wheel for wheel in package.wheels or () if _is_allowed(wheel.hashes, allowed)]
    ranked = list(_ranked(wheels, ranks))
    if ranked:
        best = min(entry[0] for entry in ranked)
        _, _, filename, tag, wheel = max(
            (entry for entry in ranked if entry[0] == best), key=lambda entry: entry[1:3]
        )
        others = len(wheels) - 1
        return LockedDistribution(
            name=package.name, version=version, kind="wheel", filename=filename,
            url=wheel.url or _file_url(folder, wheel.path), size=wheel.size,
            sha256=wheel.hashes.get("sha256", ""), index=_index(package), tag=str(tag),
            reason=f"the best of {others + 1} wheels" if others else "the only wheel that fits",
        )  # fmt: skip
    sdist = package.sdist
    if sdist is not None and _is_allowed(sdist.hashes, allowed):
        url = sdist.url or _file_url(folder, sdist.path)
        return LockedDistribution(
            name=package.name, version=version, kind="sdist", url=url,
            filename=_filename(sdist.name or url),
            sha256=sdist.hashes.get("sha256", ""), size=sdist.size, index=_index(package),
            reason="no wheel fits the target" if wheels else "there is no wheel",
        )  # fmt: skip
    return LockedDistribution(
        name=package.name, version=version, kind="wheel", url="",
        reason=NOT_ALLOWED if allowed else "no wheel fits the target",
    )  # fmt: skip


def _index(package: Package) -> str:
    return public(package.index) if package.index and is_remote(package.index) else ""


def _ranked(
    wheels: Iterable[PackageWheel], ranks: Mapping[Tag, int]
) -> Iterator[tuple[int, tuple[int, str] | tuple[()], str, Tag, PackageWheel]]:
    """The wheels that the target runs: the rank of the best tag, the build tag, the name."""
    from packaging.utils import parse_wheel_filename

    for wheel in wheels:
        if best := _best_tag(wheel.filename, ranks):
            build = parse_wheel_filename(wheel.filename)[2]
            yield best[0], build, wheel.filename, best[1], wheel


def _best_tag(filename: str, ranks: Mapping[Tag, int]) -> tuple[int, Tag] | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename as error:
        raise ResolutionError("bad-wheel-name", f"{filename} can't be used: {error}") from None
    fitting = [(ranks[tag], tag) for tag in tags if tag in ranks]
    return min(fitting, key=lambda entry: entry[0], default=None)


def _is_allowed(hashes: Mapping[str, str], allowed: frozenset[str] | None) -> bool:
    return not allowed or any(f"{kind}:{value}" in allowed for kind, value in hashes.items())


def _filename(url: str) -> str:
    """The last part of a URL's path, which must not lead elsewhere once it is unquoted."""
    name = re.split(r"[/\\]", unquote(urlsplit(url).path))[-1]
    if name in ("", ".", "..") or not name.isprintable():
        raise ResolutionError("bad-file-name", f"{public(url)} does not end with a file's name")
    return name


def _file_url(folder: Path, path: str | None) -> str:
    return Path(os.path.normpath((folder / str(path)).absolute())).as_uri()


def file_path(url: str) -> Path | None:
    """The path that a `file:` URL stands for; None for another URL."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path))


def lock_text(lock: Lock, *, root: Path) -> str:
    """The lock as the text of a pylock.toml at `root`: one file for each distribution."""
    import tomli_w

    root = root.resolve()  # as uv names what it finds there
    packages = [_package_table(entry, root) for entry in lock.distributions]
    version = str(lock.target["python"])
    tables: dict[str, Any] = {
        "lock-version": "1.0",
        "created-by": "azpack",
        # Any release of the version: a developer's machine need not have the platform's own.
        "requires-python": f"=={version.rpartition('.')[0]}.*",
        "packages": packages,
        "tool": {
            "azpack": {
                "requirements": list(lock.files),
                "requirements-digest": lock.requirements_digest,
                "target": dict(lock.target),
            }
        },
    }
    head = "# Made by 'azpack lock' for the target that is recorded at the end.\n"
    # tomli_w writes an array of tables only where it has to; a lock is read by its diff.
    return head + tomli_w.dumps(tables)


def _package_table(entry: LockedDistribution, root: Path) -> dict[str, Any]:
    table: dict[str, Any] = {"name": entry.name}
    if entry.version:
        table["version"] = entry.version
    if entry.kind == "directory":
        table["directory"] = {"path": os.path.relpath(entry.url, root)}
        source = table["directory"]
    elif entry.kind == "vcs":
        source = {"type": "git", "url": public(entry.url), "commit-id": entry.commit}
        table["vcs"] = source
    else:
        source = {**_place(entry.url, root), "hashes": {"sha256": entry.sha256}}
        if entry.size is not None:
            source["size"] = entry.size
        if entry.kind == "wheel":
            table["wheels"] = [{"name": entry.filename, **source}]
        elif entry.kind == "sdist":
            table["sdist"] = {"name": entry.filename, **source}
        else:
            table["archive"] = source
    if entry.subdirectory:
        source["subdirectory"] = entry.subdirectory
    return table


def _place(url: str, root: Path) -> dict[str, str]:
    """Where a file is; one on this machine is named from the project, as folders are."""
    path = file_path(url)
    return {"url": public(url)} if path is None else {"path": os.path.relpath(path, root)}


def normalized(name: str) -> str:
    """A distribution's name in the form that compares equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
