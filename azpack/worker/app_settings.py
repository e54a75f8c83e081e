"""App settings for a run: of local.settings.json, and given one by one.

From where they are read on, the values that look secret are shown nowhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azpack.app.json_text import JsonError, parse_json
from azpack.errors import UsageError
from azpack.redaction import conceal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LOCAL_SETTINGS = "local.settings.json"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-:]*")
_SECRET_NAME = re.compile(r"key|secret|token|passw|pwd|connection|storage|sas\b", re.IGNORECASE)
# Of the emulators, which is no secret, and of a text what one may well say.
_PUBLIC = "UseDevelopmentStorage=true"


def parse_app_settings(given: Iterable[str]) -> dict[str, str]:
    """Settings that are written NAME=VALUE.

    Raises:
        UsageError: one is not; its value is not shown.
    """
    settings = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(
                "bad-app-setting",
                "-e takes NAME=VALUE" + (f", and not {name!r}" if len(name) < 40 else ""),
                hint="give each app setting with its own -e",
            )
        settings[name] = value
    return _concealed(settings)


def read_app_settings(path: Path) -> dict[str, str]:
    """The settings of a file such as local.settings.json.

    Raises:
        UsageError: it can't be read, is encrypted, or has no "Values".
    """
    try:
        table: Any = parse_json(path.read_bytes()).value
    except OSError as error:
        raise UsageError(
            "no-settings", f"{path} can't be read: {error.strerror}",
            hint=f"--settings takes a file such as {LOCAL_SETTINGS}",
        ) from error  # fmt: skip
    except JsonError as error:
        raise UsageError(
            "bad-settings", f"{path}:{error.line}: it is not valid JSON: {error.message}"
        ) from error
    values = table.get("Values") if isinstance(table, dict) else None
    if not isinstance(values, dict) or table.get("IsEncrypted") is True:
        why = "is encrypted" if isinstance(values, dict) else 'has no object "Values"'
        raise UsageError(
            "bad-settings", f"{path} {why}",
            hint="'func settings decrypt' decrypts it; the app settings stand in \"Values\"",
        )  # fmt: skip
    return _concealed({
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if _NAME.fullmatch(name) and value is not None and "\0" not in str(value)
    })  # fmt: skip


def _concealed(settings: Mapping[str, str]) -> dict[str, str]:
    for name, value in settings.items():
        if _SECRET_NAME.search(name) and value != _PUBLIC:
            conceal(value)
    return dict(settings)
