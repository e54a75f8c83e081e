"""The rules: what each code means, and what is checked by them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from azpack.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from azpack.app.collect import FileSet
    from azpack.app.functions import AppModel
    from azpack.app.tree import Tree
    from azpack.findings import Severity
    from azpack.target.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: its code, its family's title, its own title, and its severity.

    `otherwise` says when a finding has another severity. `text` says what is wrong and why that
    matters on Azure, `mend` what to do about it.
    """

    code: str
    family: str
    severity: Severity
    otherwise: str
    title: str
    text: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: the files of a project before a build, or of a finished package.

    `files` is what was collected of a project, and what was left out; None for a package.
    `brought` are the paths of what its dependencies bring to the package, None where that is not
    known; those of a package are in its tree.
    """

    kind: Literal["project", "package"]
    tree: Tree
    target: Target
    app: AppModel
    files: FileSet | None = None
    brought: tuple[str, ...] | None = None


# A rule family's entry point: azpack/checks/FAMILY.py has `check(subject) -> Iterator[Finding]`.
if TYPE_CHECKING:
    Check = Callable[[Subject], Iterator[Finding]]


@cache
def load_rules() -> Mapping[str, Rule]:
    """All rules by their codes, in order; docs/rules.md is made from them."""
    import json

    table = json.loads(Path(__file__).with_name("rules.json").read_bytes())
    return {
        row["code"]: Rule(family=family["title"], otherwise=row.pop("otherwise", ""), **row)
        for family in table["families"]
        for row in family["rules"]
    }


def make_finding(
    code: str,
    message: str,
    *,
    path: str | None = None,
    line: int | None = None,
    hint: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding with the severity of its rule, unless another one is given."""
    chosen = severity or load_rules()[code].severity
    return Finding(code=code, severity=chosen, message=message, path=path, line=line, hint=hint)
