"""The configuration: `[tool.azpack]` in pyproject.toml, azpack.toml, `AZPACK_*` variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Value = str | bool | tuple[str, ...] | dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting under its long name: what it takes, and what stands where nothing is said.

    `separator` parts the items of a list in an environment variable; by default white space does.
    """

    name: str
    kind: Literal["text", "flag", "list", "table"]
    choices: tuple[str, ...] = ()
    option: bool = True
    separator: str | None = None


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(name="cache-dir", kind="text"),
        Setting(name="cert", kind="text"),
        Setting(name="checksum", kind="flag"),
        Setting(name="client-cert", kind="text"),
        Setting(name="color", kind="text", choices=("auto", "always", "never")),
        Setting(name="compile", kind="flag"),
        Setting(name="docker-before", kind="list", separator="\n"),
        Setting(name="docker-environment", kind="list", option=False),
        Setting(name="docker-image", kind="text"),
        Setting(name="docker-network", kind="text"),
        Setting(name="docker-platform", kind="text"),
        Setting(name="docker-timeout", kind="text", option=False),
        Setting(name="exclude", kind="list"),
        Setting(name="extra-index-url", kind="list"),
        Setting(name="extras", kind="list", option=False),
        Setting(name="fail-on", kind="text", choices=("error", "warning", "never")),
        Setting(name="find-links", kind="list"),
        Setting(name="format", kind="text", choices=("text", "json", "sarif", "github", "azure")),
        Setting(name="functions-version", kind="text"),
        Setting(name="groups", kind="list", option=False),
        Setting(name="ignore", kind="list"),
        Setting(name="include", kind="list", option=False),
        Setting(name="index-strategy", kind="text", choices=("first-match", "best-match")),
        Setting(name="index-url", kind="text"),
        Setting(name="locked", kind="flag"),
        Setting(name="mode", kind="text", choices=("auto", "local", "docker", "remote", "none")),
        Setting(name="no-check", kind="flag"),
        Setting(name="no-index", kind="flag"),
        Setting(name="no-pin", kind="flag"),
        Setting(name="output", kind="text"),
        Setting(name="per-file-ignores", kind="table", option=False),
        Setting(name="plan", kind="text", choices=("flex", "consumption", "premium", "dedicated")),
        Setting(name="python", kind="text"),
        Setting(name="requirements", kind="list"),
        Setting(name="resolver", kind="text", choices=("uv", "pip-tools")),
        Setting(name="sbom", kind="text"),
        Setting(name="select", kind="list"),
        Setting(name="slim", kind="flag"),
        Setting(name="verify", kind="flag"),
    )
}

# A variable of Azure Pipelines is in the environment of each step: the outputs of a step that is
# named azpack look like settings.
_OUTPUTS = frozenset({"AZPACK_PACKAGEPATH", "AZPACK_PACKAGESHA256"})
_PATHS = ("output", "sbom", "cache-dir", "cert", "client-cert", "requirements", "find-links")
_CHECK_SETTINGS = ("fail-on", "format", "ignore", "per-file-ignores", "select")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; one that is not there is empty.

    Raises:
        UsageError: it is not TOML.
        FileError: it can't be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileError("unreadable", f"{path.name} can't be read: {error.strerror}") from error
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        # TOML is UTF-8 without a mark; editors on Windows put one there all the same.
        return tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            "bad-toml", f"{path.name} is not valid TOML: {error}", context={"file": str(path)}
        ) from None


def load_settings(root: Path, environ: Mapping[str, str]) -> dict[str, Value]:
    """The settings of the project's files, and over them those of the environment.

    Paths in the files are relative to the project root, those in the environment to the working
    folder.

    Raises:
        UsageError: an unknown key, a value of the wrong type, or settings in both files.
    """
    settings: dict[str, Value] = {}
    tables = {
        "azpack.toml": read_toml(root / "azpack.toml"),
        "pyproject.toml [tool.azpack]": _tool_table(root),
    }
    if all(tables.values()):
        raise UsageError(
            "two-configurations",
            "both azpack.toml and [tool.azpack] in pyproject.toml configure azpack",
            hint="keep one of them",
        )
    for place, table in tables.items():
        for name, value in _flat(table).items():
            settings[name] = _checked(_known(name, place), value, f"{place}: {name}")
    for name in _PATHS:
        if name in settings:
            settings[name] = _from_root(root, settings[name])
    for variable, text in environ.items():
        name = variable.removeprefix("AZPACK_").lower().replace("_", "-")
        if variable.startswith("AZPACK_") and text and variable not in _OUTPUTS:
            setting = _known(name, variable, listed=variable)
            settings[name] = _from_text(setting, text, variable)
    return settings


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with what is in its own tables `docker` and `check` under the long names."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if name == "docker" and isinstance(value, dict):
            flat |= {f"docker-{inner}": value[inner] for inner in value}
        elif name == "check" and isinstance(value, dict):
            # A key that is not of checks is unknown there, whatever it is elsewhere.
            flat |= {
                inner if inner in _CHECK_SETTINGS else f"check.{inner}": value[inner]
                for inner in value
            }
        else:
            flat[name] = value
    return flat


def _from_root(root: Path, value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(item if "://" in item else str(_from_root(root, item)) for item in value)
    path = str(value)
    return path if path == "-" else str(root / os.path.expanduser(path))


def _tool_table(root: Path) -> dict[str, Any]:
    tool = read_toml(root / "pyproject.toml").get("tool", {})
    table = tool.get("azpack", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError("bad-setting", "pyproject.toml: tool.azpack is not a table")
    return table


def _known(name: str, place: str, *, listed: str = "") -> Setting:
    if name in SETTINGS:
        return SETTINGS[name]
    import difflib

    near = difflib.get_close_matches(name, SETTINGS, n=1)
    if near and listed:
        near = [f"AZPACK_{near[0].upper().replace('-', '_')}"]
    raise UsageError(
        "unknown-setting",
        f"{listed} is no setting of azpack" if listed else f"{place} has an unknown key: {name}",
        hint=f"perhaps you meant {near[0]}" if near else f"there are {', '.join(SETTINGS)}",
        context={"key": name},
    )


def _checked(setting: Setting, value: object, place: str) -> Value:
    if setting.kind == "flag" and isinstance(value, bool):
        return value
    if setting.kind == "list":
        return _strings(value, place)
    if setting.kind == "table" and isinstance(value, dict):
        return {name: _strings(inner, f"{place}.{name}") for name, inner in value.items()}
    if setting.kind == "text" and isinstance(value, str):
        if not setting.choices or value in setting.choices:
            return value
        raise UsageError(
            "bad-setting",
            f"{place} is {value!r}",
            hint=f"it is one of {', '.join(setting.choices)}",
        )
    wanted = {"flag": "true or false", "table": "a table", "text": "a string"}
    raise UsageError("bad-setting", f"{place} must be {wanted[setting.kind]}")


def _strings(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError("bad-setting", f"{place} must be a list of strings")


def _from_text(setting: Setting, text: str, variable: str) -> Value:
    if setting.kind == "list":
        return tuple(filter(None, map(str.strip, text.split(setting.separator))))
    if setting.kind == "table":
        raise UsageError("bad-setting", f"{variable}: {setting.name} is for a file")
    if setting.kind == "flag":
        truth = {"1": True, "true": True, "yes": True, "on": True}
        truth |= {"0": False, "false": False, "no": False, "off": False}
        if text.lower() not in truth:
            raise UsageError("bad-setting", f"{variable} is {text!r}", hint="it is 1 or 0")
        return truth[text.lower()]
    return _checked(setting, text, variable)
