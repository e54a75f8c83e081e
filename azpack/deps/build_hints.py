"""What to do about a failed build, told from the end of its output."""

from __future__ import annotations

import re

_NO_COMPILER = re.compile(
    r"(unable to execute|command) '?[\w/-]*(cc|\+\+|clang)(-\d+)?'?( failed)?: No such file"
    r"|\b(gcc|cc|clang): (command )?not found|No such file or directory: '[^']*(cc|\+\+|clang)'"
    r"|Unknown compiler\(s\)|No CMAKE_CX{0,2}_COMPILER"
)
_NO_RUST = re.compile(
    r"can't find rust compiler|(rustc, the rust compiler|cargo, the rust package manager), is not"
    r"|\b(rustc|cargo)\b'?: (command )?not found"
    r"|(rustc|cargo)'?( failed)?: No such file|No such file or directory: '(rustc|cargo)'",
    re.IGNORECASE,
)
_UNNAMED_REQUIREMENT = (
    "it needs {0} to be built and does not name it among its build requirements: "
    "choose another version of it"
)

# The first that is found counts; {0} is the first group that matched.
_HINTS = (
    (
        re.compile(r"pg_config (executable not found|is required)"),
        "list psycopg2-binary in place of psycopg2: its wheels bring libpq along",
    ),
    (
        re.compile(r"mysql_config: not found|Can not find valid pkg-config name"),
        "install pkg-config and default-libmysqlclient-dev",
    ),
    (
        re.compile(r"Python\.h: No such file"),
        "install the headers of the Python that builds: python{python}-dev on Debian and Ubuntu",
    ),
    (
        re.compile(r"fatal error: '?([^\s':]+)'?:? (?:No such file|file not found)"),
        "the header {0} is missing: install the development package of its library",
    ),
    (
        re.compile(r"cannot find -l([\w.+-]+)"),
        "the library {0} is missing: install its development package",
    ),
    (_NO_COMPILER, "there is no C compiler: install gcc (build-essential on Debian and Ubuntu)"),
    (_NO_RUST, "it is written in Rust: install rustc and cargo (rustup.rs)"),
    (
        re.compile(r"setuptools[-_]scm was unable to detect version"),
        "it takes its version from git, and there is none: set SETUPTOOLS_SCM_PRETEND_VERSION",
    ),
    (
        re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'"),
        _UNNAMED_REQUIREMENT,
    ),
)


def find_hint(output: str, python: str) -> str:
    """What to do now; `python` is the version of the target ("3.12")."""
    for pattern, hint in _HINTS:
        if found := pattern.search(output):
            names = [name for name in found.groups() if name]
            return hint.format(*names, python=python)
    return "the last lines of its output say why; a version that has a wheel needs no build"
