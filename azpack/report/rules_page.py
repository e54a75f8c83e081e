"""docs/rules.md, made from the table of the rules: `make docs` writes it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from azpack.checks.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.checks.rules import Rule

_HEAD = """\
# Rules

What `azpack check` looks for in a project, `azpack inspect` in a finished package, and `azpack
build` in both. `azpack check --explain AZP106` prints the text of a rule.

## Choosing rules

`--select` and `--ignore` take codes or their beginnings (`AZP6` is AZP601 to AZP603); where both
fit a rule, the longer one decides. `--fail-on warning` makes warnings fail, `--fail-on never`
nothing. In pyproject.toml, or under `[check]` in azpack.toml:

```toml
[tool.azpack.check]
ignore = ["AZP110"]
fail-on = "warning"

[tool.azpack.check.per-file-ignores]
"tools/" = ["AZP403"]        # patterns as in a .gitignore
"settings_*.py" = ["AZP602"]
```

In a Python file a comment ignores rules on its line, behind a statement of several lines on all of
these, and, alone on a line before the first statement, in the whole file. It names one or several
codes, or their beginnings:

```python
# azpack: ignore[AZP106]

KEY = "…"  # azpack: ignore[AZP602, AZP403]
```
"""


def rules_page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.rstrip("\n")
    for family, rules in groupby(load_rules().values(), key=lambda rule: rule.family):
        yield from ("", f"## {family}")
        for rule in rules:
            yield from _section(rule)


def _section(rule: Rule) -> Iterator[str]:
    otherwise = f"; {rule.otherwise}" if rule.otherwise else ""
    yield from ("", f"### {rule.code}", "")
    # Outside of code Markdown takes `__init__` for something bold.
    title = re.sub(r"(?<!`)(__\w+__(\.py)?)(?!`)", r"`\1`", rule.title)
    yield f"**{title}** ({rule.severity}{otherwise})"
    yield from ("", rule.text, "", rule.mend)
