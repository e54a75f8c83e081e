"""`azpack files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.collect import collect_files
from azpack.app.project import find_project
from azpack.cli.console import Outcome
from azpack.outputs import find_output, written_paths

if TYPE_CHECKING:
    from azpack.app.ignore import Rule
    from azpack.cli.main import Invocation


def run(invocation: Invocation) -> Outcome:
    """List what would be packed, or what would not."""
    project = find_project(invocation.project)
    options = invocation.options(project.root)
    output = find_output(project, options)
    files = collect_files(
        project.root,
        excludes=options.exclude,
        includes=options.include,
        outputs=written_paths(project, output, options.sbom),
        keep_python_packages=options.mode == "none",
    )
    rules: dict[str, Rule | None]
    if invocation.arguments.ignored:
        rules = {ignored.path: ignored.rule for ignored in files.ignored}
    else:
        rules = {path: files.kept_by.get(path) for path in files.included}
    if invocation.arguments.explain:
        lines = [f"{path}\t{_explained(rule)}" for path, rule in rules.items()]
    else:
        lines = list(rules)
    data = {
        "included": list(files.included),
        "ignored": [
            {"path": entry.path, "rule": entry.rule.pattern, "source": entry.rule.source}
            for entry in files.ignored
        ],
    }
    return Outcome(data=data, lines=lines)


def _explained(rule: Rule | None) -> str:
    return "no rule" if rule is None else f"{rule.source}\t{rule.pattern}"
