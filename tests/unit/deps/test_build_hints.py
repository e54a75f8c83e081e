"""Hints for failed builds: what real compilers, backends and build scripts print."""

from __future__ import annotations

import pytest

from azpack.deps.build_hints import find_hint

OUTPUTS = {
    "Error: pg_config executable not found.\n\npg_config is required to build psycopg2": (
        "pg_config is missing",
        "psycopg2-binary",
        "libpq-dev ",
        "libpq-devel ",
        "--docker-before",
    ),
    "psycopg/psycopg.h:35:10: fatal error: libpq-fe.h: No such file or directory": (
        "the header libpq-fe.h is missing",
        "libpq-dev ",
        "libpq-devel ",
        "--docker-before",
    ),
    "c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory": (
        "libffi-dev ",
        "libffi-devel ",
    ),
    "src/lxml/etree.c:1: fatal error: libxml/xmlversion.h: No such file or directory": (
        "libxml2-dev ",
        "libxml2-devel ",
    ),
    "Error: Please make sure the libxml2 and libxslt development packages are installed.": (
        "libxslt1-dev ",
        "libxslt-devel ",
    ),
    "/bin/sh: 1: mysql_config: not found\n/bin/sh: 1: mariadb_config: not found": (
        "default-libmysqlclient-dev and pkg-config ",
        "mysql-devel and pkgconf ",
    ),
    "Exception: Can not find valid pkg-config name.\nSpecify MYSQLCLIENT_CFLAGS": (
        "default-libmysqlclient-dev and pkg-config ",
    ),
    "native.c:2:10: fatal error: Python.h: No such file or directory": (
        "python3.12-dev ",
        "python3.12-devel ",
    ),
    "src/x.c:3:10: fatal error: openssl/ssl.h: No such file or directory": (
        "libssl-dev ",
        "openssl-devel ",
    ),
    "/bin/sh: line 1: krb5-config: command not found": ("libkrb5-dev ", "krb5-devel "),
    "FileNotFoundError: [Errno 2] No such file or directory: 'krb5-config'": ("libkrb5-dev ",),
    "src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory": (
        "unixodbc-dev ",
        "unixODBC-devel ",
    ),
    "/usr/bin/ld: cannot find -lldap: No such file or directory": (
        "the library ldap is missing",
        "libldap-dev ",
        "openldap-devel ",
    ),
    "_x.c:1:10: fatal error: 'absent.h' file not found": (
        "the header absent.h is missing",
        "development package",
    ),
    "/usr/bin/ld: cannot find -lstrange: No such file or directory": (
        "the library strange is missing",
    ),
    "sh: 1: cmake: not found": ("cmake is missing",),
    "RuntimeError: CMake must be installed to build dlib": ("install cmake ",),
    "FileNotFoundError: [Errno 2] No such file or directory: 'cmake'": ("cmake is missing",),
    "error: command 'swig' failed: No such file or directory": ("swig is missing",),
    "error: command 'gcc' failed: No such file or directory": ("no C or C++ compiler", "g++"),
    "error: command 'x86_64-linux-gnu-g++' failed: No such file or directory": (
        "build-essential",
        "gcc-c++",
        "manylinux",
    ),
    "FileNotFoundError: [Errno 2] No such file or directory: 'g++'": ("no C or C++ compiler",),
    "ERROR: Unknown compiler(s): [['cc'], ['gcc']]": ("no C or C++ compiler",),
    "error: can't find Rust compiler": ("Rust", "--docker-before"),
    "Cargo, the Rust package manager, is not installed or is not on PATH.": ("rustup.rs",),
    "FileNotFoundError: [Errno 2] No such file or directory: 'cargo'": ("rustc and cargo",),
    "c++: fatal error: Killed signal terminated program cc1plus": ("memory", "MAKEFLAGS"),
    "virtual memory exhausted: Cannot allocate memory": ("memory",),
    "x.c: fatal error: error writing to /tmp/ccX.s: No space left on device": (
        "docker system prune",
    ),
    "its build was killed by signal 9": ("memory",),
    "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>": (
        "--docker-network host",
        "HTTPS_PROXY",
    ),
    "fatal: unable to access 'https://x/': Could not resolve host: x": ("--docker-network host",),
    "ModuleNotFoundError: No module named 'numpy'": ("needs numpy", "build requirements"),
    "LookupError: setuptools-scm was unable to detect version for /x": ("PRETEND_VERSION",),
    "error: 'x' undeclared (first use in this function)": ("the last lines of its output",),
    "FileNotFoundError: [Errno 2] No such file or directory: 'README.md'": ("the last lines",),
}


@pytest.mark.parametrize(("output", "said"), OUTPUTS.items(), ids=OUTPUTS)
def test_hints(output: str, said: tuple[str, ...]) -> None:
    hint = find_hint(f"running build_ext\n{output}\nerror: it failed\n", "3.12")
    for part in said:
        assert part in hint


def test_the_missing_header_stands_before_what_follows_from_it() -> None:
    output = (
        "x.c:1:10: fatal error: ffi.h: No such file or directory\ncompilation terminated.\n"
        "error: command '/usr/bin/gcc' failed with exit code 1"
    )
    assert "libffi-dev" in find_hint(output, "3.11")
