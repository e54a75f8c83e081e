"""Which rules count: by code or prefix, and for which files."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from azpack.checks.rules import load_rules
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from azpack.findings import Finding

FailOn = Literal["error", "warning", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Codes or their beginnings; of those that fit a code, the longest one decides.

    Nothing in `select` means all. `per_file_ignores` has, by patterns as in a .gitignore, what is
    ignored in the files that they match.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Selection:
        """The selection in settings by their names.

        Raises:
            UsageError: there is no such rule.
        """
        return cls(
            select=parse_codes(settings.get("select", ()), "select"),
            ignore=parse_codes(settings.get("ignore", ()), "ignore"),
            per_file_ignores={
                pattern: parse_codes(codes, "per-file-ignores")
                for pattern, codes in settings.get("per-file-ignores", {}).items()
            },
        )

    def chooses(self, code: str) -> bool:
        """Whether the rule counts at all."""
        chosen = _longest(self.select, code) if self.select else 0
        return chosen > _longest(self.ignore, code)

    def filter(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings of rules that count, without those that their files ignore."""
        chosen = [finding for finding in findings if self.chooses(finding.code)]
        for pattern, codes in self.per_file_ignores.items():
            matches = _path_matcher(pattern)
            chosen = [
                finding
                for finding in chosen
                if not (finding.code.startswith(codes) and finding.path and matches(finding.path))
            ]
        return chosen


def parse_codes(texts: Iterable[str], place: str) -> tuple[str, ...]:
    """Codes and prefixes, also several in one text: "AZP1,AZP602".

    Raises:
        UsageError: no rule has or begins with one of them.
    """
    codes = []
    for text in texts:
        for code in filter(None, (part.strip().upper() for part in text.split(","))):
            if not any(rule.startswith(code) for rule in load_rules()):
                raise UsageError("unknown-rule", f"{place}: no rule is {code}", hint=_near(code))
            codes.append(code)
    return tuple(codes)


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)


def _near(code: str) -> str:
    import difflib

    near = difflib.get_close_matches(code, load_rules(), n=1)
    perhaps = f"perhaps you meant {near[0]}; " if near else ""
    return f"{perhaps}docs/rules.md lists them, 'azpack check --explain CODE' explains one"


def _path_matcher(pattern: str) -> Any:
    from azpack.app.ignore import IgnoreRules

    rules = IgnoreRules().with_patterns([pattern], source="per-file-ignores")

    def matches(path: str) -> bool:
        parts = path.split("/")
        folders = ("/".join(parts[:end]) for end in range(1, len(parts)))
        return rules.match(path, is_dir=False) is not None or any(
            rules.match(folder, is_dir=True) is not None for folder in folders
        )

    return matches
