"""Distributions of which no wheel can be used: all of them in one error, with the ways out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azpack.deps.lock import NOT_ALLOWED
from azpack.deps.offers import find_offers
from azpack.deps.resolver import only_elsewhere
from azpack.errors import WheelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.deps.offers import Offers
    from azpack.target.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A distribution without a usable wheel: why, and what its own error advises.

    `places` are the indexes, and the links, to ask what wheels there are, the likeliest first; none
    for what comes from no index. `version` is empty where it is not known.
    """

    name: str
    version: str
    code: str
    reason: str
    hint: str = ""
    places: tuple[str, ...] = ()
    context: Mapping[str, object] = field(default_factory=dict)


def find_unusable(entry: LockedDistribution, error: WheelError, indexes: IndexSettings) -> Unusable:
    """What is known of a locked distribution that ended in `error`."""
    places: tuple[str, ...] = ()
    # Where the hashes are at fault, it does not matter what wheels there are.
    if entry.is_from_index and error.message != NOT_ALLOWED:
        likely = [indexes.index_of(entry.url)] if entry.url else []
        places = tuple(dict.fromkeys(filter(None, [*likely, *indexes.places()])))
    return Unusable(
        name=entry.name,
        version=entry.version,
        code=error.code,
        reason=error.message,
        hint=error.hint,
        places=places,
        context=error.context,
    )


def explain_unusable(
    unusable: Sequence[Unusable], target: Target, settings: IndexSettings
) -> WheelError:
    """One error for all distributions: why each has no usable wheel, and what to do about it."""
    lines = []
    hints = []
    context = []
    for item in sorted(unusable, key=lambda item: item.name):
        offers = _ask(item, target, settings)
        name = f"{item.name} {item.version}".strip()
        why = "; ".join(filter(None, [offers.wheels if offers else "", item.reason]))
        lines.append(f"  {name}: {why}".replace("\n", "\n    "))
        advice = [*_ways_out(offers, item.version), *filter(None, [item.hint])]
        hints += [f"{item.name}: {line}" for line in advice]
        context.append(
            {
                "name": item.name,
                "version": item.version,
                "code": item.code,
                "reason": item.reason,
                "wheels": offers.wheels if offers else "",
                "fitting_version": offers.version if offers else "",
                "fitting_pythons": list(offers.pythons) if offers else [],
                **item.context,
            }
        )
    count = len(unusable)
    what = "1 distribution has" if count == 1 else f"{count} distributions have"
    return WheelError(
        unusable[0].code if count == 1 else "no-usable-wheels",
        f"{what} no usable wheel for Python {target.python} on {target.platform}\n"
        + "\n".join(lines),
        hint="\n".join(hints),
        context={"distributions": context},
    )


def _ask(item: Unusable, target: Target, settings: IndexSettings) -> Offers | None:
    for place in item.places:
        if offers := find_offers(place, item.name, item.version, target, settings):
            return offers
    return None


def _ways_out(offers: Offers | None, version: str) -> list[str]:
    if offers is None:
        return []
    ways = []
    if offers.marker and not offers.version:
        ways.append(only_elsewhere(offers.marker))
    if offers.version and offers.version != version:
        ways.append(f"version {offers.version} has a wheel that fits")
    if offers.pythons:
        pythons = " and ".join(offers.pythons)
        ways.append(f"this version has a wheel for Python {pythons} (--python)")
    return ways
