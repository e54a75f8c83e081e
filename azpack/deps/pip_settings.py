"""pip's own settings: `PIP_*` environment variables and pip.conf (pip.pypa.io, "Configuration")."""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings by their long names: pip.conf, and over it `PIP_*`, without empty ones."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _pip_configuration_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise UsageError(
                "bad-pip-configuration",
                f"{path} can't be read as pip's configuration: {str(error).splitlines()[0]}",
                hint="mend it, or set PIP_CONFIG_FILE to another file",
            ) from error
        for section, settings in sections.items():
            if parser.has_section(section):
                settings.update(
                    (name.replace("_", "-").removeprefix("--"), value)
                    for name, value in parser.items(section)
                )
    # What is empty counts as not said, and [install] stands before [global] of any file.
    settings = {name: value for rows in sections.values() for name, value in rows.items() if value}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            settings[name[4:].lower().replace("_", "-")] = value
    return settings


def _pip_configuration_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files in the order in which later ones override earlier ones."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path.home()
    if sys.platform == "win32":
        shared = [Path(environ.get("ProgramData", "C:/ProgramData")) / "pip/pip.ini"]
        user = [home / "pip/pip.ini", Path(environ.get("APPDATA", home)) / "pip/pip.ini"]
        site = Path(sys.prefix) / "pip.ini"
    else:
        folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        shared = [Path(folder) / "pip/pip.conf" for folder in folders.split(":")]
        shared.append(Path("/etc/pip.conf"))
        own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
        user = [home / ".pip/pip.conf", own]
        if sys.platform == "darwin":
            user.insert(1, home / "Library/Application Support/pip/pip.conf")
        site = Path(sys.prefix) / "pip.conf"
    if chosen:
        # Where this file is, it stands in the place of the user's own.
        return [*shared, *([] if Path(chosen).exists() else user), site, Path(chosen)]
    return [*shared, *user, site]
