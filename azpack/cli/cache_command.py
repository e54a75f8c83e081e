"""`azpack cache`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.project import find_project
from azpack.cli.console import Outcome, format_size
from azpack.errors import AzpackError, UsageError
from azpack.store import Store, default_cache_folder

if TYPE_CHECKING:
    from azpack.app.config import Value
    from azpack.cli.main import Invocation

_UNUSED_DAYS = 30


def run(invocation: Invocation) -> Outcome:
    """Say what the store takes, or make it smaller."""
    named = _settings(invocation).get("cache-dir")
    store = Store(Path(str(named)).expanduser().absolute() if named else default_cache_folder())
    action = invocation.arguments.action
    if action == "info":
        sections = store.sections()
        lines = [f"{store.folder}"]
        lines += [
            f"  {section.name:<9} {section.count:>6}  {format_size(section.size):>9}"
            for section in sections
        ]
        total = sum(section.size for section in sections)
        lines.append(f"  {'total':<9} {'':>6}  {format_size(total):>9}")
        data = {
            "folder": str(store.folder),
            "size": total,
            "sections": [asdict(section) for section in sections],
        }
        return Outcome(data=data, lines=lines)
    freed = store.prune(unused_days=_UNUSED_DAYS) if action == "prune" else store.clear()
    data = {"folder": str(store.folder), "freed": freed}
    lines = [f"freed {format_size(freed)} in {store.folder}"]
    if action == "prune":
        data["containers"] = count = _remove_containers()
        if count:
            lines.append(f"removed {count} build container{'s'[: count != 1]} of killed builds")
    return Outcome(data=data, lines=lines)


def _remove_containers() -> int:
    """Remove the containers that killed builds left: none, where there is no engine to ask."""
    from azpack.deps.container import remove_abandoned
    from azpack.deps.engine import connect

    try:
        with connect(os.environ) as engine:
            return remove_abandoned(engine)
    except AzpackError:
        return 0


def _settings(invocation: Invocation) -> dict[str, Value]:
    """The settings: of the project as well, where the working folder lies in one."""
    try:
        project = find_project(None)
    except UsageError:
        return invocation.given()
    return invocation.settings(project.root)
