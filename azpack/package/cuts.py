"""How wheels are packed where not as they are: what is left out of them, and their bytecode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from azpack.archive import Entry
    from azpack.deps.distribution import Wheel
    from azpack.package.bytecode import Bytecode


class LeftOut(NamedTuple):
    """What is left out of a distribution; a path that ends with a slash is a folder's."""

    distribution: str
    files: int
    size: int
    paths: tuple[str, ...]


class Compiled(NamedTuple):
    """Bytecode: how many files of how many bytes, and how many modules are without.

    `interpreters` are the full versions of what compiled it.
    """

    files: int
    size: int
    uncompiled: int
    interpreters: tuple[str, ...]

    def joined(self, other: Compiled) -> Compiled:
        """This bytecode and another."""
        return Compiled(
            files=self.files + other.files,
            size=self.size + other.size,
            uncompiled=self.uncompiled + other.uncompiled,
            interpreters=tuple(sorted({*self.interpreters, *other.interpreters})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a wheel is packed: without the files at the paths in `dropped`, with bytecode.

    `left_out` says the same of `dropped` for people.
    """

    dropped: frozenset[str] = frozenset()
    left_out: LeftOut | None = None
    bytecode: Bytecode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tailoring:
    """How wheels are packed where not as they are: a key for it, and what finds the cuts.

    `cuts` gives those of some wheels by their SHA-256; it may have to compile them first.
    """

    key: tuple[str, ...]
    cuts: Callable[[Sequence[Wheel]], Mapping[str, Cut]]


def summary(compiled: Sequence[Entry], cuts: Iterable[Cut]) -> dict[str, object]:
    """What there is to say of cuts, in the form in which the store keeps it.

    `compiled` are the entries of the bytecode that is packed.
    """
    cuts = tuple(cuts)
    found = [cut.bytecode for cut in cuts if cut.bytecode is not None]
    left_out = [cut.left_out for cut in cuts if cut.left_out is not None]
    bytecode = Compiled(
        files=len(compiled),
        size=sum(entry.size for entry in compiled),
        uncompiled=sum(len(bytecode.uncompiled) for bytecode in found),
        interpreters=tuple(sorted({bytecode.interpreter for bytecode in found} - {""})),
    )
    return {
        "compiled": bytecode._asdict() if found else None,
        "left_out": [row._asdict() for row in sorted(left_out) if row.files] if left_out else None,
    }


def read_summary(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What `summary` made of cuts; None for both where there were none."""
    compiled, rows = kept.get("compiled"), kept.get("left_out")
    if compiled is not None:
        compiled = Compiled(**{**compiled, "interpreters": tuple(compiled["interpreters"])})
    if rows is not None:
        rows = tuple(LeftOut(**{**row, "paths": tuple(row["paths"])}) for row in rows)
    return {"compiled": compiled, "left_out": rows}
