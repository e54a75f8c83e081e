"""What verifying a package came to: the verdict, and what stands behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.findings import Finding
    from azpack.target.target import Target
    from azpack.worker.faults import Fault

Verdict = Literal["passed", "failed", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFunction:
    """A function that Azure would list; `route` is the path of an HTTP function, or None."""

    name: str
    trigger: str | None
    route: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an HTTP function answered; `skipped` says why it was not asked, then the rest is empty.

    `body` is the beginning of the body, `size` its bytes, `seconds` what it took.
    """

    name: str
    method: str = ""
    url: str = ""
    status: str = ""
    body: str = ""
    size: int = 0
    seconds: float = 0.0
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowImport:
    """A module, the seconds that importing it took, and those of it and what is below it alone."""

    module: str
    seconds: float
    own_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verdict on a package.

    `grounds` says how the target's Python is known, `reason` why it is unverified. `interpreter`,
    `image`, `python`, `libc` and `runtime` are of what loaded the package, empty where nothing did;
    `runtime` has names and versions. `timings` are seconds. `notes` are what is worth knowing and
    no fault, `related` what the rules found that may explain the faults, `unproved` what no verdict
    here can say. `output` is the end of what the app printed.
    """

    verdict: Verdict
    path: Path
    target: Target
    grounds: str = ""
    reason: str = ""
    interpreter: str = ""
    image: str = ""
    python: str = ""
    libc: str = ""
    runtime: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[ListedFunction, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    related: tuple[Finding, ...] = ()
    invocations: tuple[Invocation, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    slowest: tuple[SlowImport, ...] = ()
    unproved: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


def verification_table(found: Verification) -> dict[str, Any]:
    """The verification as the JSON of the contract has it."""
    return {
        "verdict": found.verdict,
        "reason": found.reason or None,
        "package": {"path": str(found.path)},
        "python": {
            "target": found.target.python,
            "grounds": found.grounds,
            "version": found.python or None,
            "interpreter": found.interpreter or None,
            "image": found.image or None,
            "libc": found.libc or None,
        },
        "runtime": dict(found.runtime),
        "functions": [asdict(it) for it in found.functions],
        "errors": [asdict(it) for it in found.faults],
        "notes": list(found.notes),
        "related": [asdict(it) for it in found.related],
        "invocations": [asdict(it) for it in found.invocations],
        "timings": {name: round(seconds, 4) for name, seconds in found.timings.items()},
        "slowest_imports": [
            {**asdict(it), "seconds": round(it.seconds, 4), "own_seconds": round(it.own_seconds, 4)}
            for it in found.slowest
        ],
        "not_proved": list(found.unproved),
        "output": list(found.output),
    }
