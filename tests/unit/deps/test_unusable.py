from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack import resolving
from azpack.dependencies import locate_distributions
from azpack.deps import uv
from azpack.deps.index import IndexSettings
from azpack.deps.lock import Lock
from azpack.deps.resolver import NoFittingWheelError
from azpack.deps.unusable import Unusable, explain_unusable
from azpack.errors import AzpackError, ResolutionError, UnreachableError, WheelError
from azpack.options import Options
from azpack.progress import Progress
from azpack.request import Request
from azpack.stopwatch import Stopwatch
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from azpack.deps.resolver import Freedom

TARGET = find_target(Path("/project"), python="3.11")
SETTINGS = IndexSettings(no_index=True)
NO_SDIST = "there is no sdist to build it from"


def index(folder: Path, *filenames: str) -> str:
    """An index of these files, as a folder."""
    for filename in filenames:
        page = folder / "simple" / filename.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with open(page, "a", encoding="utf-8") as file:
            file.write(f'<a href="{filename}">{filename}</a>')
    return (folder / "simple").as_uri()


def unusable(name: str, version: str = "1.0", **more: Any) -> Unusable:
    fields = {"code": "no-usable-wheel", "reason": NO_SDIST, **more}
    return Unusable(name=name, version=version, **fields)


def hints(error: WheelError) -> list[str]:
    return error.hint.splitlines()


def test_one_distribution_keeps_its_own_code() -> None:
    error = explain_unusable([unusable("a", code="build-failed", hint="mend it")], TARGET, SETTINGS)
    assert (error.code, error.exit_code) == ("build-failed", 4)
    assert error.message.splitlines() == [
        "1 distribution has no usable wheel for Python 3.11 on manylinux_2_31_x86_64",
        f"  a 1.0: {NO_SDIST}",
    ]
    assert error.hint == "a: mend it"


def test_all_are_named_each_with_its_ways_out(tmp_path: Path) -> None:
    place = index(
        tmp_path,
        "c-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "c-0.9-py3-none-any.whl",
        "b-2.0-cp311-cp311-win_amd64.whl",
        "a-1.0-cp311-cp311-macosx_11_0_arm64.whl",
    )
    asked = [
        unusable("c", places=(place,)),
        unusable("b", "", places=(place,)),
        unusable("a", places=(place,), context={"source": "x"}),
        unusable("d", reason="it failed\nand how", places=(place,)),
    ]
    error = explain_unusable(asked, TARGET, SETTINGS)
    assert (error.code, error.exit_code) == ("no-usable-wheels", 4)
    assert error.message.splitlines() == [
        "4 distributions have no usable wheel for Python 3.11 on manylinux_2_31_x86_64",
        f"  a 1.0: its wheels are for cp311 on macOS; {NO_SDIST}",
        f"  b: its wheels are for cp311 on Windows; {NO_SDIST}",
        f"  c 1.0: its wheels are for cp312 on Linux; {NO_SDIST}",
        "  d 1.0: it failed",
        "    and how",
    ]
    assert hints(error) == [
        "a: Azure runs Linux: add  ; sys_platform == 'darwin'  behind that requirement",
        "b: Azure runs Linux: add  ; sys_platform == 'win32'  behind that requirement",
        "c: version 0.9 has a wheel that fits",
        "c: this version has a wheel for Python 3.12 (--python)",
    ]
    rows: Any = error.context["distributions"]
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    assert rows[0]["source"] == "x"
    assert (rows[2]["fitting_version"], rows[2]["fitting_pythons"]) == ("0.9", ["3.12"])


def test_no_marker_is_advised_where_a_version_fits(tmp_path: Path) -> None:
    place = index(
        tmp_path, "a-1.0-cp39-cp39-win_amd64.whl", "a-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    )
    error = explain_unusable([unusable("a", places=(place,))], TARGET, SETTINGS)
    assert hints(error) == ["a: version 2.0 has a wheel that fits"]


def test_the_likeliest_place_that_knows_is_believed(tmp_path: Path) -> None:
    empty = index(tmp_path / "empty", "other-1.0-py3-none-any.whl")
    first = index(tmp_path / "first", "a-1.0-cp310-cp310-win32.whl")
    second = index(tmp_path / "second", "a-1.0-cp310-cp310-manylinux1_x86_64.whl")
    for places, system in (((empty, first, second), "Windows"), ((second, first), "Linux")):
        error = explain_unusable([unusable("a", places=places)], TARGET, SETTINGS)
        assert f"its wheels are for cp310 on {system}" in error.message


def test_the_version_itself_is_no_way_out(tmp_path: Path) -> None:
    place = index(tmp_path, "a-1.0-py3-none-any.whl")
    failed = unusable("a", code="bad-wheel", reason="it lies", places=(place,))
    error = explain_unusable([failed], TARGET, SETTINGS)
    assert error.message.splitlines()[1:] == ["  a 1.0: it lies"]
    assert error.hint == ""


# What a resolver says of the first alone.

Answer = Exception | None


@pytest.fixture
def resolver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[tuple[str, ...], Answer]], tuple[AzpackError, list[tuple[str, ...]]]]:
    """`resolver(answers)`: the error of a resolver that answers by what is excluded; what was."""
    monkeypatch.setattr(resolving, "_import_what_follows", lambda: None)
    (tmp_path / "requirements.txt").write_text("a\nb\nc\n")
    request = Request(
        root=tmp_path,
        target=TARGET,
        options=Options(cache_dir=tmp_path / "cache", no_index=True),
        environ={"PIP_CONFIG_FILE": os.devnull},
        progress=Progress(),
        clock=Stopwatch(),
    )

    def run(answers: dict[tuple[str, ...], Answer]) -> tuple[AzpackError, list[tuple[str, ...]]]:
        asked = []

        def resolve(_r: Any, _t: Any, _i: Any, freedom: Freedom, **_: Any) -> Lock:
            asked.append(tuple(sorted(freedom.excluded)))
            if error := answers[asked[-1]]:
                raise error
            return Lock(distributions=(), target={})

        monkeypatch.setattr(uv, "resolve", resolve)
        with pytest.raises(AzpackError) as caught:
            locate_distributions(request)
        return caught.value, asked

    return run


def unfitting(*names: str, version: str = "1") -> NoFittingWheelError:
    error = NoFittingWheelError("no-solution", f"no wheels of {names}")
    error.names = tuple((name, version) for name in names)
    return error


def test_what_is_met_behind_the_first_is_named_too(resolver: Any) -> None:
    error, asked = resolver(
        {
            (): unfitting("b"),
            ("b",): unfitting("c", "a", version=""),
            ("a", "b", "c"): unfitting("d"),
            ("a", "b", "c", "d"): None,
        }
    )
    assert (error.code, error.exit_code) == ("no-usable-wheels", 4)
    assert [row["name"] for row in error.context["distributions"]] == ["a", "b", "c", "d"]
    assert "b 1: " in error.message
    assert asked == [(), ("b",), ("a", "b", "c"), ("a", "b", "c", "d")]


@pytest.mark.parametrize(
    "more",
    [ResolutionError("no-solution", "another conflict"), UnreachableError("x", "y"),
     unfitting("b")],
)  # fmt: skip
def test_where_more_is_wrong_it_is_what_the_resolver_said(resolver: Any, more: AzpackError) -> None:
    first = unfitting("b")
    error, asked = resolver({(): first, ("b",): more})
    assert error is first
    assert error.exit_code == 3
    assert asked == [(), ("b",)]


def test_what_no_wheel_has_a_part_in_is_not_asked_again(resolver: Any) -> None:
    conflict = ResolutionError("no-solution", "a conflict")
    assert resolver({(): conflict}) == (conflict, [()])
