"""What the indexes hold, and which of them the platform can use: asked before it is too late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from azpack.deps.asking import LATE, Late, asking
from azpack.deps.index import is_of_pypi, is_pypi, public
from azpack.deps.pages import TIMEOUTS, Page, named, page_of
from azpack.deps.passwords import find_login
from azpack.deps.resolver import index_refused, index_unreachable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from requests.auth import HTTPBasicAuth

    from azpack.deps.asking import Asker
    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.deps.pages import ListedFile
    from azpack.errors import UnreachableError

_NOT_THERE = (404, 410)
_REFUSED = (401, 403)
# nginx says 400 to who shows no certificate, and knows it as 496 or, of a strange one, as 495.
_UNPROVEN = (*_REFUSED, 400, 495, 496)
_NO_CERTIFICATE = "it asks for the client certificate, which is on this machine alone"
_NO_AUTHORITY = "its certificate is of an authority that only this machine trusts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A distribution from an index, as pip on the platform is told to install it.

    `allowed` are the only hashes ("sha256:…") that it takes, none where it is given none.
    """

    entry: LockedDistribution
    allowed: frozenset[str]

    def is_met_by(self, file: ListedFile) -> bool:
        """Whether a listed file is the very one, as far as its page tells."""
        kinds = {it.partition(":")[0] for it in self.allowed}
        if file.hash.partition(":")[0] in kinds:
            return file.hash in self.allowed
        if file.hash.startswith("sha256:"):
            return file.hash == f"sha256:{self.entry.sha256}"
        return file.filename == self.entry.filename


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What the places that pip on the platform asks have of some names.

    `pages` has by place and name what is listed there, nothing where there is no page. Of PyPI it
    has pages that nobody had to read, with None for their files. `closed` are the URLs, without
    credentials, of files that are not given to just anybody.
    """

    indexes: IndexSettings
    pages: Mapping[tuple[str, str], Held]
    closed: tuple[str, ...] = ()

    def holders(self, name: str) -> tuple[str, ...]:
        """The places that have a name, without credentials, those first whose it is meant to be.

        The index that stands in PyPI's place, or is that, comes last.
        One that sends to another host for a page does not have that itself: so pypiserver and
        GitLab pass on to PyPI what they do not know.
        """
        *private, last = self.indexes.urls() or ("",)
        places = (*private, *self.indexes.find_links, last)
        held = (
            place for place in places if (page := self.pages.get((place, name))) and page.is_own
        )
        return tuple(dict.fromkeys(map(public, held)))

    def files(self, name: str) -> Iterator[tuple[ListedFile, str]]:
        """What is listed of a name, each with its place, in the order in which pip asks."""
        for place in self.indexes.remote_places():
            held = self.pages.get((place, name))
            for file in (held and held.files) or ():
                yield file, place

    def is_listed(self, pin: Pin) -> bool:
        """Whether a place lists the very file of a pin, as far as is known."""
        name = pin.entry.name
        if any(pin.is_met_by(file) for file, _ in self.files(name)):
            return True
        return is_of_pypi(pin.entry.url) and self.is_unread(name)

    def is_unread(self, name: str) -> bool:
        """Whether PyPI has a page of the name that did not have to be read."""
        held = (self.pages.get((place, name)) for place in self.indexes.remote_places())
        return any(page is not None and page.files is None for page in held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a place has of a name: files, or None for a page that was not read."""

    files: tuple[ListedFile, ...] | None
    is_own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """A place, by its URL without credentials, that the platform can't use though we can.

    It refuses who asks as the platform does, or no connection is made for want of trust, on the one
    side or the other. `what` is a clause that says what the platform lacks.
    """

    url: str
    reason: Literal["refused", "untrusted"]
    what: str


def find_holdings(
    pins: Collection[Pin], indexes: IndexSettings, *, urls: Iterable[str] = ()
) -> Holdings:
    """Find out what is listed of each pin, wherever pip on the platform looks.

    PyPI, whose pages may be of many megabytes, is asked for a name only whether it has it, unless
    it matters which files; and where it is the only place, only for what is not known to be there.

    Args:
        pins: each of another name.
        indexes: the settings.
        urls: addresses of files; is each given to who shows no credentials?

    Raises:
        UnreachableError: a place refuses the credentials, or does not answer; all are named. pip
            would pass over it.
    """
    places = indexes.remote_places()
    pypi = [place for place in places if is_pypi(place)]
    others = [place for place in places if not is_pypi(place)]
    with asking(indexes) as asker:
        first = [_Question(place=it, name=pin.entry.name) for it in others for pin in pins]
        if others:
            first += [
                _Question(place=it, name=pin.entry.name, is_read=False)
                for it in pypi
                for pin in pins
            ]
        pages, closed = _ask(asker, indexes, first, tuple(urls))
        if not others:  # who names PyPI's own files need not ask it
            names = [pin.entry.name for pin in pins if is_of_pypi(pin.entry.url)]
            pages |= {(it, name): Held(files=None) for it in pypi for name in names}
        known = Holdings(indexes=indexes, pages=pages, closed=closed)
        unread = [pin for pin in pins if _must_be_read(pin, known, is_alone=not others)]
        second = [_Question(place=it, name=pin.entry.name) for it in pypi for pin in unread]
        more, _ = _ask(asker, indexes, second, ())
    return Holdings(indexes=indexes, pages={**pages, **more}, closed=closed)


def _must_be_read(pin: Pin, holdings: Holdings, *, is_alone: bool) -> bool:
    """Whether it matters which files PyPI lists, beside what the other places do.

    All its files have hashes: where pip is given one that it finds, the others do not count.
    """
    name = pin.entry.name
    if is_alone:
        return not is_of_pypi(pin.entry.url)
    if not holdings.is_unread(name):
        return False
    files = [file for file, _ in holdings.files(name)]
    if not pin.allowed:
        return bool(files)
    return not is_of_pypi(pin.entry.url) and not any(it.hash in pin.allowed for it in files)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What a place has of a name: its page is read, or only looked for."""

    place: str
    name: str
    is_read: bool = True


def _ask(
    asker: Asker, indexes: IndexSettings, questions: Collection[_Question], urls: Collection[str]
) -> tuple[dict[tuple[str, str], Held], tuple[str, ...]]:
    """Ask all at once: what is held, by place and name, and which of the URLs are closed."""
    from requests import RequestException

    from azpack.deps.session import authentication, describe_failure

    logins = {place: authentication(indexes, place) for place in {it.place for it in questions}}
    faults: dict[str, int | str] = {}

    def answer(item: tuple[str, str, bool]) -> Page | int | str | None:
        place, url, is_read = item
        if place in faults:
            return None
        try:
            found = asker.page(url) if is_read else asker.status(url, logins.get(place))
        except RequestException as error:
            found = describe_failure(error, waited=TIMEOUTS[1])
        if place and not isinstance(found, Page) and found not in (200, None, *_NOT_THERE):
            faults[place] = found
        return found

    items = {it: (it.place, page_of(it.place, it.name, indexes), it.is_read) for it in questions}
    files = {url: ("", url, False) for url in urls}
    answers = asker.each(answer, dict.fromkeys((*items.values(), *files.values())))
    for (place, _, _), found in answers.items():
        if isinstance(found, Late) and found.is_asked and place:
            faults.setdefault(place, LATE)
    if faults:
        raise _unusable({place: faults[place] for place in indexes.places() if place in faults})
    held = {(it.place, it.name): _held(answers[item], it, indexes) for it, item in items.items()}
    closed = tuple(public(url) for url, item in files.items() if _is_status(answers[item]))
    return {key: value for key, value in held.items() if value is not None}, closed


def _held(answer: object, question: _Question, indexes: IndexSettings) -> Held | None:
    if not isinstance(answer, Page):
        return Held(files=None) if answer == 200 else None
    files = tuple(named(answer.files, question.name))
    if not files and question.place in indexes.find_links:
        return None
    return Held(files=files, is_own=answer.is_own)


def _is_status(answer: object) -> bool:
    """Whether it is a status other than that of a file."""
    return isinstance(answer, int) and answer != 200


def _unusable(faults: Mapping[str, int | str]) -> UnreachableError:
    """One error for all indexes of which one answers with a status, or not at all."""
    explanation = "\n".join(f"  {public(url)}: {_say(fault)}" for url, fault in faults.items())
    context = {"explanation": explanation, "urls": [public(url) for url in faults]}
    if not {*_REFUSED}.isdisjoint(faults.values()):
        return index_refused(explanation, context)
    answers = all(isinstance(fault, int) for fault in faults.values())
    return index_unreachable(explanation, context, answers=answers)


def _say(fault: int | str) -> str:
    from http.client import responses

    from azpack.deps.session import PROXY_REFUSES

    if isinstance(fault, str):
        return fault
    return PROXY_REFUSES if fault == 407 else f"it answers {fault} {responses.get(fault, '')}"


def find_barred(indexes: IndexSettings, names: Mapping[str, str]) -> list[Barred]:
    """Find the places that this machine can use and the platform can't.

    They are asked as the platform asks: with the credentials that are written as `${NAME}` and no
    others, trusting the usual authorities, without a client certificate. The proxy is this
    machine's, which is how one gets out of here. Who can lose nothing by that is not asked, nor is
    PyPI. An index that does not answer at all is not judged; one that hides from strangers what it
    has, as GitLab does, refuses.

    Args:
        indexes: the settings.
        names: by a place's URL without credentials, a name of which it has a page.
    """
    there = indexes.on_platform()
    losses = {
        url: loss
        for url, place in zip(indexes.places(), there.places(), strict=True)
        if public(url) in names and not is_pypi(url)
        if (loss := _find_loss(url, indexes, there.credentials_for(place)))
    }
    if not losses:
        return []
    from requests import RequestException
    from requests.exceptions import ConnectionError as NoConnectionError
    from requests.exceptions import Timeout

    def judge(index: str) -> Barred | None:
        loss = losses[index]
        page = page_of(index, names[public(index)], indexes)
        try:
            status = asker.status(page, loss.login)
        except Timeout:
            return None
        except NoConnectionError as error:
            what = loss.of_connection(str(error))
            return Barred(url=public(index), reason="untrusted", what=what) if what else None
        except RequestException:
            return None
        what = loss.of_answer(status)
        return Barred(url=public(index), reason="refused", what=what) if what else None

    with asking(there) as asker:
        verdicts = asker.each(judge, losses)
    return [barred for barred in verdicts.values() if isinstance(barred, Barred)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """What the platform lacks of what an index is shown here, or trusted by.

    `password` says where the one is that is lost, `login` is what the platform has in its place.
    """

    password: str
    certificate: bool
    authorities: bool
    login: HTTPBasicAuth | None

    def of_answer(self, status: int | None) -> str:
        """What is missing where an index answers so; nothing where it is for another reason."""
        if self.password and (status is None or status in (*_REFUSED, *_NOT_THERE)):
            return self.password
        return _NO_CERTIFICATE if self.certificate and status in _UNPROVEN else ""

    def of_connection(self, fault: str) -> str:
        """What is missing where no connection was made, or it was cut."""
        if "CERTIFICATE_VERIFY_FAILED" in fault:
            return _NO_AUTHORITY if self.authorities else ""
        # Under TLS 1.3 the connection stands when the server looks for a certificate.
        is_cut = any(sign in fault for sign in ("SSLError", "Connection aborted", "ALERT"))
        return _NO_CERTIFICATE if self.certificate and is_cut else ""


def _find_loss(url: str, indexes: IndexSettings, there: tuple[str, str] | None) -> _Loss | None:
    """What is lost to an index where the platform has the login `there`; None if nothing is."""
    from azpack.deps.session import basic_authentication

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return None
    netrc = find_login(parts.hostname or "")
    here = indexes.credentials_for(url) or netrc
    if here == netrc:
        where = "netrc on this machine has its password"
    elif parts.username and parts.password is None and here and here[1]:
        where = "keyring on this machine has its password"
    else:
        where = "its user and password are not written as ${NAME}"
    is_secure = parts.scheme == "https"
    loss = _Loss(
        password=where if here and here != there else "",
        certificate=is_secure and bool(indexes.client_certificate),
        authorities=is_secure and bool(indexes.certificates),
        login=basic_authentication(*there) if there else None,
    )
    return loss if loss.password or loss.certificate or loss.authorities else None
