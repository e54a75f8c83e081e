"""Comparing what two packages hold, whoever made them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from azpack.checks.secrets_found import masked
from azpack.package.changes import (
    Comparison,
    DistributionChange,
    FileChange,
    FunctionChange,
    ValueChange,
)
from azpack.package.detection import is_known
from azpack.package.installed import canonical
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from azpack.app.functions import Function
    from azpack.findings import Finding
    from azpack.package.changes import Change
    from azpack.package.inspection import Inspection, PackedDistribution, PackedEntry
    from azpack.package.oddities import Oddity

__all__ = ["Side", "compare_packages"]

_LONGEST_NAME = 1000
_TO_BE_UNSET = "must not be set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two packages: its inspection, and what else a comparison needs.

    `root` is the folder of the app in the zip, "" or with a slash at the end. `host` is what
    host.json holds, None where that is no JSON object. `oddities` are the odd entries.
    """

    inspection: Inspection
    root: str = ""
    host: Mapping[str, Any] | None
    oddities: tuple[Oddity, ...] = ()


def compare_packages(
    old: Side,
    new: Side,
    *,
    rewritten: Collection[str],
    repacked: tuple[str, ...] | None = (),
) -> Comparison:
    """What changed from one package to another.

    `rewritten` are the paths that both have with other bytes, `repacked` is what the comparison
    says if the content is the same.
    """
    before, after = old.inspection, new.inspection
    files = tuple(_files(before.files, after.files, frozenset(rewritten)))
    odd = _values(_odd(old.oddities), _odd(new.oddities))
    settings = None
    if before.manifest and after.manifest:
        settings = _values(_app_settings(before.manifest), _app_settings(after.manifest))
    return Comparison(
        old=before.package,
        new=after.package,
        target=_target(old, new),
        app_settings=settings,
        host_json=_values(dict(_flat(old.host or {})), dict(_flat(new.host or {}))),
        functions=tuple(_functions(before, after)),
        distributions=tuple(_distributions(before, after, files)),
        files=files,
        odd_entries=odd,
        new_findings=_more(after.findings, before.findings),
        gone_findings=_more(before.findings, after.findings),
        repacked=() if files or odd else repacked,
        unknown=tuple(_unknown(old, new)),
    )


def _values(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[ValueChange, ...]:
    """The names that do not have the same value, sorted."""
    return tuple(
        ValueChange(name=_text(name), old=_text_of(old, name), new=_text_of(new, name))
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or _json(old[name]) != _json(new[name])
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _text(value: object) -> str:
    """A value as it is shown: a text as it is, all else as JSON, and no secret.

    Secrets are masked here and not when it is printed: cut off or escaped they are not recognised.
    """
    return masked(redact(value if isinstance(value, str) else _json(value)))


def _text_of(values: Mapping[str, object], name: str) -> str | None:
    return _text(values[name]) if name in values else None


def _target(old: Side, new: Side) -> tuple[ValueChange, ...]:
    """What the packages are for; what is known of one alone is no change."""
    before, after = dict(_recorded(old.inspection)), dict(_recorded(new.inspection))
    for name in before.keys() ^ after.keys():
        before.pop(name, None)
        after.pop(name, None)
    return _values({**before, **dict(_seen(old))}, {**after, **dict(_seen(new))})


def _recorded(package: Inspection) -> Iterator[tuple[str, object]]:
    if is_known(package.grounds):
        yield "Python", package.target.python
        yield "platform", package.target.platform
    recorded = package.manifest.get("target", {})
    for name, shown in (("functions", "Functions"), ("plan", "plan")):
        if name in recorded:
            yield shown, recorded[name]
    if "mode" in package.manifest:
        yield "mode", package.manifest["mode"]


def _seen(side: Side) -> Iterator[tuple[str, object]]:
    native = side.inspection.native
    if native.files:
        yield "native code", ", ".join(native.machines)
    if native.glibc:
        yield "needed glibc", native.glibc
    if side.root:
        yield "folder of the app", side.root


def _app_settings(manifest: Mapping[str, Any]) -> dict[str, object]:
    """The app settings of a manifest, also those that are to be removed."""
    table = manifest.get("app_settings")
    if not isinstance(table, dict):
        return {}
    unset, wanted = (table.get(name) for name in ("unset", "set"))
    settings: dict[str, object] = {}
    if isinstance(unset, list):
        settings |= {str(name): _TO_BE_UNSET for name in unset}
    for row in wanted if isinstance(wanted, list) else ():
        if isinstance(row, dict) and "name" in row:
            settings[str(row["name"])] = row.get("value")
    return settings


def _flat(table: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, object]]:
    """The values of a JSON object, those of objects in it by dotted names.

    What is below a very long name stands with it, since it would be repeated there each time.
    """
    for name, value in table.items():
        if isinstance(value, dict) and value and len(start) + len(name) < _LONGEST_NAME:
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def _odd(oddities: Iterable[Oddity]) -> dict[str, object]:
    return {it.what: f"{it.entries:,}, the first is {it.example}" for it in oddities}


def _functions(old: Inspection, new: Inspection) -> Iterator[FunctionChange]:
    before, after = dict(_function_facts(old)), dict(_function_facts(new))
    for key in sorted(before.keys() | after.keys()):
        first, second = before.get(key), after.get(key)
        facts = second or first or {}
        values = _values(first, second) if first and second else ()
        if first and second and not values:
            continue
        yield FunctionChange(
            name=_text(key[0]) if key[0] else None,
            change=_change(first, second),
            trigger=_text_of(facts, "trigger"),
            route=_text_of(facts, "route"),
            script=str(facts["script"]),
            values=values,
        )


def _function_facts(package: Inspection) -> Iterator[tuple[tuple[str, int], dict[str, object]]]:
    """What is known of each function, by its name and which one of that name it is."""
    met = Counter[str]()
    for function, route in zip(package.app.functions, package.routes, strict=True):
        name = function.name or ""
        facts: dict[str, object] = {"model": function.model, "script": function.script}
        facts |= _binding_facts(function)
        if route is not None:
            facts.pop("trigger.route", None)
            facts["route"] = route
        yield (name, met[name]), facts
        met[name] += 1


def _binding_facts(function: Function) -> Iterator[tuple[str, object]]:
    for binding in function.bindings:
        kind = binding.type or "?"
        start = "trigger"
        if binding is not function.trigger:
            start = f"binding {binding.name or '?'}"
            kind += f", {binding.direction}"
        yield start, kind
        for name, value in binding.settings.items():
            yield f"{start}.{name}", value


def _change(old: object, new: object) -> Change:
    if old is None:
        return "added"
    return "changed" if new is not None else "removed"


def _files(
    old: Iterable[PackedEntry], new: Iterable[PackedEntry], rewritten: frozenset[str]
) -> Iterator[FileChange]:
    before, after = ({file.path: file for file in files} for files in (old, new))
    for path in sorted(before.keys() | after.keys()):
        first, second = before.get(path), after.get(path)
        mode_alone = False
        if first and second and path not in rewritten:
            # Programs that are not of Unix leave no mode.
            if first.mode == second.mode or not (first.mode and second.mode):
                continue
            mode_alone = True
        owners = [entry.distribution for entry in (second, first) if entry]
        yield FileChange(
            path=path,
            change=_change(first, second),
            distribution=next(filter(None, owners), None),
            old=first,
            new=second,
            mode_alone=mode_alone,
        )


def _distributions(
    old: Inspection, new: Inspection, files: Iterable[FileChange]
) -> Iterator[DistributionChange]:
    before, after = _by_name(old), _by_name(new)
    counts: dict[str, Counter[str]] = {}
    for file in files:
        if file.distribution is not None:
            counts.setdefault(canonical(file.distribution), Counter())[file.change] += 1
    for key in sorted(before.keys() | after.keys()):
        first, second = before.get(key), after.get(key)
        changed = counts.get(key, Counter())
        if first and second and first.version == second.version and not changed:
            continue
        yield DistributionChange(
            name=next(entry.name for entry in (second, first) if entry),
            change=_change(first, second),
            old=first,
            new=second,
            files_added=changed["added"],
            files_removed=changed["removed"],
            files_changed=changed["changed"],
        )


def _by_name(package: Inspection) -> dict[str, PackedDistribution]:
    """The distributions by their canonical names; those that are there twice as one."""
    found: dict[str, PackedDistribution] = {}
    for entry in sorted(package.distributions, key=lambda entry: entry.version):
        key = canonical(entry.name)
        if (twin := found.get(key)) is None:
            found[key] = entry
            continue
        found[key] = replace(
            twin,
            version=f"{twin.version} and {entry.version}",
            size=twin.size + entry.size,
            compressed_size=twin.compressed_size + entry.compressed_size,
            files=twin.files + entry.files,
            native=twin.native or entry.native,
        )
    return found


def _more(found: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that the others do not have, or not as often; on whatever line."""
    known = Counter(map(_sameness, others))
    more = []
    for finding in found:
        known[_sameness(finding)] -= 1
        if known[_sameness(finding)] < 0:
            hint = _text(finding.hint) if finding.hint is not None else None
            more.append(replace(finding, message=_text(finding.message), hint=hint))
    return tuple(more)


def _sameness(finding: Finding) -> tuple[str, str, str | None, str]:
    return (finding.code, finding.severity, finding.path, finding.message)


def _unknown(old: Side, new: Side) -> Iterator[str]:
    lacking: dict[str, Callable[[Side], bool]] = {
        "plan, mode and app settings are not compared: no manifest is beside {}": (
            lambda side: not side.inspection.manifest
        ),
        "the Python is not known of {}": lambda side: not is_known(side.inspection.grounds),
        "no host.json can be read in {}": lambda side: side.host is None,
        "functions that are made when the app runs are not compared: {}": (
            lambda side: bool(side.inspection.app.unknown)
        ),
        "odd entries, such as links, are compared by their number alone: {}": (
            lambda side: bool(side.oddities)
        ),
    }
    for text, lacks in lacking.items():
        which = [word for word, side in (("the old", old), ("the new", new)) if lacks(side)]
        if which:
            yield text.format("both" if len(which) == 2 else f"{which[0]} one")
