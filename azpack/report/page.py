"""An inspection as an HTML page that needs nothing beside it, and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from azpack import __version__
from azpack.checks.rules import load_rules
from azpack.report.overview import cut, shown
from azpack.report.size_tree import KINDS, size_tree
from azpack.target.limits import size_limits

if TYPE_CHECKING:
    from azpack.package.inspection import Inspection

_SCRIPTS = ("tables.js", "treemap.js", "findings.js", "page.js")
_SEVERITIES = ("error", "warning", "info")
# What keeps the page small whatever is in the package; what was left out is counted.
_MOST_ROWS = 1000
_LARGEST_FILES = 25
_LONGEST_TEXT = 500
# What could end a script element, or a line in old readers of JavaScript.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def inspection_page(inspection: Inspection) -> bytes:
    """The page, in UTF-8; the same for the same package.

    All of the package that is shown stands in it as JSON, which a script turns into text. The
    page's policy (CSP) allows that script and its style sheet alone, by their hashes.
    """
    style = _part("page.css")
    script = "\n".join(_part(name) for name in _SCRIPTS)
    page = Template(_part("page.html")).substitute(
        title=html.escape(_shown(inspection.package.path.name)),
        version=__version__,
        style=style,
        style_hash=_source_hash(style),
        script=script,
        script_hash=_source_hash(script),
        data=_as_json(page_table(inspection)),
    )
    return page.encode()


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _source_hash(text: str) -> str:
    """The hash by which a policy allows an inline element (CSP 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _as_json(table: Any) -> str:
    text = json.dumps(_all_shown(table), ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _all_shown(value: Any) -> Any:
    """Plain values of any depth, with each text as it can be shown."""
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, dict):
        return {name: _all_shown(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_all_shown(item) for item in value]
    return value


def _shown(text: str) -> str:
    return cut(shown(text), _LONGEST_TEXT)


def page_table(inspection: Inspection) -> dict[str, Any]:
    """What the page shows, for its script; rules are those of the findings, by their codes."""
    package, target = inspection.package, inspection.target
    packed_limit, unpacked_limit = size_limits(target.plan)
    distributions = [asdict(distribution) for distribution in inspection.distributions]
    findings = sorted(inspection.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    functions = _functions(inspection)
    return {
        "package": {**asdict(package), "path": package.path.name},
        "limits": {
            "packed": packed_limit._asdict(),
            "unpacked": unpacked_limit._asdict() if unpacked_limit else None,
        },
        "target": {
            "functions": target.functions,
            "python": target.python,
            "glibc": target.glibc,
            "plan": target.plan,
            "grounds": inspection.grounds,
        },
        "native": asdict(inspection.native),
        "models": sorted(inspection.app.models),
        "unknown": inspection.app.unknown[:_MOST_ROWS],
        "counts": {
            "functions": len(functions),
            "distributions": len(distributions),
            "native": sum(row["native"] for row in distributions),
            **{
                severity: sum(finding.severity == severity for finding in findings)
                for severity in _SEVERITIES
            },
        },
        "functions": functions[:_MOST_ROWS],
        "distributions": distributions[:_MOST_ROWS],
        "findings": [asdict(finding) for finding in findings[:_MOST_ROWS]],
        "rules": _rules(inspection),
        "largest": [
            {
                "path": file.path,
                "size": file.size,
                "compressed_size": file.compressed_size,
                "distribution": file.distribution,
            }
            for file in inspection.largest(_LARGEST_FILES)
        ],
        "kinds": KINDS,
        "tree": size_tree(inspection),
    }


def _functions(inspection: Inspection) -> list[dict[str, Any]]:
    return [
        {
            "name": function.name,
            "model": function.model,
            "trigger": function.trigger.type if function.trigger else "no trigger",
            "route": route,
            "script": function.script,
            "line": function.line,
        }
        for function, route in zip(inspection.app.functions, inspection.routes, strict=True)
    ]


def _rules(inspection: Inspection) -> dict[str, dict[str, str]]:
    rules = load_rules()
    return {
        code: {"title": rules[code].title, "text": rules[code].text, "mend": rules[code].mend}
        for code in sorted({finding.code for finding in inspection.findings})
    }
