"""The pages of docs/ that are made from azpack itself; `make docs` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.report.rules_page import rules_page
from tools.cli_page import cli_page
from tools.manifest_page import manifest_page

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DOCS", "PAGES"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "manifest.md": manifest_page,
    "rules.md": rules_page,
}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
