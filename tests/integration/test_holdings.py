"""Asking servers what they hold, and whether the platform can use them."""

from __future__ import annotations

import os
import signal
import socket
import threading
import traceback
from contextlib import suppress
from dataclasses import replace
from threading import Barrier, BrokenBarrierError, Event
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from azpack.deps import asking
from azpack.deps.holdings import Barred, Holdings, Pin, find_barred, find_holdings
from azpack.deps.index import PYPI, IndexSettings, find_indexes, public
from azpack.deps.lock import LockedDistribution
from azpack.deps.passwords import find_login, find_password
from azpack.errors import UnreachableError
from tests.authority import Authority
from tests.distributions import make_wheel
from tests.leaks import forms_of
from tests.proxies import ProxyServer
from tests.pypiservers import run_pypiserver
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TOKEN = "h0ldings/+%@é"
QUOTED = quote(TOKEN, safe="")
FORMS = forms_of(TOKEN, "me")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine without netrc and proxies; the folder for its programs."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("NETRC", os.devnull)
    monkeypatch.setenv("OUR_TOKEN", TOKEN)
    for cached in (find_login, find_password):
        cached.cache_clear()
    yield programs
    for cached in (find_login, find_password):
        cached.cache_clear()


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """The folder of a private index."""
    for name in ("mine", "both"):
        make_wheel(tmp_path / "ours", name)
    return tmp_path / "ours"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The folder of a public index."""
    for name in ("both", "theirs"):
        make_wheel(tmp_path / "theirs", name)
    return tmp_path / "theirs"


NAMES = ("mine", "both", "theirs", "nobodys")


def settings(index_url: str | None, *extra: str, **options: str) -> IndexSettings:
    """What a command with these options uses."""
    environ = {"PIP_CONFIG_FILE": os.devnull, "OUR_TOKEN": TOKEN}
    environ |= {name: value for name, value in options.items() if name.isupper()}
    return find_indexes(
        environ,
        index_url=index_url,
        extra_index_urls=extra,
        cert=options.get("cert"),
        client_cert=options.get("client_cert"),
    )


def with_user(url: str, user_info: str = "me:${OUR_TOKEN}") -> str:
    return url.replace("://", f"://{user_info}@")


def pins(names: Iterable[str]) -> list[Pin]:
    return [
        Pin(
            entry=LockedDistribution(
                name=name, version="1.0", kind="wheel", url=f"https://files.example/{name}.whl",
                filename=f"{name}-1.0-py3-none-any.whl", sha256="0" * 64,
            ),
            allowed=frozenset({"sha256:" + "0" * 64}),
        )
        for name in names
    ]  # fmt: skip


def holdings_of(names: Iterable[str], indexes: IndexSettings) -> Holdings:
    return find_holdings(pins(names), indexes)


def find_holders(names: Iterable[str], indexes: IndexSettings) -> dict[str, tuple[str, ...]]:
    names = list(names)
    found = holdings_of(names, indexes)
    return {name: found.holders(name) for name in names}


def refused(names: tuple[str, ...], indexes: IndexSettings, code: str) -> UnreachableError:
    """The error of asking for names, which tells no secret."""
    with pytest.raises(UnreachableError) as caught:
        find_holders(names, indexes)
    error = caught.value
    assert error.code == code
    told = (
        f"{error.message} {error.hint} {error.context} {''.join(traceback.format_exception(error))}"
    )
    assert [form for form in FORMS if form in told.encode()] == []
    for url in error.context["urls"]:  # type: ignore[attr-defined]
        assert error.message.count(f"  {url}:") == 1
    return error


# Who has a name.


def test_who_has_a_name(ours: Path, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "local/mine").mkdir(parents=True)
    (tmp_path / "local/mine/index.html").touch()
    local = (tmp_path / "local").as_uri()
    with IndexServer(ours, user="me", password=TOKEN) as private, IndexServer(theirs) as public:
        indexes = settings(public.url, with_user(private.url), f"{private.url}/", local)
        # The second time without a password of its own: it is that of the same host.
        assert find_holders(NAMES, indexes) == {
            "mine": (private.url, f"{private.url}/"),
            "both": (private.url, f"{private.url}/", public.url),
            "theirs": (public.url,),
            "nobodys": (),
        }
        assert {asked.authorization for asked in public.asked} == {None}
    assert find_holders(NAMES, IndexSettings(no_index=True)) == dict.fromkeys(NAMES, ())
    assert find_holders([], indexes) == {}


def test_links(ours: Path, theirs: Path) -> None:
    with IndexServer(ours, user="me", password=TOKEN) as private, IndexServer(theirs) as public:
        page = f"{with_user(private.url)}/both/"
        found = holdings_of(NAMES, find_indexes(
            {"PIP_CONFIG_FILE": os.devnull, "OUR_TOKEN": TOKEN}, index_url=public.url,
            find_links=[page],
        ))  # fmt: skip
        assert [len(found.holders(name)) for name in NAMES] == [0, 2, 1, 0]
        assert [place for _, place in found.files("both")][1] == public.url
        assert private.paths_asked() == ["/simple/both/"]  # once for all names


@pytest.fixture
def pypi(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index that stands for PyPI."""
    with IndexServer(theirs) as index:
        monkeypatch.setattr("azpack.deps.holdings.is_pypi", lambda url: url == index.url)
        yield index


def test_pages_of_pypi_are_not_read(ours: Path, pypi: IndexServer) -> None:
    with IndexServer(ours) as index:
        found = holdings_of(["mine"], settings(pypi.url, index.url))
        assert [asked.method for asked in index.asked] == ["GET"]
        assert {asked.method for asked in pypi.asked} == {"HEAD", "GET"}  # is it really not there?
        assert not found.is_unread("mine")
        of_pypi = [
            replace(it, entry=replace(it.entry, url="https://files.pythonhosted.org/both.whl"))
            for it in pins(["both"])
        ]
        for each in (index.asked, pypi.asked):
            each.clear()
        found = find_holdings(of_pypi, settings(pypi.url, index.url))
        assert [asked.method for asked in pypi.asked] == ["HEAD"]
        assert found.holders("both") == (index.url, pypi.url)
        assert found.is_listed(of_pypi[0])
        # Where no hash is given, or another place's file is not there, it matters which.
        for pin in (replace(of_pypi[0], allowed=frozenset()), *pins(["both"])):
            pypi.asked.clear()
            found = find_holdings([pin], settings(pypi.url, index.url))
            assert [asked.method for asked in pypi.asked] == ["HEAD", "GET"]
            assert len(list(found.files("both"))) == 2


def test_pypi_alone_is_not_asked_for_its_own(pypi: IndexServer) -> None:
    both, theirs = pins(["both", "theirs"])
    both = replace(both, entry=replace(both.entry, url="https://files.pythonhosted.org/both.whl"))
    found = find_holdings([both, theirs], settings(pypi.url))
    assert pypi.paths_asked() == ["/simple/theirs/"]
    assert [found.is_listed(pin) for pin in (both, theirs)] == [True, False]
    assert found.holders("both") == (pypi.url,)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429, 500, 501, 503])
def test_a_server_without_head(ours: Path, status: int) -> None:
    with IndexServer(ours) as index:
        index.faults = {
            f"/simple/{name}": Fault(status=status, method="HEAD") for name in ("mine", "nobodys")
        }
        holders = find_holders(["mine", "nobodys"], settings(index.url))
    assert holders == {"mine": (index.url,), "nobodys": ()}


def test_all_is_asked_at_once(ours: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"name{number}" for number in range(8)]
    barrier = Barrier(2 * len(names))  # nobody is answered before everybody has asked
    with IndexServer(ours) as one, IndexServer(theirs) as other:
        for index in (one, other):
            monkeypatch.setattr(index, "admits", lambda _: has_come(barrier))
            monkeypatch.setattr(index, "content", lambda *_: ("text/html", b""))
        holders = find_holders(names, settings(one.url, other.url))
    assert holders == dict.fromkeys(names, (other.url, one.url))


def has_come(barrier: Barrier) -> bool:
    try:
        barrier.wait(timeout=60)
    except BrokenBarrierError:
        return False
    return True


# Redirects.


def test_redirects_on_the_same_host(ours: Path) -> None:
    with IndexServer(ours, user="me", password=TOKEN) as index:
        index.faults = {
            "/simple/other-name": Fault(location="/simple/mine/"),
            "/simple/gone": Fault(location=f"{index.url}/nobodys/"),
        }
        holders = find_holders(["other-name", "gone"], settings(with_user(index.url)))
        assert holders == {"other-name": (index.url,), "gone": ()}
        index.faults = {"/simple/mine": Fault(location="/simple/mine/")}
        error = refused(("mine", "both"), settings(with_user(index.url)), "index-unreachable")
        assert "redirects without end" in error.message
        index.faults = {"/simple/mine": Fault(location="http://[bad")}
        error = refused(("mine",), settings(with_user(index.url)), "index-unreachable")
        assert "no URL" in error.message


def test_what_another_host_has_is_listed_and_not_held(ours: Path, theirs: Path) -> None:
    with IndexServer(ours, user="me", password=TOKEN) as index, IndexServer(theirs) as other:
        for host in ("127.0.0.1", "localhost"):
            location = f"http://{host}:{other.port}/simple/theirs/"
            index.faults = {"/simple/theirs": Fault(location=location)}
            found = holdings_of(["theirs"], settings(with_user(index.url)))
            assert found.holders("theirs") == ()
            assert [file.filename for file, _ in found.files("theirs")] == [
                "theirs-1.0-py3-none-any.whl"
            ]
        assert {asked.authorization for asked in other.asked} == {None}


def test_pypiserver(ours: Path, theirs: Path) -> None:
    with IndexServer(theirs) as public:
        for fallback in ("", public.url):
            with run_pypiserver(ours, user="me", password=TOKEN, fallback=fallback) as server:
                url = server.url
                holders = find_holders(NAMES, settings(public.url, with_user(url)))
                assert holders == {
                    "mine": (url,),
                    "both": (url, public.url),
                    "theirs": (public.url,),
                    "nobodys": (),
                }
                error = refused(NAMES, settings(public.url, url), "index-refused")
                assert error.context["urls"] == [url]


# Who does not answer, or refuses.


@pytest.mark.parametrize("user_info", ["me:mistaken-77", "you:${OUR_TOKEN}", ""])
def test_wrong_credentials(ours: Path, theirs: Path, user_info: str) -> None:
    with (
        IndexServer(ours, user="me", password=TOKEN) as one,
        IndexServer(ours, user="me", password=TOKEN) as other,
        IndexServer(theirs) as public,
    ):
        urls = [
            with_user(index.url, user_info) if user_info else index.url for index in (one, other)
        ]
        error = refused(NAMES, settings(public.url, *urls), "index-refused")
        assert error.context["urls"] == [one.url, other.url]
    assert "401 Unauthorized" in error.message
    assert "${NAME}" in error.hint
    assert "mistaken-77" not in error.message


def test_a_forbidden_page(ours: Path) -> None:
    with IndexServer(ours) as index:
        index.faults = {"/simple/mine": Fault(status=403)}
        assert "403 Forbidden" in refused(NAMES, settings(index.url), "index-refused").message


@pytest.mark.parametrize("fault", [Fault(status=503, times=2), Fault(status=429, times=2)])
def test_faults_that_pass(ours: Path, fault: Fault) -> None:
    with IndexServer(ours) as index:
        index.faults = {"/simple/mine": fault}
        assert find_holders(["mine"], settings(index.url)) == {"mine": (index.url,)}


@pytest.mark.parametrize("status", [408, 418, 429, 500, 503])
def test_faults_that_stay(ours: Path, status: int) -> None:
    with IndexServer(ours) as index:
        index.faults = {"/simple/mine": Fault(status=status)}
        error = refused(NAMES, settings(index.url), "index-unreachable")
    assert f"it answers {status} " in error.message
    assert "answers with an error" in error.message


def test_nobody_there_and_somebody_silent(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TIMEOUTS", (0.5, 0.5))
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as silent,
        socket.create_server(("127.0.0.1", 0)) as closed,
        IndexServer(ours) as index,
    ):
        down, dumb = (f"http://127.0.0.1:{it.getsockname()[1]}/simple" for it in (closed, silent))
        closed.close()
        many = tuple(f"name{number}" for number in range(40))
        error = refused(many, settings(index.url, with_user(down), dumb), "index-unreachable")
        assert error.context["urls"] == [down, dumb]
    assert f"{down}: the connection was refused" in error.message
    assert f"{dumb}: no bytes came" in error.message
    assert "--index-url" in error.hint


def test_an_unknown_host() -> None:
    url = "http://me:${OUR_TOKEN}@no-such-host.invalid/simple"
    error = refused(("mine",), settings(url), "index-unreachable")
    assert "http://no-such-host.invalid/simple" in error.message


def test_refused_stands_before_unreachable(ours: Path) -> None:
    with IndexServer(ours, user="me", password=TOKEN) as index:
        down = "http://127.0.0.1:9/simple"
        error = refused(NAMES, settings(index.url, down), "index-refused")
    assert error.context["urls"] == [down, index.url]


def test_an_interrupted_user_waits_for_nobody(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TIMEOUTS", (60, 600))
    released = Event()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(_: str | None) -> bool:
        signal.pthread_kill(main, signal.SIGINT)
        return released.wait(600)

    with IndexServer(ours) as index:
        monkeypatch.setattr(index, "admits", interrupt)
        with pytest.raises(KeyboardInterrupt):
            find_holders(["mine"], settings(index.url))
        released.set()


# TLS, certificates, proxies.


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> str:
    return str(authority.bundle(tmp_path / "authority.pem"))


@pytest.fixture
def client(authority: Authority, tmp_path: Path) -> str:
    return str(authority.client_certificate(tmp_path / "client.pem"))


def test_an_authority_of_ones_own(ours: Path, authority: Authority, bundle: str) -> None:
    context = authority.server_context("127.0.0.1")
    with IndexServer(ours, user="me", password=TOKEN, context=context) as index:
        url = with_user(index.url)
        assert find_holders(["mine"], settings(url, cert=bundle)) == {"mine": (index.url,)}
        error = refused(NAMES, settings(url), "index-unreachable")
    assert "certificate" in error.message
    assert "--cert FILE" in error.hint


def test_a_client_certificate(
    ours: Path, authority: Authority, bundle: str, client: str, tmp_path: Path
) -> None:
    context = authority.server_context("127.0.0.1", clients=authority)
    strange = str(Authority().client_certificate(tmp_path / "strange.pem"))
    with IndexServer(ours, context=context) as index:
        found = find_holders(["mine"], settings(index.url, cert=bundle, client_cert=client))
        assert found == {"mine": (index.url,)}
        for more in ({}, {"client_cert": strange}):
            indexes = settings(index.url, cert=bundle, **more)
            refused(NAMES, indexes, "index-unreachable")


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy(ours: Path, authority: Authority, bundle: str, tls: bool) -> None:
    context = authority.server_context("index.invalid") if tls else None
    with (
        IndexServer(ours, user="me", password=TOKEN, context=context) as index,
        ProxyServer(user="us", password=TOKEN) as proxy,
    ):
        hidden = index.url.replace("127.0.0.1", "index.invalid")
        url = with_user(hidden)
        by = {"cert": bundle, "PIP_PROXY": with_user(proxy.url, f"us:{QUOTED}")}
        assert find_holders(["mine"], settings(url, **by)) == {"mine": (hidden,)}
        by["PIP_PROXY"] = with_user(proxy.url, "us:mistaken-77")
        error = refused(NAMES, settings(url, **by), "index-unreachable")
    assert "the proxy refuses" in error.message
    assert "proxy" in error.hint


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault(status=500), "index-unreachable"), (Fault(status=403), "index-refused"),
     (Fault(cut_after=5), "index-unreachable")],
)  # fmt: skip
def test_an_answer_that_is_none(ours: Path, theirs: Path, fault: Fault, code: str) -> None:
    with IndexServer(ours) as one, IndexServer(theirs) as other:
        one.faults = {"/simple/both": fault}
        error = refused(("both",), settings(one.url, other.url), code)
    assert error.context["urls"] == [one.url]


# Who takes all the time there is.


@pytest.mark.parametrize("status", [200, 404])
def test_who_sends_a_byte_now_and_then(
    ours: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(asking, "_LONGEST", (2.0, 0.0))
    with socket.create_server(("127.0.0.1", 0)) as listening, IndexServer(ours) as index:
        threading.Thread(target=dribble, args=(listening, status), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/simple"
        if status == 404:  # whose body nobody needs
            assert find_holders(["mine"], settings(index.url, url)) == {"mine": (index.url,)}
            return
        error = refused(("mine", "both"), settings(index.url, url), "index-unreachable")
    assert error.context["urls"] == [url]
    assert f"{url}: its answers take too long" in error.message


def dribble(listening: socket.socket, status: int) -> None:
    """Answer whoever comes with bytes that never end."""

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(1 << 16)
            head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\n\r\n"
            connection.sendall(head.encode())
            while True:
                connection.sendall(b"x")
                Event().wait(0.1)

    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


# Files that are given to some alone.


def test_files_for_all(ours: Path) -> None:
    name = "mine-1.0-py3-none-any.whl"
    with IndexServer(ours) as open_to_all, IndexServer(ours, user="me", password=TOKEN) as closed:
        urls = [it.file_url(name) for it in (open_to_all, closed)]
        gone = "http://127.0.0.1:9/x.whl"  # who does not answer is not judged
        found = find_holdings([], settings(None), urls=[*urls, gone])
        assert found.closed == (urls[1],)
        assert [asked.method for asked in open_to_all.asked] == ["HEAD"]


# Who is barred from the platform.


def barred(indexes: IndexSettings) -> list[Barred]:
    return find_barred(indexes, {public(url): "mine" for url in indexes.urls()})


LITERAL = "its user and password are not written as ${NAME}"
NETRC = "netrc on this machine has its password"
KEYRING = "keyring on this machine has its password"
CERTIFICATE = "it asks for the client certificate, which is on this machine alone"
AUTHORITY = "its certificate is of an authority that only this machine trusts"


@pytest.mark.parametrize(
    ("user_info", "way", "expected"),
    [
        ("me:${OUR_TOKEN}", "option", None),
        (f"me:{QUOTED}", "option", LITERAL),
        (f"me:{QUOTED}", "PIP_EXTRA_INDEX_URL", LITERAL),
        ("", "netrc", NETRC),
        ("me", "netrc", NETRC),
        ("me", "keyring", KEYRING),
        ("${OUR_USER}", "keyring", KEYRING),
    ],
)
def test_who_needs_a_password(
    ours: Path, machine: Path, monkeypatch: pytest.MonkeyPatch,
    user_info: str, way: str, expected: str | None,
) -> None:  # fmt: skip
    netrc = machine / "netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin me\npassword {TOKEN}\n", encoding="utf-8")
    if way == "netrc":
        monkeypatch.setenv("NETRC", str(netrc))
    elif way == "keyring":
        (machine / "keyring").write_text('#!/bin/sh\necho "$OUR_TOKEN"\n', encoding="utf-8")
        (machine / "keyring").chmod(0o755)
    with IndexServer(ours, user="me", password=TOKEN) as index:
        url = with_user(index.url, user_info) if user_info else index.url
        pip = {"OUR_USER": "me"} | ({way: url} if way.startswith("PIP") else {})
        indexes = settings(PYPI, *([] if way.startswith("PIP") else [url]), **pip)
        assert find_holders(["mine"], settings(url, OUR_USER="me")) == {"mine": (index.url,)}
        index.asked.clear()
        verdict = barred(indexes)
        assert verdict == (
            [Barred(url=index.url, reason="refused", what=expected)] if expected else []
        )
        # Who has nothing to lose is not asked, and netrc is not used.
        user = {None, "Basic bWU6"} if way == "keyring" else {None}
        assert {asked.authorization for asked in index.asked} <= (user if expected else set())


def test_a_token_that_stands_for_the_user(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with IndexServer(ours) as index:
        monkeypatch.setattr(index, "admits", lambda given: given is not None)
        for user_info, expected in (("t0ken", LITERAL), ("t0ken:", LITERAL), ("${OUR_TOKEN}", "")):
            verdict = barred(settings(with_user(index.url, user_info)))
            assert [it.what for it in verdict] == ([expected] if expected else [])


def test_a_password_that_nobody_asks_for(ours: Path) -> None:
    with IndexServer(ours) as index:
        assert barred(settings(with_user(index.url, f"me:{QUOTED}"))) == []
        assert index.asked


@pytest.mark.parametrize(
    "fault",
    [Fault(status=403), Fault(status=404), Fault(location="http://localhost:9/sign-in")],
)
def test_who_hides_what_it_has(ours: Path, fault: Fault) -> None:
    with IndexServer(ours) as index:
        index.faults = {"/simple/mine": fault}
        verdict = barred(settings(with_user(index.url, f"me:{QUOTED}")))
    assert verdict == [Barred(url=index.url, reason="refused", what=LITERAL)]


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=400), Fault(location="/simple/mine")]
)
def test_who_does_not_answer_is_not_judged(ours: Path, fault: Fault) -> None:
    with IndexServer(ours) as index:
        index.faults = {"/simple/mine": fault}
        down = "http://me:word@127.0.0.1:9/simple"
        assert barred(settings(with_user(index.url, f"me:{QUOTED}"), down)) == []


def test_what_is_not_asked(ours: Path, bundle: str, client: str) -> None:
    with IndexServer(ours) as index:
        # Certificates are nothing to who speaks no TLS.
        indexes = settings(PYPI, index.url, ours.as_uri(), cert=bundle, client_cert=client)
        assert barred(indexes) == []
        indexes = settings(f"{PYPI}/", with_user(index.url, "me:word"), cert=bundle)
        assert find_barred(indexes, {PYPI: "mine", f"{PYPI}/": "mine"}) == []
        assert index.asked == []


def test_who_is_trusted_here_alone(ours: Path, authority: Authority, bundle: str) -> None:
    context = authority.server_context("127.0.0.1")
    with IndexServer(ours, user="me", password=TOKEN, context=context) as index:
        verdict = barred(settings(with_user(index.url), cert=bundle))
        assert verdict == [Barred(url=index.url, reason="untrusted", what=AUTHORITY)]


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    """The tests' authority is one of the usual ones."""
    monkeypatch.setattr("azpack.deps.session.DEFAULT_CA_BUNDLE_PATH", bundle)


@pytest.mark.usefixtures("usual")
def test_who_trusts_this_machine_alone(ours: Path, authority: Authority, client: str) -> None:
    context = authority.server_context("127.0.0.1", clients=authority)
    with IndexServer(ours, context=context) as index:
        indexes = settings(index.url, client_cert=client)
        assert find_holders(["mine"], indexes) == {"mine": (index.url,)}
        assert barred(indexes) == [Barred(url=index.url, reason="untrusted", what=CERTIFICATE)]


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(
    ("status", "expected"), [(400, CERTIFICATE), (403, CERTIFICATE), (496, CERTIFICATE), (404, "")]
)
def test_who_asks_for_a_certificate_in_words(
    ours: Path, authority: Authority, client: str, bundle: str, status: int, expected: str
) -> None:
    context = authority.server_context("127.0.0.1")
    with IndexServer(ours, context=context) as index:
        indexes = settings(index.url, client_cert=client)
        assert barred(indexes) == []
        index.faults = {"/simple/mine": Fault(status=status)}
        assert [it.what for it in barred(indexes)] == ([expected] if expected else [])
        # With authorities of one's own, but no others are needed.
        assert barred(settings(index.url, cert=bundle)) == []


def test_by_this_machines_proxy(ours: Path) -> None:
    with (
        IndexServer(ours, user="me", password=TOKEN) as index,
        ProxyServer(user="us", password=TOKEN) as proxy,
    ):
        hidden = index.url.replace("127.0.0.1", "index.invalid")
        url = with_user(hidden, f"me:{QUOTED}")
        by = {"PIP_PROXY": with_user(proxy.url, f"us:{QUOTED}")}
        assert barred(settings(url, **by)) == [Barred(url=hidden, reason="refused", what=LITERAL)]
        by["PIP_PROXY"] = with_user(proxy.url, "us:mistaken-77")
        assert barred(settings(url, **by)) == []
