"""Findings as a SARIF log (OASIS, version 2.1.0), as code scanning takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azpack.checks.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azpack.checks.rules import Rule
    from azpack.findings import Finding
    from azpack.report.places import Places

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif_log(findings: Sequence[Finding], places: Places, *, version: str) -> dict[str, Any]:
    """The log of one run, with the rules that its results are of; `version` is azpack's."""
    codes = list(dict.fromkeys(sorted(finding.code for finding in findings)))
    driver = {
        "name": "azpack",
        "semanticVersion": version,
        "rules": [_descriptor(load_rules()[code]) for code in codes],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "results": [
                    _result(finding, places, codes.index(finding.code)) for finding in findings
                ],
            }
        ],
    }


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.text},
        "help": {"text": f"{rule.text}\n\n{rule.mend}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, places: Places, index: int) -> dict[str, Any]:
    from urllib.parse import quote

    # Code scanning takes no result without a place.
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(places.file_of(finding)), "uriBaseId": "%SRCROOT%"}
    }
    if line := places.line_of(finding):
        place["region"] = {"startLine": line}
    result = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": places.text_of(finding)},
        "locations": [{"physicalLocation": place}],
    }
    if "region" not in place:
        # Code scanning makes one of the line, and takes results with the same one for the same.
        result["partialFingerprints"] = {"primaryLocationLineHash": _fingerprint(finding)}
    return result


def _fingerprint(finding: Finding) -> str:
    import hashlib

    parts = (finding.code, finding.path or "", str(finding.line or ""), finding.message)
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return f"{hashlib.sha256(text).hexdigest()[:16]}:1"
