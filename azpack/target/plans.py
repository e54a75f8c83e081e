"""What each hosting plan needs to be told so that it runs a package."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# In user and password of a URL a value is quoted, unless it is already; all are escaped as JSON
# wants it. A variable that is not set stops it.
_FILL = (
    "import json, os, re, sys; from urllib.parse import quote; "
    r"""fit = re.compile(r"(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f][0-9A-Fa-f])*"); """
    'quoted = lambda v: v if fit.fullmatch(v) and v.isascii() else quote(v, safe=":"); '
    r"""print(re.sub(r'\$\{(NAMES)\}(?=([^/\s"]*@)?)', lambda m: json.dumps("""
    "quoted(os.environ[m[1]]) if m[2] else os.environ[m[1]])[1:-1], sys.stdin.read()))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """App settings to set and to remove, and the commands that publish the package, by tool.

    The keys of `commands` are core_tools, az and azure_pipelines. The first two are lines for
    bash, the third is a YAML list of steps. `deploy` is the one of az's lines that deploys, the
    settings being right; empty where it takes more than one.
    """

    settings: Mapping[str, str]
    unset: tuple[str, ...]
    commands: Mapping[str, str]
    deploy: str


def find_publishing(
    plan: str,
    *,
    mode: str,
    package: str,
    settings_file: str,
    python: str,
    more_settings: Mapping[str, str] = {},
) -> Publishing:
    """How the zip `package`, built in `mode`, gets onto a plan.

    `settings_file` is where the app settings will stand in the form that az reads; `python` is a
    version such as "3.11". `more_settings` are those of a remote build that the project asks for,
    such as PIP_EXTRA_INDEX_URL. `${NAME}` stays in a value as it is, and the commands fill it in
    from the environment: App Service and pip do so for no app setting. The facts and their
    sources are in plans.json.
    """
    table = json.loads(Path(__file__).with_name("plans.json").read_bytes())
    row = _find_row(table["plans"], plan, "remote" if mode == "remote" else "local")
    settings = {**row["set"], **more_settings}
    variables = _variables(settings.values())
    words = {
        "package": shlex.quote(package),
        "package_yaml": json.dumps(package, ensure_ascii=False),
        "settings": shlex.quote(settings_file),
        "python": python,
        "unset_names": shlex.join(row["unset"]),
        "fill": shlex.quote(_FILL.replace("NAMES", "|".join(variables))),
    }
    set_lines = table["lines"]["set_filled" if variables else "set_plain"]
    groups = {
        **table["lines"],
        "set": set_lines if settings else [],
        "env": _environment(_variables(more_settings.values())),
    }
    return Publishing(
        settings=settings,
        unset=tuple(row["unset"]),
        commands={
            tool: "\n".join(_expand(lines, groups, words)) + "\n"
            for tool, lines in row["publish"].items()
        },
        deploy="\n".join(_expand(table["lines"].get(row["deploy"], ()), groups, words)),
    )


def _find_row(plans: Mapping[str, Any], plan: str, kind: str) -> Any:
    return plans[plans[plan].get("like", plan)][kind]


def _variables(values: Iterable[str]) -> list[str]:
    """The names of `${NAME}`, each once, in order."""
    found = (re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value) for value in values)
    return list(dict.fromkeys(name for names in found for name in names))


def _environment(names: Iterable[str]) -> list[str]:
    # Azure Pipelines hands a secret variable only to the steps that ask for it.
    lines = [f"  {name}: $({name})" for name in names]
    return ["env:", *lines] if lines else []


def _expand(
    lines: Iterable[str], groups: Mapping[str, Iterable[str]], words: Mapping[str, str]
) -> Iterator[str]:
    """Lines with each `{word}` filled in; alone on a line, it may stand for a group of lines."""
    for line in lines:
        alone = re.fullmatch(r"( *)\{(\w+)\}", line)
        if alone and alone[2] in groups:
            for inner in _expand(groups[alone[2]], groups, words):
                yield alone[1] + inner
        else:
            yield re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), line)
