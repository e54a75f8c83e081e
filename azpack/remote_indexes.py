"""Mode remote: whether the platform's pip finds on the indexes what was resolved here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azpack.checks import preflight
from azpack.deps.index import is_of_pypi, is_pypi, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.dependencies import Located
    from azpack.deps.holdings import Holdings, Pin
    from azpack.findings import Finding
    from azpack.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What the indexes said: findings, and URLs of files that are `closed` to the platform."""

    findings: tuple[Finding, ...]
    closed: tuple[str, ...] = ()


def check_indexes(request: Request, located: Located, *, hashed: bool) -> IndexReport:
    """Ask the indexes, unless that is PyPI alone, and all is from there.

    Raises:
        UnreachableError: an index does not answer, or refuses.
    """
    indexes = located.indexes
    findings = list(preflight.insecure_findings(indexes.insecure_places()))
    if indexes.no_index and needs_no_index(request, located, hashed=hashed):
        built = [entry.name for entry in located.lock.distributions if not entry.is_wheel]
        findings += preflight.isolation_findings(built)
    urls = _urls_with_login(located)
    elsewhere = any(not is_pypi(place) for place in indexes.remote_places())
    fetched = [it for it in located.lock.distributions if it.is_from_index and is_remote(it.url)]
    if not urls and not (fetched and elsewhere) and all(is_of_pypi(it.url) for it in fetched):
        return IndexReport(findings=tuple(findings))
    from azpack.deps.holdings import find_barred, find_holdings

    pins = _pins(request, located, hashed=hashed)
    with request.clock.stage("preflight"), request.progress.stage("preflight"):
        holdings = find_holdings(pins, indexes, urls=urls)
        known = {
            place: pin.entry.name for pin in pins for place in holdings.holders(pin.entry.name)
        }
        findings += preflight.barred_findings(find_barred(indexes, known))
    findings += _judge(request, pins, holdings, hashed=hashed)
    return IndexReport(findings=tuple(findings), closed=holdings.closed)


def needs_no_index(request: Request, located: Located, *, hashed: bool) -> bool:
    """Whether without --no-index pip there might install something else.

    What hashes fix, and what is named by its path, it takes from nowhere else.
    """
    by_name = any(it.is_from_index and is_remote(it.url) for it in located.lock.distributions)
    return request.options.no_pin or (by_name and not hashed)


def _pins(request: Request, located: Located, *, hashed: bool) -> list[Pin]:
    from azpack.deps.holdings import Pin
    from azpack.deps.resolver import allowed_hashes

    listed = {}
    if request.options.no_pin and located.requirements is not None:
        listed = allowed_hashes(located.requirements)
    return [
        Pin(
            entry=entry,
            allowed=listed.get(entry.name, frozenset({f"sha256:{entry.sha256}"}))
            if hashed
            else frozenset(),
        )
        for entry in located.lock.distributions
        if entry.is_from_index and is_remote(entry.url)
    ]


def _urls_with_login(located: Located) -> list[str]:
    """The URLs of files for whose host this machine has a login that the platform lacks."""
    from azpack.deps.passwords import find_login

    there = located.indexes.on_platform()
    return [
        entry.url
        for entry in located.lock.distributions
        if entry.kind == "archive"
        and is_remote(entry.url)
        and "@" not in urlsplit(entry.url).netloc
        if find_login(urlsplit(entry.url).hostname or "") and not there.credentials_for(entry.url)
    ]


def _judge(
    request: Request, pins: list[Pin], holdings: Holdings, *, hashed: bool
) -> Iterator[Finding]:
    from azpack.deps.pips_choice import find_taken

    taken = find_taken(pins, request.target, holdings)
    missing = [
        pin
        for pin in pins
        if not holdings.is_listed(pin) and (hashed or pin.entry.name not in taken)
    ]
    lost = {pin.entry.name for pin in missing}
    found = [pin.entry.name for pin in pins if pin.entry.name not in lost]
    yield from preflight.missing_findings([pin.entry for pin in missing], holdings.indexes)
    holders = {name: holdings.holders(name) for name in found}
    twins = {name: held for name, held in holders.items() if len(held) > 1}
    if not hashed:
        theirs = {name: it for name, it in taken.items() if name in twins}
        yield from preflight.confusion_findings(theirs, twins, pinned=not request.options.no_pin)
        return
    failing = {name: taken[name] for name in found if name in taken and not taken[name].is_pinned}
    yield from preflight.mismatch_findings(failing)
    yield from preflight.twin_findings({it: twins[it] for it in twins if it not in failing})
