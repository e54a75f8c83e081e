"""Where distributions come from: indexes and folders, with their credentials.

Settings are read as pip reads them: `PIP_*` environment variables, then pip.conf
(pip.pypa.io, "Configuration"); what azpack's own options say stands before both.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from azpack.deps.git_credentials import repositories_in
from azpack.deps.passwords import find_password
from azpack.deps.pip_settings import pip_settings
from azpack.deps.trust import find_authorities, find_client_certificate
from azpack.errors import UsageError
from azpack.redaction import conceal
from azpack.redaction import redact as redact  # here is where one looks for it

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PYPI = "https://pypi.org/simple"

_TRUE = ("1", "true", "yes", "on", "y", "t")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ONLY_VARIABLES = re.compile(rf"(?:{_VARIABLE.pattern})+")
_USER_INFO = re.compile(r"://[^/]*@")
# The scheme, which may come from a variable too, and the user info.
_BEGINNING = re.compile(r"([^/?#]*://)?([^/?#]*)@")
_URL = re.compile(r"https?://[^/\s]+@[^\s]+")
# What needs no quoting there, or is quoted already (RFC 3986, 3.2.1).
_FIT_FOR_USER_INFO = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """The indexes in use, their URLs with credentials: never print one, print `public(url)`.

    `strategy` is "first-match" or "best-match"; `find_links` are folders, files or URLs;
    `explicit_index_urls` have only what a project takes from them by name, though pip asks them for
    all. `trusted_hosts` are those that pip talks to without TLS, as HOST or HOST:PORT.
    `certificates` is the path of a bundle of trusted authorities, or None for the usual ones;
    `client_certificate` that of a certificate with its key. `proxy` is the URL of the one that
    pip's settings name; those of the environment are not here. `repositories` are the URLs of
    Git repositories that requirements name with credentials.

    `written` says of each URL how it may be shown and written down: as the user wrote it, with
    `${NAME}` in place of values, and without credentials in plain. Of those in `withheld` such
    credentials were left out.
    """

    index_url: str = PYPI
    extra_index_urls: tuple[str, ...] = ()
    explicit_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    strategy: str = "first-match"
    trusted_hosts: tuple[str, ...] = ()
    certificates: str | None = None
    client_certificate: str | None = None
    proxy: str | None = None
    repositories: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict, compare=False)
    withheld: frozenset[str] = field(default=frozenset(), compare=False)

    def urls(self) -> tuple[str, ...]:
        """All indexes, in the order in which a name is looked for."""
        if self.no_index:
            return ()
        return (*self.extra_index_urls, *self.explicit_index_urls, self.index_url)

    def places(self) -> tuple[str, ...]:
        """All that lists files: the indexes, and what `find_links` names."""
        return (*self.urls(), *self.find_links)

    def remote_places(self) -> tuple[str, ...]:
        """What is not on this machine of all places, each once, in the order in which pip asks."""
        others = (self.index_url, *self.extra_index_urls, *self.explicit_index_urls)
        places = (*self.find_links, *(() if self.no_index else others))
        return tuple(place for place in dict.fromkeys(places) if is_remote(place))

    def insecure_places(self) -> tuple[str, ...]:
        """The places that pip passes over: without TLS, on another host, and not trusted.

        (pip's `PipSession.is_secure_origin`.)
        """
        return tuple(
            place
            for place in self.remote_places()
            if urlsplit(place).scheme == "http"
            and not _is_loopback(urlsplit(place).hostname or "")
            and not any(_is_named_by(host, place) for host in self.trusted_hosts)
        )

    def for_platform(self) -> dict[str, str]:
        """The app settings by which pip on the platform uses the same indexes, as `written`.

        What is on this machine (`file:`) is left out. Where that is the index that stands in
        PyPI's place, pip there asks PyPI again. Of the trusted hosts those count that are used.
        """
        private = [place for place in self.remote_places() if not is_pypi(place)]
        trusted = [it for it in self.trusted_hosts if any(_is_named_by(it, at) for at in private)]
        settings = {
            "PIP_FIND_LINKS": self._remote(self.find_links),
            "PIP_TRUSTED_HOST": " ".join(trusted),
        }
        if self.no_index:
            settings["PIP_NO_INDEX"] = "1"
        else:
            index = [] if is_pypi(self.index_url) else [self.index_url]
            settings["PIP_INDEX_URL"] = self._remote(index)
            extra = (*self.extra_index_urls, *self.explicit_index_urls)
            settings["PIP_EXTRA_INDEX_URL"] = self._remote(extra)
        return {name: value for name, value in sorted(settings.items()) if value}

    def on_platform(self) -> IndexSettings:
        """The settings as the platform has them, with the values of its variables.

        It lacks passwords that stand nowhere as `${NAME}`, the authorities that are trusted here,
        and the client certificate. The places are the same ones in the same order.
        """
        return replace(
            self,
            index_url=self._as_written(self.index_url),
            extra_index_urls=tuple(map(self._as_written, self.extra_index_urls)),
            explicit_index_urls=tuple(map(self._as_written, self.explicit_index_urls)),
            find_links=tuple(map(self._as_written, self.find_links)),
            certificates=None,
            client_certificate=None,
        )

    def _as_written(self, url: str) -> str:
        """The URL with the credentials that may be written down, and no others."""
        if url not in self.written or url in self.withheld:
            return public(url)
        parts = urlsplit(url)
        if not parts.username or parts.password is not None:
            return url
        # netrc and keyring, which have passwords for users alone, are on this machine only.
        user, _, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}:@{host}"))

    def _remote(self, urls: Iterable[str]) -> str:
        """Those that are not on this machine, each once and as it may be written."""
        written = {self.written.get(url, public(url)): None for url in urls if is_remote(url)}
        return " ".join(written)

    def with_explicit(self, urls: Iterable[str]) -> IndexSettings:
        """The same, and these indexes as explicit ones, unless they are known.

        PyPI is not added: who has another index in its place does not want it.
        """
        known = {PYPI, *(public(url).rstrip("/") for url in self.places())}
        more = [url for url in dict.fromkeys(urls) if public(url).rstrip("/") not in known]
        return replace(self, explicit_index_urls=(*self.explicit_index_urls, *more))

    def index_of(self, url: str) -> str | None:
        """The index that lists the file at `url`, without credentials, as far as one can tell.

        A lock names files, not indexes. A file lies on its index's host, except on PyPI.
        """
        if is_of_pypi(url):
            url = PYPI
        indexes = self.urls()
        if found := _nearest(url, indexes):
            return public(found)
        alone = len(indexes) == 1 and not is_pypi(indexes[0]) and is_remote(url)
        return public(indexes[0]) if alone else None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The URL of an index or of links, and how it may be written, perhaps without credentials."""

    url: str
    written: str
    withheld: bool = False


_PYPI = _Place(url=PYPI, written=PYPI)


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


def is_pypi(url: str) -> bool:
    """Whether a URL is that of PyPI's own index."""
    return public(url).rstrip("/").lower() == PYPI


def is_of_pypi(url: str) -> bool:
    """Whether a URL is that of a file on PyPI."""
    return urlsplit(url).hostname == "files.pythonhosted.org"


def is_remote(url: str) -> bool:
    """Whether a URL is not of this machine's files."""
    return urlsplit(url).scheme in ("http", "https")


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_named_by(trusted: str, place: str) -> bool:
    """Whether a trusted host is that of a place, and its port too where it says one."""
    parts = urlsplit(place)
    named = urlsplit(f"//{trusted}")
    with suppress(ValueError):  # its port is no number
        return named.hostname == parts.hostname and named.port in (None, parts.port)
    return False


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
    explicit_index_urls: Sequence[str] = (),
    find_links: Sequence[str] = (),
    no_index: bool = False,
    strategy: str = "first-match",
    trusted_hosts: Sequence[str] = (),
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

    def given(values: Sequence[str], name: str) -> Iterator[_Place]:
        for value in values:
            yield _named_place(value, environ, f"--{name}")
        for url in pip.get(name, "").split():  # pip puts in no variables there
            written = public(_checked(url, f"pip's {name}"))
            yield _Place(url=url, written=written, withheld=written != url)

    index = next(given([index_url] if index_url else [], "index-url"), _PYPI)
    extra = list(given(extra_index_urls, "extra-index-url"))
    explicit = [_named_place(it, environ, "[[tool.uv.index]]") for it in explicit_index_urls]
    links = list(map(_link, given(find_links, "find-links")))
    repositories = list(_repositories(requirements, environ))
    # What is given in both ways is written in that which loses nothing.
    places: dict[str, _Place] = {}
    for place in sorted([index, *extra, *explicit, *links], key=lambda place: place.withheld):
        places.setdefault(place.url, place)
    settings = IndexSettings(
        index_url=index.url,
        extra_index_urls=tuple(dict.fromkeys(place.url for place in extra)),
        explicit_index_urls=tuple(dict.fromkeys(place.url for place in explicit)),
        find_links=tuple(dict.fromkeys(place.url for place in links)),
        no_index=no_index or pip.get("no-index", "").lower() in _TRUE,
        strategy=strategy,
        trusted_hosts=tuple(dict.fromkeys((*trusted_hosts, *pip.get("trusted-host", "").split()))),
        certificates=find_authorities(cert, pip, environ),
        client_certificate=find_client_certificate(client_cert, pip, environ),
        proxy=_proxy(pip),
        repositories=tuple(dict.fromkeys(repositories)),
        written={place.url: place.written for place in places.values()},
        withheld=frozenset(place.url for place in places.values() if place.withheld),
    )  # fmt: skip
    for url in (*settings.urls(), *settings.find_links, settings.proxy or ""):
        _conceal(url)
    return settings


def _named_place(text: str, environ: Mapping[str, str], named_by: str) -> _Place:
    """The place that a user names, perhaps with `${NAME}` in it."""
    url = _checked(expand(text, environ, place=named_by), named_by)
    if "index-url" in named_by and "://" not in url and not os.path.exists(url):
        raise UsageError(
            "bad-index-url", f"{named_by} is not a URL", hint="begin it with https:// or http://"
        )
    written = _without_literals(text)
    return _Place(url=url, written=written, withheld=written != text)


def _without_literals(text: str) -> str:
    """A URL as it was written, its user info only where that is `${NAME}` in the secret part.

    That is the password, or without one the user: then it may be a token.
    """
    found = _BEGINNING.match(text)
    if not found:
        return text
    user, _, password = found[2].partition(":")
    if _ONLY_VARIABLES.fullmatch(password or user):
        return text
    return (found[1] or "") + text[found.end() :]


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


def _link(place: _Place) -> _Place:
    """A folder as a URL, which means the same in every working folder."""
    if "://" in place.url:
        return place
    # A ~NAME that is nobody's is left as it is, as by a shell.
    url = Path(os.path.expanduser(place.url)).absolute().as_uri()
    return _Place(url=url, written=url)
