"""What to do about a failed build, told from the end of its output."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Package(NamedTuple):
    """What has a header, a library or a program that builds look for; the first three are regexes.

    `debian` and `rpm` are the package's names there, the latter also in the manylinux images.
    """

    headers: str
    libraries: str
    programs: str
    debian: str
    rpm: str
    instead: str = ""


_NEVER = r"(?!)"
_PACKAGES = (
    _Package(
        r"(postgresql/)?libpq-fe\.h", "pq", "pg_config", "libpq-dev", "libpq-devel",
        "list psycopg2-binary in place of psycopg2: its wheels bring libpq along; or ",
    ),
    _Package(
        r"(mysql/|mariadb/)?mysql\.h", "mysqlclient|mariadb", "(mysql|mariadb)_config",
        "default-libmysqlclient-dev and pkg-config", "mysql-devel and pkgconf",
    ),
    _Package(r"(ffi/)?ffi\.h", "ffi", _NEVER, "libffi-dev", "libffi-devel"),
    _Package(r"libxml/\S+\.h", "xml2", "xml2-config", "libxml2-dev", "libxml2-devel"),
    _Package(r"lib(xslt|exslt)/\S+\.h", "e?xslt", "xslt-config", "libxslt1-dev", "libxslt-devel"),
    _Package(r"Python\.h", r"python3\S*", _NEVER, "python{python}-dev", "python{python}-devel"),
    _Package(r"openssl/\S+\.h", "ssl|crypto", _NEVER, "libssl-dev", "openssl-devel"),
    _Package(
        r"(gssapi/\S+|gssapi|krb5(/\S+)?)\.h", "gssapi_krb5|krb5", "krb5-config",
        "libkrb5-dev", "krb5-devel",
    ),
    _Package(r"sql(ext|types)?\.h", "odbc", "odbc_config", "unixodbc-dev", "unixODBC-devel"),
    _Package(r"(ldap|lber)\.h", "ldap|lber", _NEVER, "libldap-dev", "openldap-devel"),
    _Package(r"sasl(/sasl)?\.h", "sasl2", _NEVER, "libsasl2-dev", "cyrus-sasl-devel"),
    _Package(r"(curl/)?curl\.h", "curl", "curl-config", "libcurl4-openssl-dev", "libcurl-devel"),
    _Package(r"z(lib|conf)\.h", "z", _NEVER, "zlib1g-dev", "zlib-devel"),
    _Package(r"bzlib\.h", "bz2", _NEVER, "libbz2-dev", "bzip2-devel"),
    _Package(r"lzma\.h", "lzma", _NEVER, "liblzma-dev", "xz-devel"),
    _Package(r"j(peglib|config)\.h", "jpeg", _NEVER, "libjpeg-dev", "libjpeg-turbo-devel"),
    _Package(r"sqlite3\.h", "sqlite3", _NEVER, "libsqlite3-dev", "sqlite-devel"),
    _Package(r"yaml\.h", "yaml", _NEVER, "libyaml-dev", "libyaml-devel"),
    _Package(r"gmp\.h", "gmp", _NEVER, "libgmp-dev", "gmp-devel"),
    _Package(r"(cairo/)?cairo\S*\.h", "cairo", _NEVER, "libcairo2-dev", "cairo-devel"),
    _Package(r"geos_c\.h", "geos_c", "geos-config", "libgeos-dev", "geos-devel"),
    _Package(r"sodium\.h", "sodium", _NEVER, "libsodium-dev", "libsodium-devel"),
    _Package(
        r"librdkafka/\S+\.h", "rdkafka", _NEVER, "librdkafka-dev", "librdkafka-devel",
    ),
    _Package(_NEVER, _NEVER, "cmake", "cmake", "cmake"),
    _Package(_NEVER, _NEVER, "ninja", "ninja-build", "ninja-build"),
    _Package(_NEVER, _NEVER, "pkg-?config", "pkg-config", "pkgconf"),
    _Package(_NEVER, _NEVER, "swig", "swig", "swig"),
    _Package(_NEVER, "gfortran", "gfortran", "gfortran", "gcc-gfortran"),
    _Package(_NEVER, _NEVER, "make", "make", "make"),
    _Package(_NEVER, _NEVER, "git", "git", "git"),
)  # fmt: skip

_WHERE = "install {debian} (Debian, Ubuntu) or {rpm} (manylinux images, Red Hat), in a container "
_WHERE += "with --docker-before"
_HEADER = re.compile(r"fatal error: '?([^\s':]+)'?:? (?:No such file|file not found)")
_LIBRARY = re.compile(r"cannot find -l([\w.+-]+)")
_PROGRAM = re.compile(
    r"(?<![\w./-])'?(?:\S*/)?([a-z][\w-]*)'?(?: executable)?: (?:command )?not found"
    r"|(?<![\w-])([a-z][\w-]*) executable not found"
    r"|No such file or directory: '(?:\S*/)?([\w-]+)'"
    r"|command '?(?:\S*/)?([\w-]+)'? failed: No such file"
    r"|(?i:(?:could not|can't|cannot|did not|unable to) find (?:the )?'?(?:\S*/)?(\w[\w-]*)'?)"
    r"|(?i:(cmake|ninja|swig|pkg-config) (?:must be|is not|needs to be) (?:installed|found))"
    r"|Did not find (pkg-config)"
)
# Where it is not the name of a program that is said to be missing.
_SAID_OTHERWISE = (
    (re.compile(r"Can not find valid pkg-config name"), "mysql_config"),
    (re.compile(r"make sure the libxml2 and libxslt development packages"), "xslt-config"),
)
_NO_COMPILER = re.compile(
    r"(unable to execute|command) '?[\w/-]*(cc|\+\+|clang)(-\d+)?'?( failed)?: No such file"
    r"|\b(gcc|g\+\+|cc|c\+\+|clang): (command )?not found"
    r"|No such file or directory: '[^']*(cc|\+\+|clang)'"
    r"|Unknown compiler\(s\)|No CMAKE_CX{0,2}_COMPILER"
)
_NO_RUST = re.compile(
    r"can't find rust compiler|(rustc, the rust compiler|cargo, the rust package manager), is not"
    r"|\b(rustc|cargo)\b'?: (command )?not found"
    r"|(rustc|cargo)'?( failed)?: No such file|No such file or directory: '(rustc|cargo)'",
    re.IGNORECASE,
)
_NO_MEMORY = re.compile(
    r"\bKilled\b|killed by signal 9|virtual memory exhausted|Cannot allocate memory"
    r"|std::bad_alloc|^MemoryError|memory allocation of \d+ bytes failed",
    re.MULTILINE,
)
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded")
_NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|Could not resolve host|failed to lookup address|\bdns error\b"
    r"|Failed to establish a new connection|Couldn't connect to server",
    re.IGNORECASE,
)
_UNNAMED_REQUIREMENT = (
    "it needs {0} to be built and does not name it among its build requirements: "
    "choose another version of it"
)

_MORE_MEMORY = (
    "it was ended from outside, as happens where memory runs out: give the machine or the engine "
    "more (Docker Desktop: Settings, Resources), or let it compile less at once, for instance with "
    "MAKEFLAGS=-j1 or CMAKE_BUILD_PARALLEL_LEVEL=1"
)
_MAKE_ROOM = (
    "the disk that it was built on is full: make room there (that of an engine: 'docker system "
    "prune')"
)
_GET_COMPILER = (
    "there is no C or C++ compiler: install gcc and g++ (build-essential on Debian and Ubuntu, "
    "gcc-c++ on Red Hat), or build in a manylinux image, which has both"
)
_GET_RUST = (
    "it is written in Rust: install rustc and cargo (rustup.rs, or your system's packages of these "
    "names), in a container with --docker-before"
)
_GIVE_NETWORK = (
    "its build wants the network and does not reach it: --docker-network host gives the container "
    "this machine's, and HTTPS_PROXY a proxy"
)

# What is looked for before the missing headers, libraries and programs, and what after.
_FIRST = ((_NO_ROOM, _MAKE_ROOM), (_NO_MEMORY, _MORE_MEMORY))
_LAST = (
    (_NO_COMPILER, _GET_COMPILER),
    (_NO_RUST, _GET_RUST),
    (_NO_NETWORK, _GIVE_NETWORK),
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
    return (
        _of_causes(_FIRST, output)
        or _of_packages(output, python)
        or _of_causes(_LAST, output)
        or "the last lines of its output say why; a version that has a wheel needs no build"
    )


def _of_causes(causes: tuple[tuple[re.Pattern[str], str], ...], output: str) -> str:
    for pattern, hint in causes:
        if found := pattern.search(output):
            return hint.format(*(name for name in found.groups() if name))
    return ""


def _of_packages(output: str, python: str) -> str:
    """The hint for the first header, library or program that is missing and known."""
    for pattern, name in _SAID_OTHERWISE:
        if pattern.search(output):
            return _install(f"{name} is missing", _find_package("programs", name), python)
    for said in _PROGRAM.finditer(output):
        name = next(filter(None, said.groups())).lower()
        if package := _find_package("programs", name):
            return _install(f"{name} is missing", package, python)
    if match := _HEADER.search(output):
        package = _find_package("headers", match[1])
        return _install(f"the header {match[1]} is missing", package, python)
    if match := _LIBRARY.search(output):
        package = _find_package("libraries", match[1])
        return _install(f"the library {match[1]} is missing", package, python)
    return ""


def _find_package(kind: str, name: str) -> _Package | None:
    for package in _PACKAGES:
        if re.fullmatch(getattr(package, kind), name):
            return package
    return None


def _install(fault: str, package: _Package | None, python: str) -> str:
    if package is None:
        return (
            f"{fault}: install the development package of its library, in a container with "
            "--docker-before"
        )
    where = _WHERE.format(debian=package.debian, rpm=package.rpm).format(python=python)
    return f"{fault}: {package.instead}{where}"
