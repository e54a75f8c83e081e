"""What is left out of a distribution, and what stays since something names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.errors import FileError
from azpack.package.slim import (
    find_survey,
    kept_suites,
    left_out_of,
    make_survey,
    named_by_app,
    suite_files,
)
from azpack.store import Store
from tests.wheels import keep_wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.deps.distribution import Wheel

TESTS = {"pkg/__init__.py": b"", "pkg/tests/__init__.py": b"", "pkg/tests/test_it.py": b""}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


class Wheels:
    """Puts wheels into the store."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder

    def __call__(self, files: Mapping[str, bytes], name: str = "pkg", **more: object) -> Wheel:
        return keep_wheel(self.store, write_wheel(self.folder, name, "1.0", files, **more))  # type: ignore[arg-type]


@pytest.fixture
def wheel(store: Store, tmp_path: Path) -> Wheels:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return Wheels(store, folder)


def dropped(*wheels: Wheel, named: tuple[str, ...] = ()) -> set[str]:
    """All that is left out of some wheels that go together."""
    surveys = [make_survey(wheel) for wheel in wheels]
    kept = kept_suites(surveys, named)
    return {
        path
        for wheel, survey in zip(wheels, surveys, strict=True)
        for path in suite_files(wheel, survey, kept).union(survey.others)
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pkg/tests/data/x.csv": b"", "pkg/tests/x_test.py": b""}, {"data/x.csv", "x_test.py"}),
        ({"pkg/tests/MIT-License.txt": b"", "pkg/tests/data/COPYING": b""}, set()),
        ({"pkg/tests/test_licence.py": b""}, {"test_licence.py"}),
        ({"pkg/tests/sub/test/test_x.py": b""}, {"sub/test/test_x.py"}),
    ],
)
def test_suites(wheel: Wheels, files: Mapping[str, bytes], expected: set[str]) -> None:
    assert dropped(wheel({**TESTS, **files})) == {
        *(f"pkg/tests/{name}" for name in ("__init__.py", "test_it.py", *expected)),
    }


@pytest.mark.parametrize(
    "files",
    [
        {"pkg/tests/__init__.py": b"", "pkg/tests/chi2.py": b""},  # of statistics
        {"pkg/test/client.py": b"", "pkg/test/sub/test_x.py": b""},
        {"pkg/testing/test_x.py": b"", "pkg/_tests/test_x.py": b""},
        {"pkg/test_it.py": b"", "pkg/conftest.py": b""},
        {"tests/test_x.py": b"", "tests/__init__.py": b""},  # there is nothing else in it
    ],
)
def test_what_is_no_suite(wheel: Wheels, files: Mapping[str, bytes]) -> None:
    assert dropped(wheel(files)) == set()


@pytest.mark.parametrize(
    "module",
    [
        b"from .tests import test_it\n",
        b"def test():\n    import pkg.tests\n",
        b"RUNNER = 'pkg.tests.runner'\n",
        b"open(os.path.join(HERE, 'tests', 'data.csv'))\n",
        b"resources.files('pkg').joinpath('tests/data.csv')\n",
    ],
)
def test_a_suite_that_the_package_names(wheel: Wheels, module: bytes) -> None:
    assert dropped(wheel({**TESTS, "pkg/mod.py": module})) == set()


def test_a_suite_that_others_name(wheel: Wheels) -> None:
    named = wheel(TESTS)
    suite = {"pkg/tests/__init__.py", "pkg/tests/test_it.py"}
    assert dropped(named) == suite
    assert dropped(named, wheel({"b.py": b"from pkg.tests import x\n"}, "b")) == set()
    assert dropped(named, wheel({"c.py": b"from pkg.testing import x\n"}, "c")) == suite
    assert dropped(named, named=("pkg.tests.test_it",)) == set()
    # A suite that is left out itself is no reason; one that is kept is.
    files = {"d/__init__.py": b"", "d/tests/test_d.py": b"import pkg.tests\n"}
    other = wheel(files, "d")
    assert dropped(named, other) == {*suite, "d/tests/test_d.py"}
    assert dropped(named, other, named=("d.tests",)) == set()


def test_a_suite_that_an_entry_point_names(wheel: Wheels) -> None:
    found = dropped(wheel(TESTS, entry_points="[pytest11]\nit = pkg.tests:plugin\n"))
    assert found == set()


def test_a_suite_that_compiled_code_names(wheel: Wheels) -> None:
    assert dropped(wheel({**TESTS, "pkg/fast.so": b"\0pkg.tests.support\0"})) == set()
    assert dropped(wheel({**TESTS, "pkg/fast.so": b"\0pkg.testing\0"}, "other"))


@pytest.mark.parametrize(
    ("module", "stays"),
    [
        (b"", set()),
        (b"def get_include(): return join(HERE, 'include')\n", set()),
        (b"x = open(name + '.h')\n", {"pkg/a.h", "pkg/include/b.h"}),
        (b"source = read(f'{name}.pyx')\n", {"pkg/a.pyx"}),
        (b"headers = glob('*.h')\n", {"pkg/a.h", "pkg/include/b.h"}),
        (b"x = read('include')\n", {"pkg/include/b.h"}),
        (b"__getattr__ = lazy.attach_stub(__name__, __file__)\n", {"pkg/__init__.pyi"}),
        (b"x = read('x.pyi')\n", {"pkg/__init__.pyi"}),
    ],
)
def test_headers_sources_and_stubs(wheel: Wheels, module: bytes, stays: set[str]) -> None:
    all_of_them = {
        "pkg/a.h", "pkg/a.pyx", "pkg/a.pxd", "pkg/fast.c", "pkg/lib.a", "pkg/include/b.h",
        "pkg/__init__.pyi",
    }  # fmt: skip
    others = ("pkg/py.typed", "pkg/include/LICENSE.h", "pkg/include/x.txt", "pkg/data.json")
    files = {"pkg/__init__.py": module, **dict.fromkeys((*all_of_them, *others), b"")}
    assert dropped(wheel(files)) == all_of_them - stays


def test_headers_of_the_scheme(wheel: Wheels) -> None:
    found = wheel({"pkg.py": b"x = '.h'\n"}, data={"headers/x/it.h": b""})
    assert dropped(found) == {"include/site/pythonX.Y/pkg/x/it.h"}
    left_out = left_out_of(found, dropped(found), python="3.12")
    assert left_out.paths == ("include/",)


def test_metadata_stay(wheel: Wheels) -> None:
    info = "pkg-1.0.dist-info"
    files = {f"{info}/licenses/tests/test_x.py": b"", f"{info}/sboms/x.c": b"", "pkg.py": b""}
    assert dropped(wheel(files)) == set()


def test_what_it_comes_to(wheel: Wheels) -> None:
    files = {**TESTS, "pkg/tests/data/LICENSE": b"", "pkg/tests/data/sub/x": b"1234",
             "pkg/a.pyi": b"12", "pkg-stubs/__init__.pyi": b""}  # fmt: skip
    found = wheel(files)
    left_out = left_out_of(found, dropped(found), python="3.12")
    assert left_out == (
        "pkg", 5, 6,
        ("pkg-stubs/", "pkg/a.pyi", "pkg/tests/__init__.py", "pkg/tests/data/sub/",
         "pkg/tests/test_it.py"),
    )  # fmt: skip


def test_a_survey_is_made_once(wheel: Wheels, store: Store) -> None:
    found = wheel(TESTS)
    survey = find_survey(store, found)
    found.path.write_bytes(b"")
    assert find_survey(store, found) == survey


def test_a_survey_that_is_damaged_is_made_again(wheel: Wheels, store: Store) -> None:
    found = wheel(TESTS)
    survey = find_survey(store, found)
    for record in (store.folder / "v1" / "plans").iterdir():
        record.write_bytes(b'{"suites"')
    assert find_survey(store, found) == survey


def test_a_wheel_that_is_damaged(wheel: Wheels) -> None:
    found = wheel({**TESTS, "pkg/mod.py": b"x = 1\n" * 99})
    size = found.path.stat().st_size
    found.path.write_bytes(b"\xff" * size)
    with pytest.raises(FileError, match="damaged"):
        make_survey(found)


def test_what_an_app_names(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from pandas.tests import x\n")
    (tmp_path / "b.txt").write_text("import numpy.tests\n")
    (tmp_path / "c.py").write_bytes(b"import \xff.tests\n")
    found = named_by_app(tmp_path, ["a.py", "b.txt", "c.py", "gone.py"])
    assert found == {"pandas.tests", "pandas.tests.x"}
