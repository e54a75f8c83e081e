"""What the distributions in a package need of each other on the target, with their extras."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from azpack.package.installed import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from azpack.package.installed import Installed
    from azpack.target.target import Target


# Characters. Hashes do not count; of a marker that a tool wrote there are some thousand at most.
LONGEST_REQUIREMENT = 4000
# Requirements that are read, some again for an extra; a thousand distributions take 40,000.
_MOST_READ = 100_000
_EVALUATED = 8  # markers, in the time of that


class TooManyRequirementsError(Exception):
    """There are more requirements than are read."""


class RequirementGraph:
    """Requirements by distribution, evaluated for the target, not for the machine that looks.

    `packed` has the distributions by their canonical names, `extras` what is asked for of each:
    by the texts of `asked`, which are requirements of the app, or by others. What reads
    requirements raises TooManyRequirementsError where there are more than any package has.
    """

    def __init__(
        self, distributions: Iterable[Installed], target: Target, asked: Iterable[str]
    ) -> None:
        self._environment: dict[str, Any] = dict(target.marker_environment())
        packed: dict[str, list[Installed]] = {}
        for entry in distributions:
            packed.setdefault(entry.key, []).append(entry)
        self.packed: Mapping[str, Sequence[Installed]] = packed
        self._asked = asked
        self._left = _MOST_READ

    def spend(self, requirements: int) -> None:
        """Count what is read, or takes as long.

        Raises:
            TooManyRequirementsError: it is more than is read.
        """
        self._left -= requirements
        if self._left < 0:
            raise TooManyRequirementsError

    def requirements(self, entry: Installed, extras: set[str]) -> Iterator[Requirement]:
        """What a distribution needs on the target, with these extras."""
        # Most lines of large projects are of extras that nobody asked for.
        texts = [text for text in entry.requires if extras or "extra" not in text.partition(";")[2]]
        self.spend(len(texts) + len(texts) * len(extras) // _EVALUATED)
        for requirement in _parsed(texts):
            marker = requirement.marker
            if marker is None or any(
                marker.evaluate({**self._environment, "extra": extra}) for extra in ("", *extras)
            ):
                yield requirement

    @cached_property
    def extras(self) -> Mapping[str, set[str]]:
        """The extras that are asked for of each distribution."""
        extras: dict[str, set[str]] = {key: set() for key in self.packed}
        for requirement in _parsed(self._asked):
            if (name := canonical(requirement.name)) in extras:
                extras[name] |= requirement.extras
        pending = [*extras]
        while pending:
            key = pending.pop()
            for entry in self.packed[key]:
                for requirement in self.requirements(entry, extras[key]):
                    other = canonical(requirement.name)
                    if other in extras and not requirement.extras <= extras[other]:
                        extras[other] |= requirement.extras
                        pending.append(other)
        return extras

    def edges(self) -> dict[str, set[str]]:
        """The packed distributions that each one needs, by their canonical names."""
        return {
            key: {
                name
                for entry in self.packed[key]
                for requirement in self.requirements(entry, extras)
                if (name := canonical(requirement.name)) in self.packed and name != key
            }
            for key, extras in self.extras.items()
        }


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    """The requirements among texts; what is none is passed over, as installers do."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in texts:
        if len(text) <= LONGEST_REQUIREMENT:
            try:
                yield Requirement(text)
            except (InvalidRequirement, RecursionError):
                continue
