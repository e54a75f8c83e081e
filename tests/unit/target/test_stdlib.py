from __future__ import annotations

import sys

from azpack.target.stdlib import stdlib_modules

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def test_what_came_and_went() -> None:
    has = {python: stdlib_modules(python) for python in PYTHONS}
    assert [python for python in PYTHONS if "distutils" in has[python]] == ["3.10", "3.11"]
    assert [python for python in PYTHONS if "tomllib" in has[python]] == list(PYTHONS[1:])
    assert [python for python in PYTHONS if "cgi" in has[python]] == ["3.10", "3.11", "3.12"]
    assert [python for python in PYTHONS if "annotationlib" in has[python]] == ["3.14"]
    assert {"distutils", "tomllib", "annotationlib"} <= stdlib_modules("3.9")


def test_this_interpreter() -> None:
    own = "{}.{}".format(*sys.version_info)
    if own in PYTHONS:
        assert sys.stdlib_module_names - stdlib_modules(own) == set()
