"""Getting files from indexes: several at once, resumed, hashed while they stream."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from azpack.deps.index import public
from azpack.deps.lock import file_path
from azpack.deps.trust import connection_hint
from azpack.errors import UnreachableError, WheelError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path
    from threading import Event

    from requests import Response, Session

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.progress import Progress

_CHUNK = 1 << 18
_ATTEMPTS = 5
_TIMEOUTS = (10.0, 30.0)  # seconds to connect, and to wait for the next bytes
_PAUSE = 0.5


class Downloader:
    """Downloads with the credentials and certificates of the index settings.

    A session serves one thread; `session` makes it. Setting `stop` ends all of them soon.
    """

    def __init__(self, indexes: IndexSettings, progress: Progress, stop: Event) -> None:
        from azpack.deps.session import trusting_context

        self._indexes = indexes
        self._stop = stop
        self._progress = progress
        self._context = trusting_context(indexes)

    def session(self) -> Session:
        """A new session, for one thread."""
        from azpack.deps.session import make_session

        return make_session(self._indexes, self._context)

    def fetch(self, session: Session, wanted: LockedDistribution, path: Path) -> str:
        """Write the file to `path` and return its SHA-256, which is that of `wanted` if it has one.

        Raises:
            UnreachableError: the index does not answer, or refuses.
            WheelError: the file is not there, or is not the one with that hash.
        """
        local = file_path(wanted.url)
        sha256 = self._copy(local, path) if local else self._transfer(session, wanted, path)
        if wanted.sha256 and sha256 != wanted.sha256:
            raise WheelError(
                "wrong-hash",
                f"{wanted.filename} from {public(wanted.url)} is not the file that was locked: "
                f"its SHA-256 is {sha256}, the lock says {wanted.sha256}",
                hint="if the file was replaced on purpose, lock again; if not, do not trust it",
                context={"expected": wanted.sha256, "actual": sha256},
            )
        return sha256

    def _copy(self, local: Path, path: Path) -> str:
        try:
            shutil.copyfile(local, path)
        except FileNotFoundError:
            raise WheelError("no-such-file", f"{local} does not exist") from None
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self._progress.advance(len(chunk))
        return digest.hexdigest()

    def _transfer(self, session: Session, wanted: LockedDistribution, path: Path) -> str:
        """Download in as many attempts as it takes; what has arrived is not asked for again."""
        from requests import RequestException
        from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
        from urllib3.exceptions import HTTPError

        from azpack.deps.session import describe_failure

        fault = ""
        with open(path, "wb", buffering=0) as file:
            transfer = _Transfer(file)
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._progress.log(f"{wanted.filename}: {fault}; trying again")
                    self._stop.wait(_PAUSE * 2 ** (attempt - 1))
                if self._stop.is_set():
                    break
                try:
                    fault = self._attempt(session, wanted, transfer)
                except (InvalidSchema, InvalidURL, MissingSchema):
                    raise WheelError(
                        "bad-url", f"{public(wanted.url)} is not a URL to download from"
                    ) from None
                except (RequestException, HTTPError) as error:
                    fault = describe_failure(error, waited=_TIMEOUTS[1])
                    if hint := connection_hint(str(error)):  # the next attempt would fail too
                        raise _failed(wanted, fault, hint) from None
                if not fault:
                    return transfer.digest.hexdigest()
        raise _failed(
            wanted,
            f"{fault} ({_ATTEMPTS} attempts)",
            "check the network and the proxy, then build again: what has come stays",
        )

    def _attempt(self, session: Session, wanted: LockedDistribution, transfer: _Transfer) -> str:
        """Receive what is missing; returns what went wrong, nothing if the file is whole."""
        from azpack.deps.session import PASSING_FAULTS

        with self._get(session, wanted.url, start=transfer.received) as response:
            if response.status_code in PASSING_FAULTS:
                return f"the index answers {response.status_code} {response.reason}"
            _refuse_errors(response, wanted)
            known = wanted.size or transfer.expected or 0
            self._progress.advance(-transfer.accept(response))
            self._progress.expect((transfer.expected or known) - known)
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                if self._stop.is_set():
                    return "stopped"
                transfer.write(chunk)
                self._progress.advance(len(chunk))
            return "" if transfer.is_whole else "the connection was cut"

    def _get(self, session: Session, url: str, *, start: int) -> Response:
        from azpack.deps.session import authentication

        # Without "identity" a server may send the wheel compressed, and the hash would not fit.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        auth = authentication(self._indexes, url)
        return session.get(public(url), headers=headers, auth=auth, stream=True, timeout=_TIMEOUTS)


class _Transfer:
    """A file that arrives, perhaps in pieces."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.expected: int | None = None
        self.digest = hashlib.sha256()
        self.received = 0

    def accept(self, response: Response) -> int:
        """Continue with this response, or begin again: returns how many bytes that throws away."""
        length = response.headers.get("Content-Length")
        thrown_away = 0
        if response.status_code != 206 and self.received:
            thrown_away = self.received
            self._file.seek(0)
            self._file.truncate()
            self.digest = hashlib.sha256()
            self.received = 0
        self.expected = self.received + int(length) if length else None
        return thrown_away

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        self.digest.update(chunk)
        self.received += len(chunk)

    @property
    def is_whole(self) -> bool:
        return self.expected is None or self.received == self.expected


def _failed(wanted: LockedDistribution, fault: str, hint: str) -> UnreachableError:
    return UnreachableError(
        "download-failed",
        f"{wanted.filename} can't be downloaded from {public(wanted.url)}: {fault}",
        hint=hint,
    )


def _refuse_errors(response: Response, wanted: LockedDistribution) -> None:
    from azpack.deps.session import PROXY_REFUSES

    status = response.status_code
    if status == 407:
        hint = connection_hint("proxy authentication required") or ""
        raise _failed(wanted, PROXY_REFUSES, hint)
    if status in (401, 403):
        raise UnreachableError(
            "index-refused",
            f"{public(response.url)} refuses the credentials ({status} {response.reason})",
            hint="put user and password in netrc, keyring, or the index's URL as ${NAME}",
        )
    if status not in (200, 206):
        raise WheelError(
            "not-on-index",
            f"{wanted.filename} is not at {public(wanted.url)}: {status} {response.reason}",
            hint="the index may have removed it: lock again",
        )
