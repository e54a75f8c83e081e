from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.cli.build_service import (
    Service,
    error_command,
    find_service,
    publish_outputs,
    publish_summary,
)

OUTPUTS = {"packagePath": "/a b/100%;]\nx.zip", "packageSha256": "f" * 64}


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({}, None),
        ({"GITHUB_ACTIONS": "true"}, "github"),
        ({"GITHUB_ACTIONS": "false", "TF_BUILD": "True"}, "azure"),
        ({"TF_BUILD": ""}, None),
    ],
)
def test_which_service(environ: dict[str, str], service: Service | None) -> None:
    assert find_service(environ) == service


def test_outputs_of_azure() -> None:
    assert list(publish_outputs("azure", OUTPUTS, {})) == [
        "##vso[task.setvariable variable=packagePath;isOutput=true]/a b/100%AZP25;]%0Ax.zip",
        f"##vso[task.setvariable variable=packageSha256;isOutput=true]{'f' * 64}",
    ]


def read_outputs(text: str) -> dict[str, str]:
    """As the runner reads them: FileCommandManager.cs."""
    found = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2\n", text, re.DOTALL | re.MULTILINE)
    return {name: value for name, _, value in found}


def test_outputs_of_github_are_appended(tmp_path: Path) -> None:
    place = tmp_path / "output"
    place.write_text("other=1\n")
    assert list(publish_outputs("github", OUTPUTS, {"GITHUB_OUTPUT": str(place)})) == []
    first, _, rest = place.read_text().partition("\n")
    assert first == "other=1"
    assert read_outputs(rest) == OUTPUTS


def test_no_value_ends_another(tmp_path: Path) -> None:
    ends = set()
    for number in range(2):
        place = tmp_path / str(number)
        list(publish_outputs("github", {"a": "x"}, {"GITHUB_OUTPUT": str(place)}))
        ends.add(place.read_text().splitlines()[-1])
    assert len(ends) == 2


def test_the_summary_of_github_is_appended(tmp_path: Path) -> None:
    place = tmp_path / "summary"
    for page in ("one\n", "two\n"):
        assert (
            list(publish_summary("github", "app", page, {"GITHUB_STEP_SUMMARY": str(place)})) == []
        )
    assert place.read_text() == "one\ntwo\n"


def test_summaries_of_azure_have_a_file_each(tmp_path: Path) -> None:
    environ = {"AGENT_TEMPDIRECTORY": str(tmp_path)}
    pages = []
    for text in ("one", "two ü"):
        (command,) = publish_summary("azure", "my app", text, environ)
        found = re.fullmatch(r"##vso\[task\.uploadsummary\](.*/azpack my app\.md)", command)
        assert found
        pages.append(Path(found[1]).read_text(encoding="utf-8"))
    assert pages == ["one", "two ü"]


@pytest.mark.parametrize("service", ["azure", "github"])
def test_without_a_place_nothing_is_written(service: Service) -> None:
    assert list(publish_summary(service, "app", "page", {})) == []


def test_errors() -> None:
    assert error_command("azure", "100%\nx") == "##vso[task.logissue type=error]100%AZP25%0Ax"
    assert error_command("github", "100%\nx") == "::error title=azpack::100%25%0Ax"


@pytest.mark.parametrize("service", ["azure", "github"])
@given(message=st.text())
def test_an_error_is_one_line(service: Service, message: str) -> None:
    assert not {"\n", "\r"} & set(error_command(service, message))
