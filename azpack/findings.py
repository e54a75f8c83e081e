"""Findings: what is wrong, or may be, with a project or a package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding, as the contract has it; `line` counts from 1."""

    code: str
    severity: Severity
    message: str
    path: str | None = None
    line: int | None = None
    hint: str | None = None
