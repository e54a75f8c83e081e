from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.deps.index import IndexSettings
from azpack.deps.requirements import Requirement, Requirements
from azpack.deps.resolver import NoFittingWheelError
from azpack.deps.uv_errors import explain_failure
from azpack.errors import ResolutionError
from azpack.target.target import find_target

if TYPE_CHECKING:
    from azpack.errors import AzpackError

TARGET = find_target(Path("/project"), python="3.11")
HEAD = "error: No solution found when resolving dependencies\n"
TAIL = "we can conclude that your requirements are unsatisfiable.\n"
NO_NAME = (
    f"{HEAD}  cause: Because a was not found in the package registry and you require a, {TAIL}"
)
NO_VERSION = f"{HEAD}  cause: Because there is no version of a==9 and you require a==9, {TAIL}"


def explained(output: str, indexes: IndexSettings | None = None) -> AzpackError:
    requirements = Requirements(
        kind="requirements",
        files=("requirements.txt",),
        digest="d",
        requirements=(Requirement(text="a", place="requirements.txt:1"),),
    )
    return explain_failure(output, requirements, TARGET, indexes or IndexSettings())


# As uv 0.13 writes it.
@pytest.mark.parametrize(
    ("cause", "names"),
    [
        (("a==1.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you require "
         "a==1.0,"), [("a", "1.0")]),
        (("only A_b==1.0 is available and A_b==1.0 has no wheels with a matching platform tag "
         "(e.g.,\n         `manylinux_2_31_x86_64`) and you require A_b,"), [("a-b", "1.0")]),
        (("all versions of a have no wheels with a matching\n         Python version tag (e.g., "
         "`cp311`), and you require a,"), [("a", "")]),
        ("a>=2.0 has no wheels with a matching Python implementation tag and you require a>=2.0,",
         [("a", "")]),
        (("a==1.0 has no wheels with a matching platform tag and a==2.0 has no wheels with a "
         "matching platform tag,"), [("a", "")]),
        (("a==1.0 has no wheels with a matching platform tag and b==2 has no wheels with a "
         "matching Python ABI tag,"), [("a", "1.0"), ("b", "2")]),
    ],
)  # fmt: skip
def test_distributions_without_a_wheel_that_fits(cause: str, names: list[tuple[str, str]]) -> None:
    error = explained(f"{HEAD}  cause: Because {cause} {TAIL}")
    assert isinstance(error, NoFittingWheelError)
    assert list(error.names) == names


@pytest.mark.parametrize("output", [NO_NAME, NO_VERSION])
def test_other_conflicts_are_none(output: str) -> None:
    assert type(explained(output)) is ResolutionError


@pytest.mark.parametrize("output", [NO_NAME, NO_VERSION])
def test_which_indexes_were_asked(output: str) -> None:
    one = IndexSettings(index_url="https://me:s3cret@a.example/simple")
    assert explained(output, one).hint.splitlines()[1:] == ["asked: https://a.example/simple"]
    several = IndexSettings(
        index_url="https://a.example/simple",
        extra_index_urls=("https://me:s3cret@b.example/simple",),
    )
    hint = explained(output, several).hint
    assert "asked in this order: https://b.example/simple, https://a.example/simple;" in hint
    assert "--index-strategy best-match" in hint
    assert "s3cret" not in hint
    pip = IndexSettings(extra_index_urls=("https://b.example",), strategy="best-match")
    hint = explained(output, pip).hint
    assert hint.endswith("asked: https://b.example, https://pypi.org/simple")
    none = IndexSettings(no_index=True, find_links=("file:///links",))
    assert "no index was asked" in explained(output, none).hint
