"""Passwords that stand in no URL: those of netrc and of the `keyring` program."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from azpack.redaction import conceal

__all__ = ["find_login", "find_password"]


@lru_cache
def find_password(url: str, user: str) -> str:
    """The password of a user for the index at `url`, which is without credentials, or nothing.

    netrc stands before keyring, as for pip and uv. keyring is asked for the index as pip writes
    it (with a slash at its end), as uv does (without), and then for its host.
    """
    host = urlsplit(url).netloc
    if (login := find_login(urlsplit(url).hostname or "")) and login[0] == user:
        return login[1]
    for service in dict.fromkeys((f"{url.rstrip('/')}/", url.rstrip("/"), host)):
        if password := _in_keyring(service, user):
            conceal(password, user=user)
            return password
    conceal(user, user=user)  # no password: it may be a token that stands in the user's place
    return ""


@lru_cache
def find_login(host: str) -> tuple[str, str] | None:
    """The user and the password that netrc has for a host, named without its port."""
    from netrc import NetrcParseError, netrc

    chosen = os.environ.get("NETRC")
    for path in [chosen] if chosen else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        # One that can't be read is as good as none, as for pip.
        with suppress(OSError, NetrcParseError, UnicodeDecodeError):
            if found := netrc(str(path)).authenticators(host):
                conceal(found[2] or "", user=found[0])
                return found[0], found[2] or ""
    return None


def _in_keyring(service: str, user: str) -> str:
    import shutil
    import subprocess

    program = shutil.which("keyring")
    if program is None:
        return ""
    done = subprocess.run(
        [program, "get", service, user],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    return done.stdout.strip("\r\n") if done.returncode == 0 else ""
