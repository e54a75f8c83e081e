"""Private indexes as companies have them: passwords, own authorities, proxies, odd servers."""

from __future__ import annotations

import base64
import ssl
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from requests.exceptions import SSLError

from azpack.deps.index import IndexSettings
from azpack.deps.session import describe_failure, find_refusal, make_session
from azpack.errors import UnreachableError
from azpack.resolving import explain_unreachable
from tests.authority import Authority
from tests.commands import Azpack, Done, make_app
from tests.distributions import make_sdist, make_wheel
from tests.leaks import forms_of, places_that_tell
from tests.proxies import ProxyServer
from tests.pypiservers import PypiServer, run_pypiserver
from tests.servers import Fault, Form, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "pr1vate/+%@é"
QUOTED = quote(TOKEN, safe="")
FORMS = forms_of(TOKEN, "me")
# What the machine's own settings would have azpack trust, and where they would have it go.
NOTHING_SET = dict.fromkeys(
    [
        "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT",
        *(name for stem in ("HTTP", "HTTPS", "ALL", "NO")
          for name in (f"{stem}_PROXY", f"{stem.lower()}_proxy")),
    ],
    "",
)  # fmt: skip


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, **NOTHING_SET, OUR_TOKEN=TOKEN)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A private wheel that needs a private sdist, which needs another wheel to be built."""
    folder = tmp_path / "private"
    make_wheel(folder, "mine", requires=["made"])
    make_sdist(folder, "made", requires_build=["tool"])
    make_wheel(folder, "tool")
    return folder


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Newer twins of all that."""
    folder = tmp_path / "public"
    for name in ("mine", "made", "tool"):
        make_wheel(folder, name, "9.0", requires=["theirs"])
    make_wheel(folder, "theirs")
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app", "mine\n")


def with_user(url: str, user_info: str = "me:${OUR_TOKEN}") -> str:
    return url.replace("://", f"://{user_info}@")


def versions(data: Any) -> dict[str, str]:
    return {row["name"]: row["version"] for row in data["distributions"]}


PRIVATE = {"mine": "1.0", "made": "1.0"}


def assert_not_told(done: Done, *folders: Path) -> None:
    assert places_that_tell(FORMS, done, *folders) == []


# A server of the kind that is in use, with a password.


@pytest.fixture
def pypiserver(private: Path) -> Iterator[PypiServer]:
    with run_pypiserver(private, user="me", password=TOKEN) as server:
        yield server


def test_pypiserver(azpack: Azpack, pypiserver: PypiServer, public: Path, app: Path) -> None:
    with IndexServer(public) as twins:
        options = ["--index-url", twins.url, "--extra-index-url", with_user(pypiserver.url)]
        done = azpack.run("build", app, *options, "--json", "-vv")
        assert twins.asked == []
    data = done.data()
    assert versions(data) == PRIVATE
    assert {row["index"] for row in data["distributions"]} == {pypiserver.url}
    assert {row["source"] for row in data["distributions"]} == {"wheel", "sdist-host"}
    assert "made-1.0.tar.gz" in pypiserver.log.read_text(encoding="utf-8")
    assert_not_told(done, app, azpack.cache)


@pytest.mark.parametrize("user_info", ["me:mistaken-77", "you:${OUR_TOKEN}", ""])
def test_pypiserver_refuses(
    azpack: Azpack, pypiserver: PypiServer, public: Path, app: Path, user_info: str
) -> None:
    url = with_user(pypiserver.url, user_info) if user_info else pypiserver.url
    with IndexServer(public) as twins:
        options = ["--index-url", twins.url, "--extra-index-url", url]
        done = azpack.run("build", app, *options, "--json", "-vv")
        assert twins.asked == []
    error = done.error(5, "index-refused", traced=True)
    assert "${NAME}" in error["hint"]
    assert pypiserver.url in error["message"]
    assert places_that_tell(FORMS | {b"mistaken-77"}, done, app) == []


# What an index says of its files.

FORMS_OF_INDEXES = {
    "HTML": Form(),
    "JSON": Form(as_json=True),
    "HTML, bare": Form(hashes=False, metadata=False),
    "JSON, bare": Form(as_json=True, hashes=False, metadata=False),
}


@pytest.mark.parametrize("form", FORMS_OF_INDEXES.values(), ids=FORMS_OF_INDEXES)
@pytest.mark.parametrize("ranges", [True, False])
def test_each_form_of_an_index(
    azpack: Azpack, private: Path, app: Path, form: Form, ranges: bool
) -> None:
    make_wheel(private, "tool", "1.5", requires_python="<3")
    with IndexServer(private, user="me", password=TOKEN, form=form, ranges=ranges) as index:
        options = ["--index-url", with_user(index.url), "--json"]
        locked = azpack.run("lock", app, *options)
        assert versions(locked.data()) == PRIVATE
        assert (app / "pylock.toml").read_text("utf-8").count("sha256 = ") == 2
        assert_not_told(locked, app)
        done = azpack.run("build", app, *options, "--locked")
        assert versions(done.data()) == PRIVATE
        asked = index.paths_asked()
    assert any(path.endswith(".metadata") for path in asked) is form.metadata


@pytest.mark.parametrize("as_json", [False, True])
def test_yanked_files(azpack: Azpack, private: Path, app: Path, as_json: bool) -> None:
    make_wheel(private, "mine", "2.0")
    yanked = {"mine-2.0-py3-none-any.whl": "it <breaks>"}
    form = Form(as_json=as_json, yanked=yanked)
    with IndexServer(private, form=form) as index:
        options = ["--index-url", index.url, "--json"]
        assert versions(azpack.run("build", app, *options).data()) == PRIVATE
        (app / "requirements.txt").write_text("mine==2.0\n", encoding="utf-8")
        assert versions(azpack.run("build", app, *options).data()) == {"mine": "2.0"}
        (app / "requirements.txt").write_text("mine>1\n", encoding="utf-8")
        azpack.run("build", app, *options).error(3, "no-solution")


# Authorities of one's own, and certificates that show who asks.


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> Path:
    return authority.bundle(tmp_path / "authority.pem")


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return Authority().bundle(tmp_path / "stranger.pem")


@pytest.fixture
def index(authority: Authority, private: Path) -> Iterator[IndexServer]:
    """A private index over TLS."""
    context = authority.server_context("127.0.0.1", "localhost")
    with IndexServer(private, user="me", password=TOKEN, context=context) as index:
        yield index


@pytest.mark.parametrize(
    "way",
    ["--cert", "AZPACK_CERT", "azpack.toml", "PIP_CERT", "pip.conf", "REQUESTS_CA_BUNDLE",
     "CURL_CA_BUNDLE", "SSL_CERT_FILE"],
)  # fmt: skip
def test_an_authority_of_ones_own(
    azpack: Azpack, index: IndexServer, app: Path, bundle: Path, stranger: Path, way: str
) -> None:
    options = ["--index-url", with_user(index.url), "--json"]
    environment = {}
    if way == "--cert":
        options += ["--cert", str(bundle)]
        environment["AZPACK_CERT"] = str(stranger)
    elif way == "azpack.toml":
        bundle.rename(app / "our.pem")
        (app / "azpack.toml").write_text('cert = "our.pem"\n', encoding="utf-8")
        environment["PIP_CERT"] = str(stranger)
    elif way == "pip.conf":
        conf = app.parent / "pip.conf"
        conf.write_text(f"[global]\ncert = {bundle}\n", encoding="utf-8")
        environment["PIP_CONFIG_FILE"] = str(conf)
        environment["REQUESTS_CA_BUNDLE"] = str(stranger)
    else:
        environment[way] = str(bundle)
        environment |= {} if way == "SSL_CERT_FILE" else {"SSL_CERT_FILE": str(stranger)}
    # Both the resolver and the downloads, and what gets the requirements of a build.
    done = azpack.run("build", app, *options, environment=environment)
    assert versions(done.data()) == PRIVATE
    assert {"/simple/tool/", "/files/tool-1.0-py3-none-any.whl"} <= set(index.paths_asked())


def test_a_folder_of_authorities(
    azpack: Azpack, index: IndexServer, app: Path, bundle: Path
) -> None:
    folder = bundle.parent / "authorities"
    folder.mkdir()
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", bundle],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    bundle.rename(folder / f"{hashed}.0")
    options = ["--index-url", with_user(index.url), "--json"]
    for way in (["--cert", str(folder)], []):
        azpack.forget()
        variables = {} if way else {"SSL_CERT_DIR": str(folder)}
        done = azpack.run("build", app, *options, *way, environment=variables)
        assert versions(done.data()) == PRIVATE


def test_an_unknown_authority(
    azpack: Azpack, index: IndexServer, app: Path, bundle: Path, stranger: Path
) -> None:
    options = ["--index-url", with_user(index.url), "--json", "-v"]
    for way in ([], ["--cert", str(stranger)]):
        done = azpack.run("build", app, *options, *way)
        error = done.error(5, "index-unreachable")
        assert "certificate" in error["message"]
        assert "--cert FILE" in error["hint"]
        assert_not_told(done, app)
    assert azpack.run("lock", app, *options, "--cert", bundle).code == 0
    # Now it is the downloads that meet it, and they do not try again.
    started = time.monotonic()
    error = azpack.run("build", app, *options, "--locked").error(5, "download-failed")
    assert "certificate" in error["message"]
    assert "--cert FILE" in error["hint"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("content", [None, b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nMII\n"])
@pytest.mark.parametrize("option", ["cert", "client-cert"])
def test_what_is_no_certificate(
    azpack: Azpack, index: IndexServer, app: Path, bundle: Path, option: str, content: bytes | None
) -> None:
    file = app.parent / "junk.pem"
    if content is not None:
        file.write_bytes(content + (b"-----BEGIN PRIVATE KEY-----" if b"BEGIN" in content else b""))
    options = ["--index-url", with_user(index.url), "--cert", str(bundle), "--json"]
    code = "no-certificates" if content is None else "bad-certificates"
    done = azpack.run("build", app, *options, f"--{option}", file)
    # A broken client certificate is of no consequence to who does not ask for it, nor to uv.
    assert str(file) in done.error(2, code)["message"]
    name = f"PIP_{option.upper().replace('-', '_')}"
    done = azpack.run("build", app, *options[:2], "--json", environment={name: str(file)})
    assert str(file) in done.error(2, code)["message"]


@pytest.mark.parametrize("way", ["--client-cert", "AZPACK_CLIENT_CERT", "PIP_CLIENT_CERT"])
def test_a_client_certificate(
    azpack: Azpack, authority: Authority, private: Path, app: Path, bundle: Path, way: str
) -> None:
    own = authority.client_certificate(app.parent / "client.pem")
    context = authority.server_context("127.0.0.1", clients=authority)
    with IndexServer(private, context=context) as index:
        options = ["--index-url", index.url, "--cert", str(bundle), "--json"]
        options += [way, str(own)] if way.startswith("--") else []
        environment = {} if way.startswith("--") else {way: str(own)}
        done = azpack.run("build", app, *options, environment=environment)
    assert versions(done.data()) == PRIVATE


def test_no_client_certificate_or_a_strange_one(
    azpack: Azpack, authority: Authority, private: Path, app: Path, bundle: Path
) -> None:
    own = authority.client_certificate(app.parent / "client.pem")
    strange = Authority().client_certificate(app.parent / "strange.pem")
    context = authority.server_context("127.0.0.1", clients=authority)
    with IndexServer(private, context=context) as index:
        options = ["--index-url", index.url, "--cert", str(bundle), "--json"]
        for more in ([], ["--client-cert", str(strange)]):
            error = azpack.run("build", app, *options, *more).error(5, "index-unreachable")
            assert "--client-cert" in error["hint"]
        assert azpack.run("lock", app, *options, "--client-cert", own).code == 0
        error = azpack.run("build", app, *options, "--locked").error(5, "download-failed")
        assert "--client-cert" in error["hint"]


class SlowContext(ssl.SSLContext):
    """Gives the server the time to close the connection before a request is sent."""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        connection = super().wrap_socket(*arguments, **options)
        time.sleep(0.2)
        return connection


def test_a_request_that_meets_a_closed_connection(
    authority: Authority, private: Path, bundle: Path
) -> None:
    """The alert that says why comes while the request is on its way, and is read all the same."""
    trusting = SlowContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(bundle)
    context = authority.server_context("127.0.0.1", clients=authority)
    with (
        IndexServer(private, context=context) as index,
        make_session(IndexSettings(index_url=index.url), trusting) as session,
        pytest.raises(SSLError) as caught,
    ):
        session.get(index.url)
    assert describe_failure(caught.value, waited=1) == (
        "the index asks for a client certificate that it knows"
    )


def test_a_resolver_that_saw_a_closed_connection_alone(
    authority: Authority, private: Path, bundle: Path
) -> None:
    seen = UnreachableError("index-unreachable", "Connection reset by peer (os error 104)")
    context = authority.server_context("127.0.0.1", clients=authority)
    with IndexServer(private, context=context) as index:
        indexes = IndexSettings(index_url=index.url, certificates=str(bundle))
        assert "--client-cert" in explain_unreachable(seen, indexes).hint


def test_no_refusal_where_the_server_waits_for_a_request(
    authority: Authority, private: Path, bundle: Path
) -> None:
    trusting = ssl.create_default_context(cafile=bundle)
    with IndexServer(private, context=authority.server_context("127.0.0.1")) as index:
        assert find_refusal(index.url, trusting) is None
    assert find_refusal(index.url, trusting) is None
    assert find_refusal("http://127.0.0.1:1/simple", trusting) is None


# Proxies: to reach hosts whose names only they know.


@contextmanager
def beyond(private: Path, authority: Authority | None = None) -> Iterator[IndexServer]:
    """An index that is there for a proxy alone."""
    context = authority.server_context("index.invalid") if authority else None
    with IndexServer(private, user="me", password=TOKEN, context=context) as index:
        yield index


def hidden(index: IndexServer) -> str:
    return with_user(index.url).replace("127.0.0.1", "index.invalid")


PROXY = "proxy-p/+%@é"


@pytest.mark.parametrize("way", ["HTTP_PROXY", "ALL_PROXY", "PIP_PROXY", "pip.conf"])
def test_a_proxy(azpack: Azpack, private: Path, app: Path, way: str) -> None:
    with beyond(private) as index, ProxyServer(user="us", password=PROXY) as proxy:
        url = with_user(proxy.url, f"us:{quote(PROXY, safe='')}")
        done = azpack.run(
            "build", app, "--index-url", hidden(index), "--json", "-vv",
            environment=proxy_settings(way, url, app.parent),
        )  # fmt: skip
        assert versions(done.data()) == PRIVATE
        assert len(index.asked) <= len(proxy.asked)
    assert places_that_tell(FORMS | forms_of(PROXY, "us"), done, app, azpack.cache) == []


@pytest.mark.parametrize("way", ["HTTPS_PROXY", "PIP_PROXY"])
def test_a_proxy_for_tls(
    azpack: Azpack, authority: Authority, private: Path, app: Path, bundle: Path, way: str
) -> None:
    with beyond(private, authority) as index, ProxyServer(user="us", password=PROXY) as proxy:
        url = with_user(proxy.url, f"us:{quote(PROXY, safe='')}")
        done = azpack.run(
            "build", app, "--index-url", hidden(index), "--cert", bundle, "--json", "-vv",
            environment=proxy_settings(way, url, app.parent),
        )  # fmt: skip
        assert versions(done.data()) == PRIVATE
        assert set(proxy.asked) == {f"index.invalid:{index.port}"}
    assert places_that_tell(FORMS | forms_of(PROXY, "us"), done, app, azpack.cache) == []


def proxy_settings(way: str, url: str, folder: Path) -> dict[str, str]:
    if way == "pip.conf":
        # An URL without a scheme, and another proxy that pip would not take.
        text = f"[install]\nproxy = {url.partition('://')[2]}\n"
        (folder / "pip.conf").write_text(text, encoding="utf-8")
        dead = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
        return {"PIP_CONFIG_FILE": str(folder / "pip.conf"), **dead}
    # An empty http_proxy would stand before HTTP_PROXY.
    return (
        {way: url, way.lower(): url}
        if way.endswith("_PROXY") and way != "PIP_PROXY"
        else {way: url}
    )


@pytest.mark.parametrize("way", ["HTTP_PROXY", "PIP_PROXY"])
def test_hosts_that_need_no_proxy(azpack: Azpack, private: Path, app: Path, way: str) -> None:
    environment = proxy_settings(way, "http://127.0.0.1:9", app.parent)
    environment |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    with IndexServer(private) as index:
        done = azpack.run("build", app, "--index-url", index.url, "--json", environment=environment)
    assert versions(done.data()) == PRIVATE


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_that_refuses(
    azpack: Azpack, authority: Authority, private: Path, app: Path, bundle: Path, tls: bool
) -> None:
    with (
        beyond(private, authority if tls else None) as index,
        ProxyServer(user="us", password=PROXY) as proxy,
    ):
        options = ["--index-url", hidden(index), "--cert", str(bundle), "--json", "-vv"]
        right, wrong = f"us:{quote(PROXY, safe='')}", "us:mistaken-77"
        environments = [
            proxy_settings("PIP_PROXY", with_user(proxy.url, user_info), app.parent)
            for user_info in (right, wrong)
        ]
        done = azpack.run("build", app, *options, environment=environments[1])
        error = done.error(5, "index-unreachable", traced=True)
        assert "proxy" in error["hint"]
        assert places_that_tell({b"mistaken-77"}, done) == []
        assert azpack.run("lock", app, *options, environment=environments[0]).code == 0
        done = azpack.run("build", app, *options, "--locked", environment=environments[1])
        error = done.error(5, "download-failed", traced=True)
        assert "the proxy refuses" in error["message"]
        assert places_that_tell({b"mistaken-77"}, done) == []


# Passwords that are in no URL.


@pytest.fixture
def keyring(azpack: Azpack, tmp_path: Path) -> Path:
    """A program that has the password of one service, and notes what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "keyring"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        f'test "$2 $3" = "$(cat {tmp_path}/has)" && echo "$OUR_TOKEN"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    azpack.environment["PATH"] = f"{folder}:{azpack.environment['PATH']}"
    return tmp_path


@pytest.mark.parametrize("service", ["{}/", "{}", "{host}"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_keyring(
    azpack: Azpack, private: Path, app: Path, keyring: Path, service: str, slash: str
) -> None:
    with IndexServer(private, user="me", password=TOKEN) as index:
        host = f"127.0.0.1:{index.port}"
        name = service.format(index.url, host=host)
        (keyring / "has").write_text(f"{name} me\n", encoding="utf-8")
        options = ["--index-url", with_user(index.url, "me") + slash, "--json", "-vv"]
        done = azpack.run("build", app, *options)
    assert versions(done.data()) == PRIVATE
    assert_not_told(done, app, azpack.cache)
    # Of the index first, then of its host; and no more once the password is known.
    order = [f"get {name.format(index.url, host=host)} me" for name in ("{}/", "{}", "{host}")]
    asked = (keyring / "asked").read_text(encoding="utf-8").splitlines()
    assert asked == order[: order.index(f"get {name} me") + 1]


def test_keyring_knows_nothing(azpack: Azpack, private: Path, app: Path, keyring: Path) -> None:
    (keyring / "has").write_text("nothing\n", encoding="utf-8")
    with IndexServer(private, user="me", password=TOKEN) as index:
        options = ["--index-url", with_user(index.url, "me"), "--json"]
        azpack.run("build", app, *options).error(5, "index-refused")


def test_a_token_that_stands_for_the_user(
    azpack: Azpack, private: Path, app: Path, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(private) as index:
        monkeypatch.setattr(index, "admits", lambda given: given == basic(TOKEN, ""))
        # With a colon behind it keyring is not asked, which would be on a command line.
        options = ["--index-url", with_user(index.url, "${OUR_TOKEN}:"), "--json", "-vv"]
        done = azpack.run("build", app, *options)
    assert versions(done.data()) == PRIVATE
    assert not (keyring / "asked").exists()
    assert places_that_tell(FORMS | forms_of(TOKEN, TOKEN), done, app, azpack.cache) == []


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("user_info", ["", "me"])
@pytest.mark.parametrize("chosen", [True, False])
def test_netrc(
    azpack: Azpack, private: Path, app: Path, keyring: Path, user_info: str, chosen: bool
) -> None:
    home = app.parent / "home"
    home.mkdir()
    netrc = home / ("passwords" if chosen else ".netrc")
    netrc.write_text(f"machine 127.0.0.1\nlogin me\npassword {TOKEN}\n", encoding="utf-8")
    netrc.chmod(0o600)
    environment = {"HOME": str(home), "NETRC": str(netrc) if chosen else ""}
    with IndexServer(private, user="me", password=TOKEN) as index:
        url = with_user(index.url, user_info) if user_info else index.url
        done = azpack.run(
            "build", app, "--index-url", url, "--json", "-vv", environment=environment
        )
        assert versions(done.data()) == PRIVATE
        assert_not_told(done, app, azpack.cache)
        assert not (keyring / "asked").exists()
        # What is another user's is not taken.
        azpack.forget()
        url = with_user(index.url, "you")
        done = azpack.run("build", app, "--index-url", url, "--json", environment=environment)
        done.error(5, "index-refused")


# Odd servers.


@pytest.mark.parametrize("path", ["/simple/mine", "/files/mine-1.0-py3-none-any.whl"])
def test_credentials_do_not_follow_to_another_host(
    azpack: Azpack, private: Path, app: Path, path: str
) -> None:
    with (
        IndexServer(private, user="me", password=TOKEN) as index,
        IndexServer(private) as other,
    ):
        location = f"http://localhost:{other.port}{path}" + ("/" if "simple" in path else "")
        index.faults = {path: Fault(location=location)}
        options = ["--index-url", with_user(index.url), "--json", "-vv"]
        data = azpack.run("build", app, *options).data()
        assert versions(data) == PRIVATE
        assert other.asked
        assert {asked.authorization for asked in other.asked} == {None}


@pytest.mark.parametrize("strategy", ["first-match", "best-match"])
@pytest.mark.parametrize("fault", ["down", 500, 503, "cut"])
def test_an_extra_index_that_is_down(
    azpack: Azpack, private: Path, public: Path, app: Path, strategy: str, fault: str | int
) -> None:
    with IndexServer(public) as twins, IndexServer(private) as index:
        url = "http://127.0.0.1:9/simple" if fault == "down" else index.url
        index.faults = {
            "/simple/mine": Fault(status=fault) if isinstance(fault, int) else Fault(cut_after=5)
        }
        options = ["--index-url", twins.url, "--extra-index-url", url, "--json"]
        done = azpack.run("build", app, *options, "--index-strategy", strategy)
    error = done.error(5, "index-unreachable")
    assert url in error["message"]


def test_an_extra_index_that_forbids(
    azpack: Azpack, private: Path, public: Path, app: Path
) -> None:
    with IndexServer(public) as twins, IndexServer(private) as index:
        index.faults = {"/simple/mine": Fault(status=403)}
        options = ["--index-url", twins.url, "--extra-index-url", index.url, "--json"]
        error = azpack.run("build", app, *options).error(5, "index-refused")
        assert index.url in error["message"]
        assert twins.asked == []


def test_a_name_that_only_the_private_index_has_and_the_public_one_is_asked_first(
    azpack: Azpack, private: Path, tmp_path: Path
) -> None:
    public = tmp_path / "others"
    make_wheel(public, "theirs")
    app = make_app(tmp_path / "app", "mine\ntheirs\n")
    with (
        IndexServer(public) as first,
        IndexServer(private, user="me", password=TOKEN) as index,
    ):
        options = ["--index-url", with_user(index.url), "--extra-index-url", first.url, "--json"]
        data = azpack.run("build", app, *options).data()
        assert versions(data) == {**PRIVATE, "theirs": "1.0"}
        assert "/simple/mine/" in first.paths_asked()
        assert {asked.authorization for asked in first.asked} == {None}
        origins = {row["name"]: row["index"] for row in data["distributions"]}
        assert origins == {"mine": index.url, "made": index.url, "theirs": first.url}


def test_a_lock_for_another_python(azpack: Azpack, private: Path, app: Path) -> None:
    with IndexServer(private, user="me", password=TOKEN) as index:
        options = ["--index-url", with_user(index.url), "--json", "--python"]
        assert azpack.run("lock", app, *options, "3.11").code == 0
        error = azpack.run("build", app, *options, "3.12", "--locked").error(3, "lock-does-not-fit")
        assert "Python 3.11" in error["message"]
        done = azpack.run("build", app, *options, "3.12")
        assert versions(done.data()) == PRIVATE
        assert "it is for Python 3.11" in done.stderr.replace("\n ", "")
        assert_not_told(done, app, azpack.cache)
