"""Credentials in the URLs of Git repositories, kept off the command lines.

git writes the URL that it is given into the command lines of its own programs, where every user of
the machine can read it. So it is given a URL without credentials, and settings that have them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from azpack.redaction import conceal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["repositories_in", "with_git_credentials", "without_git_credentials"]

_WITH_CREDENTIALS = re.compile(r"(?<=git\+)(https?://)[^/\s]+@([^\s#]+)")
# A helper as in gitcredentials(7). The values are in its environment: no command line has them.
_HELPER = (
    '!f() { if test "$1" = get; then '
    'printf "username=%s\\npassword=%s\\n" "$AZPACK_GIT_USER_{0}" "$AZPACK_GIT_PASSWORD_{0}"; '
    "fi; }; f"
)


def repositories_in(requirement: str) -> tuple[str, ...]:
    """The URLs with credentials of the repositories that a requirement names, over HTTP."""
    found = (match[0] for match in _WITH_CREDENTIALS.finditer(requirement))
    return tuple(_without_revision(url) for url in found)


def _without_revision(url: str) -> str:
    authority, slash, path = url.removeprefix("git+").partition("://")[2].partition("/")
    scheme = url.partition("://")[0]
    return f"{scheme}://{authority}{slash}{path.partition('@')[0]}"


def without_git_credentials(requirement: str) -> str:
    """The requirement as `repositories_in` reads it, its repositories without credentials."""
    return _WITH_CREDENTIALS.sub(r"\1\2", requirement)


def with_git_credentials(urls: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which git knows the credentials that these URLs have."""
    environment = dict(environ)
    settings = []
    hosts = set()
    known = sum(name.startswith("AZPACK_GIT_USER_") for name in environ)
    for number, url in enumerate((url for url in urls if "@" in urlsplit(url).netloc), known):
        parts = urlsplit(url)
        user = unquote(parts.username or "")
        environment[f"AZPACK_GIT_USER_{number}"] = user
        environment[f"AZPACK_GIT_PASSWORD_{number}"] = unquote(parts.password or "")
        conceal(unquote(parts.password or "") or user, user=user)
        host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # The host's other repositories may be submodules of this one.
        places = [host + parts.path] if host in hosts else [host, host + parts.path]
        hosts.add(host)
        for place in places:
            settings.append((f"credential.{place}.username", user))
            helper = (f"credential.{place}.helper", _HELPER.replace("{0}", str(number)))
            if parts.password is not None:
                settings += [(f"credential.{place}.helper", ""), helper]  # no other is asked
            elif "GIT_ASKPASS" not in environ:
                settings.append(helper)  # asked after the others, with a token for a user
    if settings:
        # As git hands on what -c sets, to all versions of itself; GIT_CONFIG_COUNT is of 2.31.
        given = [environment["GIT_CONFIG_PARAMETERS"]] if "GIT_CONFIG_PARAMETERS" in environ else []
        quoted = [_quoted(f"{name}={value}") for name, value in settings]
        environment["GIT_CONFIG_PARAMETERS"] = " ".join([*given, *quoted])
    return environment


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
