"""Downloads from a real server that does what servers do on bad days."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from threading import Event, Timer
from typing import TYPE_CHECKING

import pytest

from azpack.deps import download
from azpack.deps.download import Downloader
from azpack.deps.index import IndexSettings
from azpack.deps.lock import LockedDistribution
from azpack.errors import AzpackError, UnreachableError, WheelError
from azpack.progress import Progress
from tests.distributions import make_wheel, noise
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "big-1.0-py3-none-any.whl"
FILE = f"/files/{NAME}"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)
    monkeypatch.setattr(download, "_TIMEOUTS", (5.0, 0.3))


@pytest.fixture
def _no_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributions")
    make_wheel(folder, "big", files={"big.bin": noise(2_000_000)})
    return folder


@pytest.fixture
def server(folder: Path, _no_netrc: None) -> Iterator[IndexServer]:
    with IndexServer(folder) as server:
        yield server


class Counted(Progress):
    """Counts the bytes that are said to be done."""

    def __init__(self) -> None:
        self.done = 0
        self.lines: list[str] = []

    def advance(self, amount: int) -> None:
        self.done += amount

    def log(self, message: str) -> None:
        self.lines.append(message)


class Fetcher:
    """Fetches the wheel of the server into a folder."""

    def __init__(self, server: IndexServer, place: Path) -> None:
        self.server = server
        self.path = place / NAME
        self.content = (server.folder / NAME).read_bytes()
        self.progress = Counted()
        self.stop = Event()

    def __call__(self, *, indexes: IndexSettings | None = None, url: str = "") -> str:
        downloader = Downloader(indexes or IndexSettings(), self.progress, self.stop)
        wanted = LockedDistribution(
            name="big",
            version="1.0",
            kind="wheel",
            filename=NAME,
            url=url or self.server.file_url(NAME),
            sha256=hashlib.sha256(self.content).hexdigest(),
        )
        with downloader.session() as session:
            return downloader.fetch(session, wanted, self.path)

    def is_whole(self) -> bool:
        return self.path.read_bytes() == self.content and self.progress.done == len(self.content)

    def ranges(self) -> list[str | None]:
        return [asked.range for asked in self.server.asked]


@pytest.fixture
def fetch(server: IndexServer, tmp_path: Path) -> Fetcher:
    return Fetcher(server, tmp_path)


@contextmanager
def fails(kind: type[AzpackError], code: str, *words: str) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code
    for word in words:
        assert word in caught.value.message


def test_a_file_comes_at_once(fetch: Fetcher) -> None:
    fetch()
    assert fetch.is_whole()
    assert fetch.ranges() == [None]
    assert fetch.progress.lines == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_fails_is_asked_again(fetch: Fetcher, status: int) -> None:
    fetch.server.faults = {FILE: Fault(status=status, times=3)}
    fetch()
    assert fetch.is_whole()
    assert len(fetch.server.asked) == 4
    assert str(status) in fetch.progress.lines[0]


def test_a_server_that_fails_for_ever(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(status=500)}
    with fails(UnreachableError, "download-failed", NAME, "answers 500", "5 attempts"):
        fetch()
    assert len(fetch.server.asked) == 5


def test_a_connection_that_is_cut_is_continued(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(cut_after=600_000, times=3)}
    fetch()
    assert fetch.is_whole()
    assert fetch.ranges() == [None, "bytes=600000-", "bytes=1200000-", "bytes=1800000-"]


def test_a_server_without_ranges_begins_again(fetch: Fetcher) -> None:
    fetch.server.ranges = False
    fetch.server.faults = {FILE: Fault(cut_after=600_000, times=2)}
    fetch()
    assert fetch.is_whole()
    assert fetch.ranges() == [None, "bytes=600000-", "bytes=600000-"]


def test_a_connection_that_is_always_cut(fetch: Fetcher) -> None:
    fetch.server.ranges = False
    fetch.server.faults = {FILE: Fault(cut_after=1000)}
    with fails(UnreachableError, "download-failed", "the connection was cut"):
        fetch()


def test_a_server_that_stalls_is_asked_again(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(stall_after=600_000, times=1)}
    fetch()
    assert fetch.is_whole()
    # What had come of the last piece is asked for again.
    assert fetch.ranges() == [None, "bytes=524288-"]
    assert "no bytes came" in fetch.progress.lines[0]


def test_a_server_that_always_stalls(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(stall_after=0)}
    with fails(UnreachableError, "download-failed", "no bytes came"):
        fetch()


def test_stopping_ends_a_download_that_goes_on(fetch: Fetcher) -> None:
    fetch.server.rate = 200_000
    timer = Timer(0.2, fetch.stop.set)
    timer.start()
    with fails(UnreachableError, "download-failed"):
        fetch()
    assert len(fetch.server.asked) == 1


def test_stopping_ends_the_pause_between_attempts(
    fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_PAUSE", 100.0)
    fetch.server.faults = {FILE: Fault(status=500)}
    timer = Timer(0.2, fetch.stop.set)
    timer.start()
    with fails(UnreachableError, "download-failed"):
        fetch()


def test_another_file_than_the_one_with_that_hash(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(content=b"something else")}
    actual = hashlib.sha256(b"something else").hexdigest()
    with fails(WheelError, "wrong-hash", NAME, actual):
        fetch()


def test_a_file_that_changes_while_it_is_cut_is_refused(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(content=b"x" * len(fetch.content), cut_after=1000, times=1)}
    with fails(WheelError, "wrong-hash"):
        fetch()


def test_a_file_that_is_not_there(fetch: Fetcher) -> None:
    fetch.server.faults = {FILE: Fault(status=404)}
    with fails(WheelError, "not-on-index", NAME, "404"):
        fetch()
    assert len(fetch.server.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_is_not_asked_again(fetch: Fetcher, status: int) -> None:
    fetch.server.faults = {FILE: Fault(status=status)}
    with fails(UnreachableError, "index-refused", str(status)):
        fetch()
    assert len(fetch.server.asked) == 1


def test_a_server_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    with IndexServer(folder) as gone:
        fetch = Fetcher(gone, tmp_path)
    with fails(UnreachableError, "download-failed", "refused"):
        fetch()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x.whl", "nonsense"])
def test_what_is_no_url_is_not_tried_again(fetch: Fetcher, url: str) -> None:
    with fails(WheelError, "bad-url"):
        fetch(url=url)
    assert fetch.progress.lines == []


@pytest.mark.parametrize("password", ["secret", "a/b?c#d@e", "päss wörd"])
def test_the_password_of_an_index_goes_with_its_files(fetch: Fetcher, password: str) -> None:
    from urllib.parse import quote

    fetch.server.user, fetch.server.password = "me", password
    index = fetch.server.url_as("me", quote(password, safe=""))
    fetch(indexes=IndexSettings(extra_index_urls=(index,)))
    assert fetch.is_whole()


def test_a_wrong_password_is_named_nowhere(fetch: Fetcher) -> None:
    fetch.server.user, fetch.server.password = "me", "right"
    index = fetch.server.url_as("me", "mistaken")
    with pytest.raises(UnreachableError) as caught:
        fetch(indexes=IndexSettings(extra_index_urls=(index,)))
    assert "mistaken" not in f"{caught.value.message}{caught.value.hint}{caught.value.context}"


def test_a_password_stays_with_its_host(fetch: Fetcher, folder: Path) -> None:
    fetch.server.user, fetch.server.password = "me", "secret"
    with IndexServer(folder) as other:
        # Another port, and another host's name.
        fetch.server.faults = {FILE: Fault(location=other.file_url(NAME, host="localhost"))}
        fetch(indexes=IndexSettings(extra_index_urls=(fetch.server.url_as("me", "secret"),)))
    assert fetch.is_whole()
    assert fetch.server.asked[0].authorization is not None
    assert [asked.authorization for asked in other.asked] == [None]


def test_a_password_of_netrc(
    fetch: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    fetch.server.user, fetch.server.password = "me", "secret"
    fetch(indexes=IndexSettings(extra_index_urls=(fetch.server.url,)))
    assert fetch.is_whole()


def test_a_file_of_this_machine(fetch: Fetcher) -> None:
    fetch(url=(fetch.server.folder / NAME).as_uri())
    assert fetch.is_whole()
    assert fetch.server.asked == []
    with fails(WheelError, "no-such-file", "nowhere.whl"):
        fetch(url=(fetch.server.folder / "nowhere.whl").as_uri())
