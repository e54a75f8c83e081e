"""Where distributions come from: indexes and folders, with their credentials.

Settings are read as pip reads them: `PIP_*` environment variables, then pip.conf
(pip.pypa.io, "Configuration"); what azpack's own options say stands before both.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from azpack.deps.git_credentials import repositories_in
from azpack.deps.passwords import find_password
from azpack.deps.trust import find_authorities, find_client_certificate
from azpack.errors import UsageError
from azpack.redaction import conceal
from azpack.redaction import redact as redact  # here is where one looks for it

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PYPI = "https://pypi.org/simple"

_TRUE = ("1", "true", "yes", "on", "y", "t")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER_INFO = re.compile(r"://[^/]*@")
_URL = re.compile(r"https?://[^/\s]+@[^\s]+")
# What needs no quoting there, or is quoted already (RFC 3986, 3.2.1).
_FIT_FOR_USER_INFO = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """The indexes in use, their URLs with credentials: never print one, print `public(url)`.

    `strategy` is "first-match" or "best-match"; `find_links` are folders, files or URLs;
    `certificates` is the path of a bundle of trusted authorities, or None for the usual ones;
    `client_certificate` that of a certificate with its key. `proxy` is the URL of the one that
    pip's settings name; those of the environment are not here. `repositories` are the URLs of
    Git repositories that requirements name with credentials.
    """

    index_url: str = PYPI
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    strategy: str = "first-match"
    certificates: str | None = None
    client_certificate: str | None = None
    proxy: str | None = None
    repositories: tuple[str, ...] = ()

    def urls(self) -> tuple[str, ...]:
        """All indexes, in the order in which a name is looked for."""
        return () if self.no_index else (*self.extra_index_urls, self.index_url)

    def places(self) -> tuple[str, ...]:
        """All that lists files: the indexes, and what `find_links` names."""
        return (*self.urls(), *self.find_links)

    def index_of(self, url: str) -> str | None:
        """The index that lists the file at `url`, without credentials, as far as one can tell.

        A lock names files, not indexes. A file lies on its index's host, except on PyPI.
        """
        if urlsplit(url).hostname == "files.pythonhosted.org":
            url = PYPI
        indexes = self.urls()
        if found := _nearest(url, indexes):
            return public(found)
        return public(indexes[0]) if len(indexes) == 1 and url.startswith("http") else None

    def credentials_for(self, url: str) -> tuple[str, str] | None:
        """User and password for the file at `url`: its own, or those of an index on its host.

        Of several indexes there the one counts whose path has the most in common, as for pip: the
        feeds of one host may belong to strangers.
        """
        places = [url] if "@" in urlsplit(url).netloc else [*self.urls(), *self.find_links]
        index = _nearest(url, [place for place in places if "@" in urlsplit(place).netloc])
        if index is None:
            return None
        parts = urlsplit(index)
        user = unquote(parts.username or "")
        if parts.password is None:
            return user, find_password(public(index), user)
        return user, unquote(parts.password)


def _nearest(url: str, places: Sequence[str]) -> str | None:
    """Of the places on the URL's host the one whose path has the most in common with its."""
    host, path = _host_and_path(url)
    best: tuple[int, str] | None = None
    for place in places:
        other, beginning = _host_and_path(place)
        differing = (ours != theirs for ours, theirs in zip(path, beginning, strict=False))
        shared = next((count for count, end in enumerate(differing) if end), len(beginning))
        if other == host and (best is None or shared > best[0]):
            best = shared, place
    return best[1] if best else None


def _host_and_path(url: str) -> tuple[tuple[str, str], list[str]]:
    parts = urlsplit(url)
    return (parts.scheme, parts.netloc.rpartition("@")[2].lower()), parts.path.split("/")


def has_token_alone(url: str) -> bool:
    """Whether a token stands in the user's place: an empty password is given."""
    parts = urlsplit(url)
    return bool(parts.username) and parts.password == ""


def with_password(url: str) -> str:
    """The URL with the password that netrc or keyring has, where it has a user alone."""
    parts = urlsplit(url)
    if not parts.username or parts.password is not None:
        return url
    user_info, _, host = parts.netloc.rpartition("@")
    password = find_password(public(url), unquote(parts.username))
    return urlunsplit(parts._replace(netloc=f"{user_info}:{quote(password, safe='')}@{host}"))


def public(url: str) -> str:
    """The URL without its credentials; over SSH the user is an address, and no secret."""
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    user = user_info.partition(":")[0] if parts.scheme.endswith("ssh") else ""
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}" if user else host))


def expand(text: str, environ: Mapping[str, str], *, place: str) -> str:
    """Put the values of environment variables for each `${NAME}`.

    In the user and password of a URL the values are quoted: a password may hold any character.

    Raises:
        UsageError: a variable is not set; `place` says where its name stands.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise UsageError(
                "variable-not-set",
                f"{place} needs the environment variable {match[1]}, which is not set",
                hint=f"set {match[1]}, or take ${{{match[1]}}} out",
                context={"variable": match[1]},
            )
        return quoted(environ[match[1]]) if match.start() in user_info else environ[match[1]]

    found = _USER_INFO.search(text)
    user_info = range(*found.span()) if found else range(0)
    return _VARIABLE.sub(value, text)


def quoted(value: str) -> str:
    """A user or password, or both, as they may stand in a URL."""
    if _FIT_FOR_USER_INFO.fullmatch(value) and "\ufffd" not in unquote(value):
        return value
    return quote(value, safe=":")


def find_indexes(
    environ: Mapping[str, str],
    *,
    index_url: str | None = None,
    extra_index_urls: Sequence[str] = (),
    find_links: Sequence[str] = (),
    no_index: bool = False,
    strategy: str = "first-match",
    cert: str | None = None,
    client_cert: str | None = None,
    requirements: Sequence[str] = (),
) -> IndexSettings:
    """Put together the indexes of the options, the environment and pip.conf.

    Extra indexes and find-links add up, those of the options first; of the others the first
    that is given counts. `requirements` are lines that may hold URLs with credentials.

    Raises:
        UsageError: a `${NAME}` without a value, a URL that is none, a pip.conf or a file of
            certificates that can't be read.
    """
    pip = pip_settings(environ)

    def urls(values: Sequence[str], name: str) -> Iterator[str]:
        for value in values:
            yield _checked(expand(value, environ, place=f"--{name}"), f"--{name}")

    def pip_urls(name: str) -> Iterator[str]:
        return (_checked(url, f"pip's {name}") for url in pip.get(name, "").split())

    extra = [*urls(extra_index_urls, "extra-index-url"), *pip_urls("extra-index-url")]
    links = [*urls(find_links, "find-links"), *pip_urls("find-links")]
    repositories = list(_repositories(requirements, environ))
    settings = IndexSettings(
        index_url=next(urls([index_url], "index-url")) if index_url
        else next(pip_urls("index-url"), PYPI),
        extra_index_urls=tuple(dict.fromkeys(extra)),
        find_links=tuple(dict.fromkeys(map(_link, links))),
        no_index=no_index or pip.get("no-index", "").lower() in _TRUE,
        strategy=strategy,
        certificates=find_authorities(cert, pip, environ),
        client_certificate=find_client_certificate(client_cert, pip, environ),
        proxy=_proxy(pip),
        repositories=tuple(dict.fromkeys(repositories)),
    )  # fmt: skip
    for url in (*settings.urls(), *settings.find_links, settings.proxy or ""):
        _conceal(url)
    return settings


def _conceal(url: str) -> None:
    """Have the password of a URL masked wherever it is printed, by whatever program."""
    parts = urlsplit(url)
    if parts.password:
        conceal(unquote(parts.password), user=unquote(parts.username or ""))


def _repositories(requirements: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """The repositories that requirements name with credentials; all credentials are concealed."""
    for text in requirements:
        if not _URL.search(text):
            continue
        text = expand(text, environ, place="a requirement")
        for url in _URL.findall(text):
            _conceal(_checked(url, "a requirement"))
        yield from repositories_in(text)


def _proxy(pip: Mapping[str, str]) -> str | None:
    """The proxy of pip's settings, as a URL."""
    proxy = pip.get("proxy")
    if not proxy:
        return None
    return _checked(proxy if "://" in proxy else f"http://{proxy}", "pip's proxy")


def _checked(url: str, place: str) -> str:
    """The URL, if it is one; what is wrong with it is not said, since that may be a password."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise UsageError(
            "bad-index-url",
            f"{place} is not a URL that can be read",
            hint="write / as %2F, # as %23 and ? as %3F in a password, or put it there as ${NAME}",
        ) from None
    return url


def _link(link: str) -> str:
    """A folder as a URL, which means the same in every working folder."""
    # A ~NAME that is nobody's is left as it is, as by a shell.
    return link if "://" in link else Path(os.path.expanduser(link)).absolute().as_uri()


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings by their long names: pip.conf, and over it `PIP_*`, without empty ones."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _pip_configuration_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise UsageError(
                "bad-pip-configuration",
                f"{path} can't be read as pip's configuration: {str(error).splitlines()[0]}",
                hint="mend it, or set PIP_CONFIG_FILE to another file",
            ) from error
        for section, settings in sections.items():
            if parser.has_section(section):
                settings.update(
                    (name.replace("_", "-").removeprefix("--"), value)
                    for name, value in parser.items(section)
                )
    # What is empty counts as not said, and [install] stands before [global] of any file.
    settings = {name: value for rows in sections.values() for name, value in rows.items() if value}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            settings[name[4:].lower().replace("_", "-")] = value
    return settings


def _pip_configuration_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files in the order in which later ones override earlier ones."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path.home()
    if sys.platform == "win32":
        shared = [Path(environ.get("ProgramData", "C:/ProgramData")) / "pip/pip.ini"]
        user = [home / "pip/pip.ini", Path(environ.get("APPDATA", home)) / "pip/pip.ini"]
        site = Path(sys.prefix) / "pip.ini"
    else:
        folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        shared = [Path(folder) / "pip/pip.conf" for folder in folders.split(":")]
        shared.append(Path("/etc/pip.conf"))
        own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
        user = [home / ".pip/pip.conf", own]
        if sys.platform == "darwin":
            user.insert(1, home / "Library/Application Support/pip/pip.conf")
        site = Path(sys.prefix) / "pip.conf"
    if chosen:
        # Where this file is, it stands in the place of the user's own.
        return [*shared, *([] if Path(chosen).exists() else user), site, Path(chosen)]
    return [*shared, *user, site]
