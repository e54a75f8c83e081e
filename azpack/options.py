"""What the user asked for, once the command line, the environment and the files are merged."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.app.config import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of building and resolving, as docs/cli.md has them.

    `output` is None for the default, and Path("-") for standard output.
    """

    output: Path | None = None
    mode: str = "auto"
    python: str | None = None
    python_origin: str = "asked for"
    functions_version: str = "4"
    plan: str = "flex"
    requirements: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    index_url: str | None = None
    extra_index_url: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    index_strategy: str = "first-match"
    cert: str | None = None
    client_cert: str | None = None
    resolver: str = "uv"
    locked: bool = False
    no_pin: bool = False
    no_check: bool = False
    docker_image: str | None = None
    docker_platform: str = "linux/amd64"
    docker_network: str | None = None
    docker_before: tuple[str, ...] = ()
    docker_environment: tuple[str, ...] = ()
    docker_timeout: str = "60"
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checksum: bool = False
    sbom: Path | None = None
    verify: bool = False
    compile: bool = False
    slim: bool = False
    cache_dir: Path | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Value]) -> Options:
        """Make options of settings by their long names; those of no use here are passed over."""
        values: dict[str, Any] = {
            name.replace("-", "_"): value
            for name, value in settings.items()
            if name in SETTINGS and name.replace("-", "_") in cls.__slots__
        }
        for name in ("output", "sbom", "cache_dir"):
            if name in values:
                # A ~NAME that is nobody's is left as it is, as by a shell.
                values[name] = Path(os.path.expanduser(values[name]))
        return cls(**values)
