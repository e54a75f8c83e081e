"""Looking for a secret wherever azpack may have left it."""

from __future__ import annotations

import base64
import re
import zipfile
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from tests.commands import Done

__all__ = ["CommandLines", "forms_of", "places_that_tell"]


def forms_of(secret: str, user: str) -> set[bytes]:
    """A password plain, percent-encoded in every way, and as basic authentication has it."""
    forms = {secret, quote_plus(secret)}
    forms |= {quote(secret, safe=safe) for safe in ("", "/", "+", "@", "/+", "/@", "+@", "/+@")}
    forms |= {re.sub("%..", lambda it: it[0].lower(), form) for form in forms}
    forms |= {base64.b64encode(f"{user}:{secret}".encode()).decode()}
    forms |= {secret.encode("unicode_escape").decode()}
    return {form.encode() for form in forms}


def places_that_tell(forms: set[bytes], done: Done, *folders: Path) -> list[str]:
    """The streams of a command, and the files below folders, zipped or not, that hold a form."""
    told = {"stdout": done.stdout, "stderr": done.stderr.encode()}
    for folder in folders:
        for path in folder.rglob("*"):
            told[f"the name of {path}"] = str(path).encode()
            if not path.is_file():
                continue
            told[str(path)] = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as opened:
                    for name in opened.namelist():
                        told[f"{path}: {name}"] = name.encode() + opened.read(name)
    return [place for place, content in told.items() if any(form in content for form in forms)]


class CommandLines:
    """Reads the command lines of all processes while the block lasts; `telling` hold a form."""

    def __init__(self, forms: set[bytes]) -> None:
        self.telling: set[bytes] = set()
        self.programs: set[str] = set()
        self._forms = forms
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            for folder in Path("/proc").iterdir():
                if not folder.name.isdecimal():
                    continue
                try:
                    line = (folder / "cmdline").read_bytes()
                except OSError:  # it has ended
                    continue
                program = line.split(b"\0")[0].rpartition(b"/")[2]
                self.programs.add(program.decode(errors="replace"))
                if any(form in line for form in self._forms):
                    self.telling.add(line)
