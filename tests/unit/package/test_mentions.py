"""What modules name of test suites."""

from __future__ import annotations

import pytest

from azpack.package.mentions import mentions, names_includes, textual

MODULE = "pkg/sub/mod.py"


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import pkg.tests", {"pkg.tests"}),
        ("import os, other.test.support as it", {"other.test.support"}),
        ("from pkg import tests", {"pkg.tests"}),
        ("from pkg import (\n    a,\n    tests,\n)", {"pkg.tests"}),
        ("from pkg import \\\n    tests as t", {"pkg.tests"}),
        ("def f():\n    from .tests import run", {"pkg.sub.tests", "pkg.sub.tests.run"}),
        ("from . import tests", {"pkg.sub.tests"}),
        ("from ..tests.support import x", {"pkg.tests.support", "pkg.tests.support.x"}),
        ("from tests import x", {"tests", "tests.x"}),
        ("if x: import tests", {"tests"}),
        ("x = 1; from tests import y", {"tests", "tests.y"}),
        ("import a, tests", {"tests"}),
        ("runner = 'pkg.tests.runner.Runner'", {"pkg.tests.runner.Runner"}),
        ("import_module('.tests', __package__)", {"pkg.sub.tests"}),
        ("name.startswith('pkg.tests.')", {"pkg.tests."}),
        ('"""Run pkg.tests."""', set()),
        ("# see pkg.tests\nx = 'a text about pkg.tests'", set()),
        ("from pkg.testing import assert_equal\nimport unittest, contest.latest", set()),
        ("from pkg._tests import x", set()),
        ("from pkg import test_tools", set()),
    ],
)
def test_modules(source: str, modules: set[str]) -> None:
    found = mentions(MODULE, source.encode())
    assert found.modules == modules
    assert not found.paths


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("open(join(here, 'tests', 'data.csv'))", {"tests"}),
        ("join(here, '..', 'sub', 'tests', 'data.csv')", {"sub/tests"}),
        ("data = ROOT / 'sub' / 'tests' / name", {"sub/tests"}),
        ("get_data('pkg', 'tests/data.csv')", {"tests"}),
        ("x = '../io/votable/tests/data/regression.xml'", {"io/votable/tests"}),
        ("x = 'sub\\\\tests\\\\data'", {"sub/tests"}),
        ("listdir(join(here, 'tests'))", {"tests"}),
        ("f = join(here, 'tests')\ng = (ROOT / 'x').read_text()", {"tests"}),
        # The folder's name alone tells modules apart; so do pandas and xarray.
        ("inside = path.startswith(join(here, 'tests'))", set()),
        ("left_out = {'tests', 'docs'}\nopen('x')", set()),
        ("x = 'test'\nfit(x, 'train')", set()),
        ("x = a.b('latest', 'contests/x')", set()),
    ],
)
def test_paths(source: str, paths: set[str]) -> None:
    found = mentions(MODULE, source.encode())
    assert found.paths == paths
    assert not found.modules


@pytest.mark.parametrize(
    "source",
    [
        b"print 'Python 2'\nimport pkg.tests.x, os.path\nfrom ..tests import y\n",
        b"import pkg.tests.x\nfrom ..tests import y\nx = " + b"-" * 100_000 + b"1\n",
        b"import pkg.tests.x\nfrom ..tests import y\nx = '\0'\n",
        b"import pkg.tests.x\nfrom ..tests import y\nx = 1" + b"+1" * 20_000 + b"\n",
    ],
)
def test_what_can_not_be_parsed_names_all_that_its_text_does(source: bytes) -> None:
    found = mentions(MODULE, source)
    assert found.modules >= {"pkg.tests", "pkg.tests.y"}
    assert found.paths == {"test", "tests"}


def test_the_text_alone() -> None:
    source = (
        b"'''See pkg.tests.'''\nfrom .. import tests\n    from ...test.x import y\nlatest.tests2\n"
    )
    assert textual(MODULE, source) == {"pkg.tests", "test.x.y"}
    assert textual(MODULE, b"\xff.tests a.b.tests") == {"a.b.tests"}


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (b"def get_include():\n    return join(here, 'include')\n", False),
        (b"def compile():\n    return join(here, 'include')\n", True),
        (b"INCLUDE = f'{here}/include/x'\n", True),
        (b"x = 'to include'\n", False),
        (b"print 'include'\n", True),
    ],
)
def test_folders_of_headers(source: bytes, named: bool) -> None:
    assert names_includes(source) is named
