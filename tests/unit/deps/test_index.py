from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps import index, pip_settings
from azpack.deps.index import (
    PYPI,
    IndexSettings,
    expand,
    find_indexes,
    public,
    redact,
    with_password,
)
from azpack.deps.passwords import find_password
from azpack.errors import UsageError
from azpack.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

A, B, C, D = (f"https://{letter}.example/simple" for letter in "abcd")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and nothing of this machine's own settings."""
    files = pip_settings._pip_configuration_files

    def without_etc(environ: Mapping[str, str]) -> list[Path]:
        return [path for path in files(environ) if path != Path("/etc/pip.conf")]

    monkeypatch.setattr(pip_settings, "_pip_configuration_files", without_etc)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "own"), "XDG_CONFIG_DIRS": str(tmp_path / "all")}


def pip_conf(folder: Path, text: str) -> Path:
    path = folder / "pip.conf"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_any_settings(environ: dict[str, str]) -> None:
    assert find_indexes(environ) == IndexSettings()
    assert IndexSettings().urls() == (PYPI,)


def test_options_stand_before_the_environment_and_that_before_pip_conf(
    home: Path, environ: dict[str, str]
) -> None:
    pip_conf(home / "own/pip", f"[global]\nindex-url = {C}\n")
    assert find_indexes(environ).index_url == C
    environ["PIP_INDEX_URL"] = B
    assert find_indexes(environ).index_url == B
    assert find_indexes(environ, index_url=A).index_url == A


def test_extra_indexes_add_up_and_the_options_come_first(
    home: Path, environ: dict[str, str]
) -> None:
    pip_conf(home / "own/pip", f"[global]\nextra-index-url =\n  {B}\n  {C}\n  {A}\n")
    settings = find_indexes(environ, extra_index_urls=[D, A])
    assert settings.extra_index_urls == (D, A, B, C)
    # Extra indexes come first, so that a public copy can't take over a private name.
    assert settings.urls() == (D, A, B, C, PYPI)
    environ["PIP_EXTRA_INDEX_URL"] = f"{C} {B}"
    assert find_indexes(environ).extra_index_urls == (C, B)


def test_later_files_of_pip_override_earlier_ones(home: Path, environ: dict[str, str]) -> None:
    environ["XDG_CONFIG_DIRS"] = f"{home}/all:{home}/more"
    folders = [home / "all/pip", home / "more/pip", home / ".pip", home / "own/pip"]
    for letter, folder in zip("abcd", [*folders, home / "prefix"], strict=False):
        pip_conf(folder, f"[global]\nindex-url = https://{letter}.example/simple\n")
        assert find_indexes(environ).index_url == f"https://{letter}.example/simple"
    pip_conf(home / "prefix", "[global]\nindex-url = https://prefix.example\n")
    assert find_indexes(environ).index_url == "https://prefix.example"


def test_the_install_section_stands_before_the_global_one_of_any_file(
    home: Path, environ: dict[str, str]
) -> None:
    pip_conf(home / "all/pip", f"[install]\nindex_url = {A}\n[download]\nno-index = true\n")
    pip_conf(home / "own/pip", f"[global]\nindex-url = {B}\nextra-index-url = {C}\n")
    settings = find_indexes(environ)
    assert (settings.index_url, settings.extra_index_urls) == (A, (C,))
    assert not settings.no_index


def test_what_is_empty_is_not_said(home: Path, environ: dict[str, str]) -> None:
    pip_conf(home / "own/pip", f"[global]\nindex-url = {A}\n[install]\nindex-url =\n")
    environ["PIP_INDEX_URL"] = ""
    assert find_indexes(environ).index_url == A


def test_percent_signs_are_no_interpolation(home: Path, environ: dict[str, str]) -> None:
    url = "https://user:p%40ss%(x)s@a.example/simple"
    pip_conf(home / "own/pip", f"[global]\nindex-url = {url}\n")
    assert find_indexes(environ).index_url == url


def test_a_named_file_stands_in_the_place_of_the_users_own(
    home: Path, environ: dict[str, str]
) -> None:
    pip_conf(home / "own/pip", f"[global]\nindex-url = {A}\nextra-index-url = {B}\n")
    pip_conf(home / "all/pip", f"[global]\nfind-links = {C}\n")
    environ["PIP_CONFIG_FILE"] = str(pip_conf(home / "ci", f"[global]\nindex-url = {D}\n"))
    settings = find_indexes(environ)
    assert (settings.index_url, settings.extra_index_urls) == (D, ())
    assert settings.find_links == (C,)
    environ["PIP_CONFIG_FILE"] = str(home / "none")
    assert find_indexes(environ).index_url == A
    environ["PIP_CONFIG_FILE"] = os.devnull
    assert find_indexes(environ) == IndexSettings()


@pytest.mark.parametrize("content", ["index-url = https://u:word@a\n", "[global\n", "[a]\n[a]\n"])
def test_a_pip_conf_that_cannot_be_read(home: Path, environ: dict[str, str], content: str) -> None:
    path = pip_conf(home / "own/pip", content)
    with pytest.raises(UsageError) as caught:
        find_indexes(environ)
    assert caught.value.code == "bad-pip-configuration"
    assert str(path) in caught.value.message
    assert "word" not in caught.value.message


def test_a_pip_conf_in_another_encoding(home: Path, environ: dict[str, str]) -> None:
    pip_conf(home / "own/pip", "").write_bytes(b"[global]\n# \xff\n")
    with pytest.raises(UsageError):
        find_indexes(environ)


@pytest.mark.parametrize(
    ("value", "no_index"),
    [("1", True), ("true", True), ("Yes", True), ("on", True), ("t", True), ("0", False),
     ("false", False), ("", False)],
)  # fmt: skip
def test_no_index(environ: dict[str, str], value: str, no_index: bool) -> None:
    environ["PIP_NO_INDEX"] = value
    settings = find_indexes(environ, extra_index_urls=[A])
    assert settings.no_index is no_index
    assert settings.urls() == (() if no_index else (A, PYPI))


def test_find_links_mean_the_same_in_every_folder(
    home: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    environ["PIP_FIND_LINKS"] = "~/wheels https://a.example/links"
    links = find_indexes(environ, find_links=["some wheels", "file:///x"]).find_links
    assert links == (
        (home / "some wheels").as_uri(),
        "file:///x",
        (home / "wheels").as_uri(),
        "https://a.example/links",
    )


def test_certificates(home: Path, environ: dict[str, str]) -> None:
    def found(**options: str) -> str:
        return str(find_indexes(environ, **options).certificates)  # type: ignore[arg-type]

    for name in ("ssl", "curl", "requests", "pip", "given"):
        (home / name).write_text("-----BEGIN CERTIFICATE-----\n")
    (home / "folder").mkdir()
    assert found() == "None"
    environ["SSL_CERT_DIR"] = "/a:/b"
    assert found() == "/a:/b"
    for name, variable in (
        ("ssl", "SSL_CERT_FILE"),
        ("curl", "CURL_CA_BUNDLE"),
        ("requests", "REQUESTS_CA_BUNDLE"),
        ("pip", "PIP_CERT"),
    ):
        environ[variable] = str(home / name)
        assert found() == str(home / name)
    assert found(cert="~/given") == str(home / "given")
    assert found(cert=str(home / "folder")) == str(home / "folder")


@pytest.mark.parametrize(
    ("option", "content", "code"),
    [
        ("cert", None, "no-certificates"),
        ("cert", "", "bad-certificates"),
        ("cert", "-----BEGIN RSA PRIVATE KEY-----", "bad-certificates"),
        ("client_cert", None, "no-certificates"),
        ("client_cert", "-----BEGIN CERTIFICATE-----", "bad-certificates"),
        ("client_cert", "-----BEGIN PRIVATE KEY-----", "bad-certificates"),
    ],
)
def test_what_holds_no_certificate(
    home: Path, environ: dict[str, str], option: str, content: str | None, code: str
) -> None:
    file = home / "the.pem"
    if content is not None:
        file.write_text(content)
    ways: list[Callable[[], IndexSettings]] = [
        lambda: find_indexes({**environ, f"PIP_{option.upper()}": str(file)}),
        lambda: find_indexes(environ, **{option: str(file)}),  # type: ignore[arg-type]
    ]
    for way in ways:
        with pytest.raises(UsageError) as caught:
            way()
        assert caught.value.code == code
        assert str(file) in caught.value.message


def test_a_client_certificate(home: Path, environ: dict[str, str]) -> None:
    for name in ("ssl", "pip", "given"):
        (home / name).write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n")
    assert find_indexes(environ).client_certificate is None
    environ["SSL_CLIENT_CERT"] = str(home / "ssl")
    assert find_indexes(environ).client_certificate == str(home / "ssl")
    environ["PIP_CLIENT_CERT"] = str(home / "pip")
    assert find_indexes(environ).client_certificate == str(home / "pip")
    found = find_indexes(environ, client_cert=str(home / "given"))
    assert found.client_certificate == str(home / "given")


def test_a_proxy(environ: dict[str, str]) -> None:
    assert find_indexes(environ).proxy is None
    for proxy in ("me:word@p.example:3128", "http://me:word@p.example:3128"):
        found = find_indexes({**environ, "PIP_PROXY": proxy}).proxy
        assert found == "http://me:word@p.example:3128"
    with pytest.raises(UsageError) as caught:
        find_indexes({**environ, "PIP_PROXY": "me:wo/rd@p.example:3128"})
    assert "wo" not in caught.value.message


def test_repositories_with_credentials(environ: dict[str, str]) -> None:
    environ["TOKEN"] = "t/ken"
    settings = find_indexes(
        environ,
        requirements=[
            "a @ git+https://me:${TOKEN}@a.example/org/a.git@v1.0#subdirectory=x ; os_name == 'x'",
            "-e git+http://t0ken@b.example/b",
            "c @ git+https://c.example/c@main",
            "d @ git+ssh://git@d.example/d",
            "e @ https://me:word@e.example/e.whl",
            "g>1; '${NO_SUCH}'",
        ],
    )
    assert settings.repositories == (
        "https://me:t%2Fken@a.example/org/a.git",
        "http://t0ken@b.example/b",
    )
    with pytest.raises(UsageError, match="NO_SUCH"):
        find_indexes(environ, requirements=["f @ git+https://me:${NO_SUCH}@f.example/f"])


def test_variables_are_put_in(environ: dict[str, str]) -> None:
    environ |= {"USER_NAME": "me", "TOKEN": "p/@: %#?", "HOST": "a.example"}
    settings = find_indexes(
        environ,
        index_url="https://${USER_NAME}:${TOKEN}@${HOST}/simple",
        extra_index_urls=["https://${HOST}/$HOST/${HOST}"],
    )
    assert settings.credentials_for("https://a.example/f.whl") == ("me", "p/@: %#?")
    assert settings.extra_index_urls == ("https://a.example/$HOST/a.example",)


def test_a_variable_that_is_not_set(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        find_indexes(environ, extra_index_urls=["https://${NO_SUCH}@a.example"])
    assert caught.value.code == "variable-not-set"
    assert "--extra-index-url needs the environment variable NO_SUCH" in caught.value.message
    assert expand("${} ${1} $NO", {}, place="here") == "${} ${1} $NO"


# How a URL may be written down, and what the platform is told.


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://me:${TOKEN}@a.example/simple", None),
        ("https://${USER}:${TOKEN}@a.example/simple", None),
        ("https://${TOKEN}@a.example/simple", None),
        ("https://${TOKEN}:@a.example/simple", None),
        ("https://:${TOKEN}@a.example/simple", None),
        ("https://me:${USER}${TOKEN}@a.example/${USER}/simple?x=a@b", None),
        ("https://a.example/${TOKEN}/simple", None),
        ("https://a.example/simple?x=${TOKEN}@b", None),
        ("${WHOLE}", None),
        ("${START}a.example/simple", None),
        ("https://${PAIR}@a.example/simple", None),
        ("https://${PAIRED}/simple", None),
        ("https://me:secret@a.example/${USER}/simple", "https://a.example/${USER}/simple"),
        ("https://me:abc${TOKEN}@a.example/simple", "https://a.example/simple"),
        ("https://me:${TOKEN}abc@a.example/simple", "https://a.example/simple"),
        ("https://me:secret:${TOKEN}@a.example/simple", "https://a.example/simple"),
        ("https://me:secret@${TOKEN}@a.example/simple", "https://a.example/simple"),
        ("https://${USER}:secret@a.example/simple", "https://a.example/simple"),
        ("https://secret@a.example/simple", "https://a.example/simple"),
        ("https://me@a.example/simple", "https://a.example/simple"),
        ("https://me:@a.example/simple", "https://a.example/simple"),
        ("${SCHEME}://me:secret@a.example/simple", "${SCHEME}://a.example/simple"),
        # No URL that one could use, but no secret either.
        ("${START}me:secret@a.example/simple", "a.example/simple"),
    ],
)
def test_how_a_url_may_be_written(environ: dict[str, str], url: str, written: str | None) -> None:
    environ |= {
        "USER": "me", "TOKEN": "t/ken", "SCHEME": "https", "PAIR": "me:t%2Fken",
        "PAIRED": "me:t%2Fken@a.example", "START": "https://",
        "WHOLE": "https://me:t%2Fken@a.example/simple",
    }  # fmt: skip
    settings = find_indexes(environ, index_url=url)
    used = settings.index_url
    assert "$" not in used
    assert settings.written == {used: written or url}
    assert settings.withheld == ({used} if written else set())
    settings = find_indexes(environ, extra_index_urls=[url])
    assert settings.written == {PYPI: PYPI, used: written or url}


def test_what_pip_settings_name_is_written_without_credentials(environ: dict[str, str]) -> None:
    environ |= {
        "PIP_INDEX_URL": "https://me:${TOKEN}@a.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://t0ken@b.example/simple https://c.example/simple",
        "PIP_FIND_LINKS": "https://me:word@d.example/links",
    }
    settings = find_indexes(environ)
    assert sorted(settings.written.values()) == [A, B, C, "https://d.example/links"]
    assert settings.withheld == {*settings.places()} - {C}


def test_the_same_url_written_in_two_ways(environ: dict[str, str]) -> None:
    environ["TOKEN"] = "word"
    plain, variable = "https://me:word@a.example/simple", "https://me:${TOKEN}@a.example/simple"
    for urls in ([plain, variable], [variable, plain]):
        settings = find_indexes(environ, extra_index_urls=urls)
        assert settings.extra_index_urls == (plain,)
        assert settings.written == {plain: variable, PYPI: PYPI}
        assert not settings.withheld


def test_settings_are_equal_and_hashed_by_what_is_used(environ: dict[str, str]) -> None:
    environ["TOKEN"] = "word"
    one, other = (
        find_indexes(environ, index_url=f"https://me:{word}@a.example/simple")
        for word in ("word", "${TOKEN}")
    )
    assert one.written != other.written
    assert one == other
    assert hash(one) == hash(other)


def test_settings_of_the_platform(environ: dict[str, str], home: Path) -> None:
    environ |= {"TOKEN": "word", "PIP_EXTRA_INDEX_URL": f"https://you:p@c.example/simple {C}"}
    settings = find_indexes(
        environ,
        index_url="https://me:${TOKEN}@a.example/simple",
        extra_index_urls=["https://${TOKEN}@b.example/simple", "file:///srv/simple", PYPI],
        find_links=[str(home), "https://me:word@d.example/links", "file:///wheels"],
    )
    assert settings.for_platform() == {
        "PIP_EXTRA_INDEX_URL": f"https://${{TOKEN}}@b.example/simple {PYPI} {C}",
        "PIP_FIND_LINKS": "https://d.example/links",
        "PIP_INDEX_URL": "https://me:${TOKEN}@a.example/simple",
    }
    assert replace(settings, no_index=True).for_platform() == {
        "PIP_FIND_LINKS": "https://d.example/links",
        "PIP_NO_INDEX": "1",
    }
    # What was put together in another way is not written with credentials either.
    assert replace(settings, written={}).for_platform()["PIP_INDEX_URL"] == A


def test_settings_as_the_platform_has_them(environ: dict[str, str]) -> None:
    environ |= {"TOKEN": "w@rd", "PIP_FIND_LINKS": "https://me:word@d.example/links"}
    settings = find_indexes(
        environ,
        index_url="https://me:${TOKEN}@a.example/simple",
        extra_index_urls=["https://${TOKEN}@b.example/", "https://me:word@c.example/", "file:///x"],
    )
    settings = replace(settings, certificates="/c.pem", client_certificate="/k.pem")
    there = settings.on_platform()
    assert there == IndexSettings(
        index_url="https://me:w%40rd@a.example/simple",
        # With an empty password, so that nobody looks for one in netrc and keyring.
        extra_index_urls=("https://w%40rd:@b.example/", "https://c.example/", "file:///x"),
        find_links=("https://d.example/links",),
    )
    assert replace(settings, written={}).on_platform().index_url == A


@pytest.mark.parametrize("url", [PYPI, f"{PYPI}/", "https://PyPI.org/simple", "file:///simple"])
def test_settings_of_the_platform_that_are_its_own(environ: dict[str, str], url: str) -> None:
    assert find_indexes(environ, index_url=url).for_platform() == {}


@pytest.mark.parametrize("url", ["http://[bad", "https://me:word@a.example:port/", "https://a]b"])
def test_what_is_no_url(environ: dict[str, str], url: str) -> None:
    def options(environ: dict[str, str]) -> IndexSettings:
        return find_indexes(environ, index_url=url)

    def extra(environ: dict[str, str]) -> IndexSettings:
        return find_indexes(environ, extra_index_urls=[url])

    def variable(environ: dict[str, str]) -> IndexSettings:
        return find_indexes({**environ, "PIP_EXTRA_INDEX_URL": url})

    ways: list[Callable[[dict[str, str]], IndexSettings]] = [options, extra, variable]
    for way in ways:
        with pytest.raises(UsageError) as caught:
            way(environ)
        assert caught.value.code == "bad-index-url"
        assert "word" not in caught.value.message


def test_an_index_without_a_scheme(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_indexes({}, extra_index_urls=["a.example/w0rd"])
    assert caught.value.code == "bad-index-url"
    assert caught.value.hint == "begin it with https:// or http://"
    assert "w0rd" not in caught.value.message
    assert find_indexes({}, index_url=str(tmp_path)).index_url == str(tmp_path)


CREDENTIALS = IndexSettings(
    index_url="https://user:p%40ss%2Fword@a.example/simple",
    extra_index_urls=(
        "https://one:1@feeds.example/org1/feed/pypi/simple",
        "https://two:2@feeds.example/org2/feed/pypi/simple",
        "https://:token@b.example:8443/simple",
        "https://c.example/simple",
    ),
    find_links=("https://links:3@d.example/", "file:///wheels"),
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/files/x.whl", ("user", "p@ss/word")),
        ("https://A.EXAMPLE/files/x.whl", ("user", "p@ss/word")),
        ("http://a.example/files/x.whl", None),
        ("https://a.example:8443/x.whl", None),
        ("https://sub.a.example/x.whl", None),
        ("https://a.example.evil.example/x.whl", None),
        ("https://evil.example/?a.example/x.whl", None),
        ("https://b.example:8443/x.whl", ("", "token")),
        ("https://c.example/x.whl", None),
        ("https://d.example/x.whl", ("links", "3")),
        # The feeds of one host may belong to strangers.
        ("https://feeds.example/org1/_packaging/x.whl", ("one", "1")),
        ("https://feeds.example/org2/_packaging/x.whl", ("two", "2")),
        ("https://feeds.example/org1x/x.whl", ("one", "1")),
        ("https://own:4@feeds.example/org2/x.whl", ("own", "4")),
        ("https://own:4@elsewhere.example/x.whl", ("own", "4")),
        ("file:///wheels/x.whl", None),
    ],
)
def test_credentials_go_to_their_host_alone(url: str, expected: tuple[str, str] | None) -> None:
    assert CREDENTIALS.credentials_for(url) == expected


def test_a_user_without_password_is_asked_of_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def password(service: str, user: str) -> str:
        asked.append((service, user))
        return "fo/und"

    monkeypatch.setattr(index, "find_password", password)
    settings = IndexSettings(index_url="https://me@a.example/simple")
    assert settings.credentials_for("https://a.example/x.whl") == ("me", "fo/und")
    assert with_password(settings.index_url) == "https://me:fo%2Fund@a.example/simple"
    assert asked == [("https://a.example/simple", "me")] * 2
    for url in ("https://me:@a.example/simple", "https://a.example/simple", "file:///x"):
        assert with_password(url) == url  # nobody is asked
    assert len(asked) == 2


def test_a_token_alone_without_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    find_password.cache_clear()
    settings = IndexSettings(index_url="https://t0ken@a.example/simple")
    assert settings.credentials_for("https://a.example/x.whl") == ("t0ken", "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://files.pythonhosted.org/packages/ab/x.whl", PYPI),
        ("https://pypi.org/packages/x.whl", PYPI),
        ("https://a.example/files/x.whl", A),
        ("https://user:pass@a.example/files/x.whl", A),
        ("https://feeds.example/one/_packaging/x.whl", "https://feeds.example/one/simple"),
        ("https://feeds.example/two/_packaging/x.whl", "https://feeds.example/two/simple"),
        ("https://unknown.example/x.whl", None),
        ("file:///wheels/x.whl", None),
    ],
)
def test_index_of(url: str, expected: str | None) -> None:
    settings = IndexSettings(
        extra_index_urls=(
            "https://u:p@a.example/simple",
            "https://u:p@feeds.example/one/simple",
            "https://u:p@feeds.example/two/simple",
            "relative/folder",
        )
    )
    assert settings.index_of(url) == expected


def test_the_only_index_lists_what_lies_on_another_host() -> None:
    mirror = IndexSettings(index_url="https://u:p@mirror.example/simple")
    url = "https://files.pythonhosted.org/packages/x.whl"
    assert mirror.index_of(url) == "https://mirror.example/simple"
    assert mirror.index_of("file:///wheels/x.whl") is None
    assert IndexSettings().index_of("https://files.other.example/x.whl") is None


def test_explicit_indexes() -> None:
    settings = IndexSettings(index_url=B, extra_index_urls=(C,)).with_explicit(
        [f"{B}/", A, A, PYPI]
    )
    assert settings.explicit_index_urls == (A,)
    assert settings.urls() == (C, A, B)
    assert settings.remote_places() == (B, C, A)
    assert settings.index_of(A) == A
    assert settings.for_platform() == {"PIP_INDEX_URL": B, "PIP_EXTRA_INDEX_URL": f"{C} {A}"}


@pytest.mark.parametrize(
    ("url", "trusted", "is_insecure"),
    [
        ("https://a.example/simple", (), False),
        ("http://127.8.0.1:81/simple", (), False),
        ("http://[::1]/simple", (), False),
        ("http://localhost/simple", (), False),
        ("http://a.example/simple", (), True),
        ("http://a.example:81/simple", ("b.example", "a.example:82", "a.example:x"), True),
        ("http://a.example:81/simple", ("a.example:81",), False),
        ("http://me:word@a.example:81/simple", ("a.example",), False),
    ],
)
def test_hosts_without_tls(url: str, trusted: tuple[str, ...], is_insecure: bool) -> None:
    for more in ({"index_url": url}, {"extra_index_urls": (url,)}, {"find_links": (url,)}):
        settings = replace(IndexSettings(trusted_hosts=trusted), **more)
        assert settings.insecure_places() == ((url,) if is_insecure else ())


def test_trusted_hosts_go_along_where_they_are_used() -> None:
    environ = {"PIP_CONFIG_FILE": os.devnull, "PIP_TRUSTED_HOST": "a.example pypi.org c.example"}
    settings = find_indexes(environ, extra_index_urls=[A], trusted_hosts=["b.example:81"])
    assert settings.trusted_hosts == ("b.example:81", "a.example", "pypi.org", "c.example")
    assert settings.for_platform()["PIP_TRUSTED_HOST"] == "a.example"


def test_index_of_folders() -> None:
    settings = IndexSettings(index_url="file:///srv/simple")
    assert settings.index_of("file:///srv/files/x.whl") == "file:///srv/simple"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@a.example:81/x?y=1#z", "https://a.example:81/x?y=1#z"),
        ("https://u:p@ss@a.example/", "https://a.example/"),
        ("ssh://git@host.example/a.git", "ssh://git@host.example/a.git"),
        ("git+ssh://git:word@host.example/a.git", "git+ssh://git@host.example/a.git"),
        ("file:///a/b", "file:///a/b"),
        ("relative/path", "relative/path"),
    ],
)
def test_public(url: str, expected: str) -> None:
    assert public(url) == expected


def test_redacting_leaves_the_rest_alone() -> None:
    text = "git+https://host.example/a@1.0, me@example.org and https://host.example:8080/x@y"
    assert redact(text) == text
    assert redact("no URL: user:pass@host") == "no URL: user:pass@host"
    value = {"a": ["https://u:p@h/"], "b": ({"c": "ftp://u@h"},), "d": 3, "e": None}
    assert redacted(value) == {"a": ["https://****@h/"], "b": [{"c": "ftp://****@h"}], "d": 3,
                               "e": None}  # fmt: skip


# Letters that are in no other part of the text, so that any of them left over is a leak.
SECRET = st.text(st.sampled_from("\u03b1\u03b2\u03b3\u03b4"), min_size=1, max_size=8)
AROUND = st.text(st.sampled_from("!$&'()*+,;=:@\"<>|\\^`{}~.%-_ []"), max_size=4)


@given(
    user=st.sampled_from(["me", "", "a.b"]),
    parts=st.lists(st.tuples(AROUND, SECRET), min_size=1),
    path=st.sampled_from(["", "/", "/simple", "/a@b/c"]),
)
def test_no_password_survives(user: str, parts: list[tuple[str, str]], path: str) -> None:
    password = "".join(around + secret for around, secret in parts)
    letters = set("\u03b1\u03b2\u03b3\u03b4")
    for written in (quote(password, safe=""), password.replace(" ", "")):
        url = f"https://{user}:{written}@host.example:8443{path}"
        leaks = letters | ({"%CE"} if "%CE" in written else set())
        for shown in (
            redact(url),
            redact(f"error at {url}, and ({url})"),
            json.dumps(redacted({"urls": [url, {"x": f'"{url}"'}]}), ensure_ascii=False),
        ):
            assert not any(leak in shown for leak in leaks), shown
            assert "host.example:8443" in shown
        try:
            urlsplit(url)
        except ValueError:  # brackets, which find_indexes refuses
            continue
        assert not any(leak in public(url) for leak in leaks)
