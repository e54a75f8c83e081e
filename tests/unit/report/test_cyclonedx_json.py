from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from azpack.report.cyclonedx_json import Bill, Part, cyclonedx_json

PLAIN = Part(
    key="one",
    name="One",
    version="1.0",
    filename="one-1.0-py3-none-any.whl",
    sha256="0" * 64,
    index="https://pypi.org/simple",
    source="wheel",
    published=True,
    licenses=("MIT",),
    needs=frozenset(),
)
BILL = Bill(
    name="shop",
    sha256=None,
    parts=(PLAIN,),
    asked=(),
    properties={"python": "3.11"},
    epoch=None,
    made_by=("azpack", "1.0"),
)


def part(key: str, *needs: str) -> Part:
    return replace(PLAIN, key=key, name=key, needs=frozenset(needs))


def table(bill: Bill) -> dict[str, Any]:
    text = cyclonedx_json(bill)
    fault = JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)
    assert fault is None, fault
    value: dict[str, Any] = json.loads(text)
    return value


def component(**changes: Any) -> dict[str, Any]:
    (found,) = table(replace(BILL, parts=(replace(PLAIN, **changes),)))["components"]
    assert isinstance(found, dict)
    return found


def graph(*parts: Part, asked: tuple[str, ...] = ()) -> dict[str, list[str]]:
    rows = table(replace(BILL, parts=parts, asked=asked))["dependencies"]
    return {
        row["ref"].partition("@")[0]: [ref.partition("@")[0] for ref in row.get("dependsOn", ())]
        for row in rows
    }


def test_a_component() -> None:
    assert component() == {
        "type": "library",
        "bom-ref": "one@1.0",
        "name": "One",
        "version": "1.0",
        "purl": "pkg:pypi/one@1.0",
        "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
        "licenses": [{"license": {"id": "MIT", "acknowledgement": "declared"}}],
        "properties": [
            {"name": "azpack:filename", "value": "one-1.0-py3-none-any.whl"},
            {"name": "azpack:source", "value": "wheel"},
        ],
    }


def test_what_is_not_known_is_absent() -> None:
    found = component(version="", filename="", sha256="", source="", licenses=(), published=False)
    assert found == {"type": "library", "bom-ref": "one@", "name": "One"}


def test_a_private_index_is_in_the_package_url() -> None:
    found = component(index="https://feed.example/simple")
    assert found["purl"] == "pkg:pypi/one@1.0?repository_url=https://feed.example/simple"


@pytest.mark.parametrize(
    ("declared", "licenses"),
    [
        (("mit",), [{"license": {"id": "MIT"}}]),
        (("MIT OR Apache-2.0",), [{"expression": "MIT OR Apache-2.0"}]),
        (("BSD License",), [{"license": {"name": "BSD License"}}]),
        (("MIT", "ISC"), [{"license": {"id": "ISC"}}, {"license": {"id": "MIT"}}]),
        (("My own, (unbalanced",), [{"license": {"name": "My own, (unbalanced"}}]),
    ],
)
def test_licenses(declared: tuple[str, ...], licenses: list[dict[str, Any]]) -> None:
    found = component(licenses=declared)["licenses"]
    for entry in found:
        assert entry.get("license", entry).pop("acknowledgement") == "declared"
    assert found == licenses


def test_the_app_and_its_target() -> None:
    metadata = table(replace(BILL, sha256="1" * 64, epoch=0))["metadata"]
    assert metadata == {
        "timestamp": "1970-01-01T00:00:00+00:00",
        "tools": {
            "components": [{"type": "application", "name": "azpack", "version": "1.0"}],
        },
        "component": {
            "type": "application",
            "bom-ref": "app",
            "name": "shop",
            "hashes": [{"alg": "SHA-256", "content": "1" * 64}],
        },
        "properties": [{"name": "azpack:python", "value": "3.11"}],
    }
    assert "timestamp" not in table(BILL)["metadata"]


@pytest.mark.parametrize("epoch", [-(10**15), 10**15])
def test_any_epoch_is_a_time(epoch: int) -> None:
    assert table(replace(BILL, epoch=epoch))["metadata"]["timestamp"][:4] in ("1970", "9999")


def test_the_graph() -> None:
    found = graph(part("a", "b"), part("b", "c", "gone"), part("c"), part("d"))
    assert found == {"app": ["a", "d"], "a": ["b"], "b": ["c"], "c": [], "d": []}


def test_what_the_app_lists_stands_below_it() -> None:
    assert graph(part("a", "b"), part("b"), asked=("a", "b", "gone"))["app"] == ["a", "b"]


def test_a_circle_hangs_on_the_app() -> None:
    found = graph(part("a"), part("x", "y"), part("y", "z"), part("z", "x"))
    assert found == {"app": ["a", "x"], "a": [], "x": ["y"], "y": ["z"], "z": ["x"]}


def test_the_serial_number_is_made_of_the_content() -> None:
    assert cyclonedx_json(BILL) == cyclonedx_json(BILL)
    others = [
        replace(BILL, name="other"),
        replace(BILL, properties={"python": "3.12"}),
        replace(BILL, parts=(replace(PLAIN, sha256="1" * 64),)),
    ]
    serials = {table(bill)["serialNumber"] for bill in (BILL, *others)}
    assert len(serials) == 4


texts = st.text(max_size=20)


@settings(max_examples=25)  # the schema takes its time
@given(
    st.builds(
        Part, key=st.from_regex(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", fullmatch=True), name=texts,
        version=texts, filename=texts, sha256=st.just("a" * 64), index=st.none() | texts,
        source=texts, published=st.booleans(), licenses=st.tuples(st.text(min_size=1)),
        needs=st.frozensets(texts),
    )
)  # fmt: skip
def test_any_metadata_make_a_valid_bill(part: Part) -> None:
    (found,) = table(replace(BILL, parts=(part,)))["components"]
    assert found["name"] == part.name
