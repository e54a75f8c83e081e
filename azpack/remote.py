"""Mode remote: what the platform is to install, from where, and what would keep it from that."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from azpack.checks import preflight
from azpack.dependencies import locate_distributions
from azpack.deps.distribution import Distribution
from azpack.deps.index import public
from azpack.deps.pins import out_of_reach, requirements_text, unhashed
from azpack.errors import FindingsError, UsageError, WheelError
from azpack.findings import Finding
from azpack.remote_indexes import check_indexes, needs_no_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from azpack.app.collect import FileSet
    from azpack.dependencies import Located
    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.deps.requirements import Requirements
    from azpack.request import Request

REQUIREMENTS = "requirements.txt"
# Where else the URL of an index may stand.
_CONFIGURATION = (
    "azpack.toml", "pip.conf", "poetry.lock", "pylock.toml", "pyproject.toml", "uv.lock",
)  # fmt: skip

_URL_WITH_USER = re.compile(r"https?://[^/\s]+@[^\s#]+")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # what pip reads from the environment


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBuild:
    """What the platform installs, and by which settings of pip.

    `written` are the files that azpack adds to the project's, by path: requirements.txt, unless
    the project's own goes along as it is. `indexes` are where pip there looks, as they may be
    written down. `source` is the file that the versions come from, empty where there is none.
    """

    written: Mapping[str, bytes]
    hashed: bool
    indexes: tuple[str, ...]
    app_settings: Mapping[str, str]
    source: str
    located: tuple[tuple[LockedDistribution, str | None], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether each deployment installs the same versions."""
        return REQUIREMENTS in self.written

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        """What the platform installs, as far as that is known."""
        return tuple(
            Distribution(
                name=entry.name,
                version=entry.version,
                filename=entry.filename,
                sha256=entry.sha256,
                index=index,
                source=_source(entry),
                tag=entry.tag,
            )
            for entry, index in self.located
        )


def _source(entry: LockedDistribution) -> str:
    if entry.is_wheel:
        return "wheel"
    return "path" if entry.is_path else "sdist-remote"


def plan_remote_build(request: Request, files: FileSet) -> RemoteBuild:
    """Find out what the platform is to install beside the project's `files`.

    Raises:
        UsageError: requirements.txt can't be written there, or the project's own is to go along,
            and does not.
        FindingsError: it is a Poetry project, and nothing else lists its dependencies.
        ResolutionError: the requirements can't be resolved, or the lock does not fit and must.
        WheelError: distributions have no file that fits the target.
        UnreachableError: an index does not answer, or refuses.
    """
    packed = frozenset(files.included)
    if any(path.startswith(f"{REQUIREMENTS}/") for path in packed):
        raise UsageError(
            "requirements-is-a-folder",
            f"the project has a folder {REQUIREMENTS}, where the platform's pip looks for a file",
            hint="name the folder otherwise, or leave it out by .funcignore",
        )
    if request.options.no_pin:
        return _unpinned(request, packed)
    located = _locate(request)
    target = request.target
    head = f"Made by azpack for Python {target.python} on {target.platform}"
    if located is None:
        request.progress.warn("the project lists no dependencies: the platform installs none")
        return RemoteBuild(
            written={REQUIREMENTS: f"# {head}: the project lists no dependencies.\n".encode()},
            hashed=True,
            indexes=(),
            app_settings={},
            source="",
            findings=tuple(_check_project(request, packed, ())),
        )
    head += f": the pins of {located.source}."
    if loose := unhashed(located.lock):
        head += f"\nWithout hashes: pip takes all or none, and none fixes {', '.join(loose)}."
    # In what it builds in, too, pip goes by the settings.
    built = any(not entry.is_wheel for entry in located.lock.distributions)
    text = requirements_text(located.lock, root=request.root, head=head, packed=packed)
    app_settings = located.indexes.for_platform()
    if built and not needs_no_index(request, located, hashed=not loose):
        app_settings.pop("PIP_NO_INDEX", None)
    if located.requirements is not None and located.requirements.overrides and not built:
        # What is overridden is in the pins, and would be a conflict for pip.
        app_settings["PIP_NO_DEPS"] = "1"
    return RemoteBuild(
        written={REQUIREMENTS: text.encode()},
        hashed=not loose,
        indexes=_shown(located.indexes),
        app_settings=app_settings,
        source=located.source,
        located=located.with_indexes(),
        findings=tuple(_check_pinned(request, located, files, app_settings)),
    )


def _unpinned(request: Request, packed: Collection[str]) -> RemoteBuild:
    """The project's own requirements.txt as it is, and what it comes to today.

    pip on the platform takes the best version of all indexes, and knows no other file.
    """
    options = request.options
    if options.locked or options.requirements:
        other = "--locked" if options.locked else f"--requirements {options.requirements[0]}"
        raise UsageError(
            "contradiction",
            f"--no-pin ships the project's requirements.txt as it is, and {other} asks for others",
            hint="leave out one of the two",
        )
    own = (str(request.root / REQUIREMENTS),)
    request = replace(
        request, options=replace(options, requirements=own, index_strategy="best-match")
    )
    if REQUIREMENTS not in packed or (requirements := request.requirements()) is None:
        raise UsageError(
            "no-requirements-file",
            "--no-pin needs a requirements.txt beside host.json that goes along",
            hint="write one, or leave out --no-pin: then azpack makes it of what there is",
        )
    indexes = request.indexes(requirements)
    located = None
    findings: list[Finding] = []
    variables = dict.fromkeys(_VARIABLE.findall(_text_of(requirements)))
    app_settings = indexes.for_platform() | {name: f"${{{name}}}" for name in variables}
    if not options.no_check:
        shipped = [file for file in requirements.files if file in packed]
        findings += _check_project(request, packed, shipped)
        findings += preflight.include_findings(requirements.files, packed)
        findings += preflight.editable_findings(requirements.requirements)
        findings += preflight.variable_findings(_text_of(requirements))
        findings += preflight.pin_findings(requirements.requirements)
        findings += preflight.setting_findings(app_settings)
        if (located := _locate(request, use_lock=False)) is not None:
            findings += _check(request, located, packed, hashed=requirements.require_hashes)
    return RemoteBuild(
        written={},
        hashed=requirements.require_hashes,
        indexes=_shown(indexes),
        app_settings=app_settings,
        source=REQUIREMENTS,
        located=located.with_indexes() if located is not None else (),
        findings=tuple(findings),
    )


def _text_of(requirements: Requirements) -> str:
    """What pip reads in requirements files, comments left out."""
    return "\n".join((*requirements.lines(), *requirements.urls()))


def _locate(request: Request, *, use_lock: bool = True) -> Located | None:
    try:
        with request.clock.stage("resolve"):
            located = locate_distributions(request, use_lock=use_lock)
    except UsageError as error:
        if error.code != "poetry-dependencies" or request.options.no_check:
            raise
        finding = Finding(
            code="AZP410",
            severity="error",
            message=f"the platform can't install a Poetry project: {error.message}",
            path="pyproject.toml",
        )
        raise FindingsError([finding], hint=error.hint) from None
    return located and _all_usable(located, request)


def _all_usable(located: Located, request: Request) -> Located:
    """The same, where each distribution has a file for the target, or a source."""
    lacking = [
        entry
        for entry in located.lock.distributions
        if not entry.url or (entry.is_wheel and not entry.tag)
    ]
    if not lacking:
        return located
    from azpack.deps.unusable import explain_unusable, find_unusable

    unusable = [
        find_unusable(entry, WheelError("no-usable-wheel", entry.reason), located.indexes)
        for entry in lacking
    ]
    raise explain_unusable(unusable, request.target, located.indexes)


def _shown(indexes: IndexSettings) -> tuple[str, ...]:
    """The indexes that the platform is to ask, as they may be written down."""
    urls = [url for url in indexes.places() if url.startswith("http")]
    return tuple(dict.fromkeys(indexes.written.get(url, public(url)) for url in urls))


def _check_project(
    request: Request, packed: Collection[str], shipped: Collection[str]
) -> Iterator[Finding]:
    """What is wrong with the project's files; `shipped` are requirements files that go along."""
    if request.options.no_check:
        return
    yield from preflight.project_findings(request.root, packed, request.target)
    configuration = [file for file in _CONFIGURATION if file in packed]
    yield from preflight.credential_findings(request.root, [*configuration, *shipped])


def _check_pinned(
    request: Request, located: Located, files: FileSet, app_settings: Mapping[str, str]
) -> Iterator[Finding]:
    if request.options.no_check:
        return
    packed = frozenset(files.included)
    read = located.requirements.files if located.requirements is not None else ()
    shipped = [it for it in read if it in packed and it not in (REQUIREMENTS, *_CONFIGURATION)]
    yield from _check_project(request, packed, shipped)
    yield from preflight.setting_findings(app_settings)
    yield from preflight.address_findings(located.lock.distributions)
    yield from preflight.partial_findings(located.lock.distributions, request.root, files)
    if located.requirements is not None and "PIP_NO_DEPS" not in app_settings:
        yield from preflight.override_findings(located.requirements.overrides)
    loose = unhashed(located.lock)
    yield from preflight.hash_findings(loose)
    yield from _check(request, located, packed, hashed=not loose)


def _check(
    request: Request, located: Located, packed: Collection[str], *, hashed: bool
) -> Iterator[Finding]:
    """What would go wrong with the distributions, as far as can be known without installing."""
    of_indexes = check_indexes(request, located, hashed=hashed)
    closed = {*map(public, located.indexes.repositories), *of_indexes.closed}
    if located.requirements is not None and not request.options.no_pin:
        lines = "\n".join(located.requirements.lines())
        closed |= set(map(public, _URL_WITH_USER.findall(lines)))
    reasons = {
        entry: reason
        for entry in located.lock.distributions
        if (reason := out_of_reach(entry, root=request.root, packed=packed, closed=closed))
    }
    yield from preflight.reach_findings(reasons)
    yield from preflight.compile_findings(located.lock.distributions, request.target)
    yield from of_indexes.findings
