"""Asking servers for pages, or whether they have them: for many at once, and not for long."""

from __future__ import annotations

from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread, local
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from azpack.deps.index import public
from azpack.deps.pages import ACCEPT, TIMEOUTS, fetch_page
from azpack.deps.trust import connection_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from requests import PreparedRequest, Response, Session
    from requests.auth import HTTPBasicAuth

    from azpack.deps.index import IndexSettings
    from azpack.deps.pages import Page

_THREADS = 16  # more make name servers drop what is asked at once, and that costs seconds
_REDIRECTS = 5
# Seconds for all questions together, and more for each: whoever sends a byte now and then keeps
# any limit on single ones.
_LONGEST = (60.0, 0.25)
LATE = "its answers take too long"
# By which method, and after how many seconds. A server may lack HEAD, and say so with any status or
# none: only its yes is believed, which spares large pages.
_ATTEMPTS = (("HEAD", 0.0), ("GET", 0.0), ("GET", 0.5), ("GET", 1.0))
_PAUSES = (0.0, 0.5, 1.0)

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """In place of an answer that did not come in time; `is_asked` unless nobody got to ask."""

    is_asked: bool


@contextmanager
def asking(indexes: IndexSettings) -> Iterator[Asker]:
    """Whoever asks with the certificates and the proxy of these settings."""
    asker = Asker(indexes)
    try:
        yield asker
    finally:
        asker.stop()


class Asker:
    """Asks from many threads; `asking` makes one.

    The credentials are given with each question; no others are used.
    """

    def __init__(self, indexes: IndexSettings) -> None:
        from azpack.deps.session import trusting_context

        self._indexes = indexes
        self._context = trusting_context(indexes)
        self._own = local()
        self._sessions: list[Session] = []
        self._stopped = Event()

    def stop(self) -> None:
        """End soon, without waiting for answers: an interrupted user waits for nobody."""
        self._stopped.set()
        for session in self._sessions:
            session.close()

    def each(
        self,
        question: Callable[[_Item], _Answer],
        items: Collection[_Item],
    ) -> dict[_Item, _Answer | Late]:
        """Put the question for all items at once; the answers are in their order.

        Those that take too long are left to themselves.
        """
        futures: dict[_Item, Future[_Answer]] = {item: Future() for item in items}
        waiting: SimpleQueue[_Item] = SimpleQueue()
        for item in futures:
            waiting.put(item)

        def answer() -> None:
            while not self._stopped.is_set():
                try:
                    item = waiting.get_nowait()
                except Empty:
                    return
                future = futures[item]
                future.set_running_or_notify_cancel()
                try:
                    future.set_result(question(item))
                except BaseException as error:  # it is raised where it is awaited
                    future.set_exception(error)

        # Unlike an executor's, these threads keep nobody from ending the program.
        for _ in range(min(_THREADS, len(futures))):
            Thread(target=answer, daemon=True).start()
        base, more = _LONGEST
        wait(futures.values(), timeout=base + more * len(futures))
        return {
            item: future.result() if future.done() else Late(is_asked=future.running())
            for item, future in futures.items()
        }

    def session(self) -> Session:
        """The session of the thread that asks for it."""
        from azpack.deps.session import make_session

        if not hasattr(self._own, "session"):
            self._own.session = make_session(self._indexes, self._context)
            self._sessions.append(self._own.session)
        session: Session = self._own.session
        return session

    def page(self, url: str) -> Page | int | str:
        """What a page lists; or the status that its server answers with, or why it does not answer.

        The credentials are those of the settings. What may pass is asked again.
        """
        from requests import HTTPError, RequestException
        from requests.exceptions import ConnectionError as NoConnectionError
        from requests.exceptions import SSLError, Timeout

        from azpack.deps.session import PASSING_FAULTS, describe_failure

        fault: int | str = ""
        for pause in _PAUSES:
            self._stopped.wait(pause)
            try:
                return fetch_page(url, self._indexes, self.session())
            except RequestException as error:
                if isinstance(error, HTTPError):
                    fault = error.response.status_code
                else:
                    fault = describe_failure(error, waited=TIMEOUTS[1])
                is_settled = isinstance(error, (SSLError, Timeout)) or connection_hint(str(error))
                is_cut = isinstance(error, NoConnectionError) and not is_settled
                if not is_cut and fault not in PASSING_FAULTS:
                    break
        return fault

    def status(self, url: str, login: HTTPBasicAuth | None) -> int | None:
        """What the server answers for a page: an HTTP status, None where it sends to another host.

        Nothing is asked of that other host. What may pass is asked again.

        Raises:
            RequestException: there is no answer.
        """
        from requests.exceptions import ConnectionError as NoConnectionError
        from requests.exceptions import SSLError, Timeout

        from azpack.deps.session import PASSING_FAULTS

        for number, (method, pause) in enumerate(_ATTEMPTS, 1):
            is_last = number == len(_ATTEMPTS)
            if pause:
                self._stopped.wait(pause)
            try:
                status = self._ask(method, public(url), login)
            except (SSLError, Timeout):
                raise
            except NoConnectionError as error:
                if is_last or connection_hint(str(error)):
                    raise
                continue
            settled = method == "GET" and status not in PASSING_FAULTS
            if status in (200, None) or settled or is_last:
                return status
        raise AssertionError("the last attempt ends the loop")

    def _ask(self, method: str, url: str, login: HTTPBasicAuth | None) -> int | None:
        """Ask once, and on where the server sends one on its own host."""
        from requests import TooManyRedirects

        session = self.session()
        for _ in range(_REDIRECTS):
            response = session.request(
                method, url, headers={"Accept": ACCEPT}, auth=login or _anonymous, timeout=TIMEOUTS,
                allow_redirects=False, stream=True,
            )  # fmt: skip
            target = session.get_redirect_target(response)
            _finish(response)
            if target is None:
                return response.status_code
            target = urljoin(url, target)
            if session.should_strip_auth(url, target):  # type: ignore[no-untyped-call]
                return None
            url = target
        raise TooManyRedirects


def _anonymous(request: PreparedRequest) -> PreparedRequest:
    """Without this requests would look for a login in netrc."""
    return request


def _finish(response: Response) -> None:
    """Have the connection serve again, unless something would have to be read for that."""
    if response.request.method == "HEAD":
        _ = response.content
    else:
        response.close()
