"""Inspect damaged zips for a while: `python -m tests.fuzz_inspect --seconds 60`, or `make fuzz`.

Each is one of three kinds: a sound zip, by several programs, with some bytes changed; a sound zip
whose files were changed; or a package that is made to take long (`tests.hostile`), of a chance
size. What may come of it is an inspection, or the error of a damaged file; all else, more than
20 s of the processor or more than 400 MB is a fault: then the zip is kept, its path and the
traceback are printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from azpack.errors import FileError
from azpack.package.inspection import inspect_package, inspection_table
from azpack.report.overview import overview_lines
from tests.hostile import LARGEST, write_hostile
from tests.objects import make_object
from tests.packages import APP, distribution, raw_zip, write_package

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 20  # of the processor
_MEMORY = 400 << 20
_SIGNATURES = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7")
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def main() -> int:
    """Fuzz; 1 where a fault was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    signal.signal(signal.SIGPROF, _too_slow)
    chance = random.Random(arguments.seed)  # noqa: S311  # nothing secret
    print(f"seed {arguments.seed}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="azpack-fuzz-") as folder:
        return _fuzz(Path(folder), chance, arguments.seconds)


def _fuzz(folder: Path, chance: random.Random, seconds: float) -> int:
    samples = [path.read_bytes() for path in _samples(folder)]
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    case = folder / "app.zip"
    end = time.monotonic() + seconds
    sound = damaged = 0
    while time.monotonic() < end:
        _write_case(case, samples, chance)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        try:
            inspection = inspect_package(case)
            inspection_table(inspection)
            overview_lines(inspection)
            sound += 1
        except FileError:
            damaged += 1
        except BaseException:
            signal.setitimer(signal.ITIMER_PROF, 0)
            kept = Path(tempfile.gettempdir(), f"azpack-fuzz-{time.time_ns()}.zip")
            shutil.copy(case, kept)
            traceback.print_exc()
            print(f"fault: {kept}", file=sys.stderr)  # noqa: T201
            return 1
        signal.setitimer(signal.ITIMER_PROF, 0)
    print(f"{sound} inspected, {damaged} refused as damaged, no fault")  # noqa: T201
    return 0


def _too_slow(_signal: int, _frame: object) -> NoReturn:
    raise TimeoutError(f"more than {_SECONDS} s")


_LONGEST = 1 << 20
_WORDS = (
    b"\0", b"\n", b"\xff", b"\\", b'"', b"'''", b"(", b"[" * 300, b"}", b"#", b"99999",
    b"9" * 5000,
    b"0x" + b"f" * 5000, b"\\u001b[31m", b"import ", b"from . import x\n", b"__app__.", b"@app.",
    b"def main(x):\n", b"app.register_functions(app)\n", b"f'{x}'", b"$return", b"httpTrigger",
    b"Requires-Dist: one[x]; extra == 'y'\n", b"-r requirements.txt\n", b"; ", b"==1.0", b"../",
    b"GLIBC_", b"*", b"-",
    b"AccountKey=", b"sig=", b"server=", b"password=", b"# azpack: ignore[AZP1]\n", b"[4.*, 5.0.0)",
)  # fmt: skip
_NATIVE = {
    "one/_one.cpython-311-x86_64-linux-gnu.so": make_object(symbols=["PyInit__one"]),
    "one/__init__.py": b"import two\n",
}
_FILES = {
    **APP,
    **distribution("one", files=_NATIVE, tags=["cp311-cp311-manylinux_2_17_x86_64"]),
    **distribution("two", requires=["one>=1", 'three; extra == "x"']),
    "requirements.txt": b"one[x]\n-r more.txt\n",
    "more.txt": b"two==1\n",
    "Fn/function.json": b'{"scriptFile": "__init__.py", "bindings": [{"name": "x", "type": '
    b'"queueTrigger", "direction": "in"}, {"name": "$return", "type": "http", '
    b'"direction": "out"}]}',
    "Fn/__init__.py": b"import azure.functions as func\nfrom ..shared import y\n\n\n"
    b"def main(x: func.QueueMessage) -> str:\n    return y\n",
    "shared.py": b"import azure.functions as func\n\nbp = func.Blueprint()\n"
    b"y = [1, 'a'] + [2]\n\n\n"
    b"@bp.queue_trigger(arg_name='x', queue_name=f'{y}', connection='')\ndef f(x): pass\n",
}


def _samples(folder: Path) -> Iterator[Path]:
    """Sound packages: by Python, by bare structures, and by the programs zip, jar and 7z."""
    files = _FILES
    whole = write_package(folder / "python.zip", files)
    yield whole
    macos = folder / "macos.zip"
    entries = [*files.items(), ("__MACOSX/._host.json", b"\0\5\x16\7"), (".DS_Store", b"\0")]
    macos.write_bytes(raw_zip(((path.encode(), c) for path, c in entries), on_macos=True))
    yield macos
    raw = folder / "raw.zip"
    names = [(path.replace("/", "\\").encode(), content) for path, content in files.items()]
    raw.write_bytes(raw_zip(names, fields={names[0][0]: {"method": 0}}))
    yield raw
    source = folder / "source"
    with zipfile.ZipFile(whole) as archive:
        archive.extractall(source)  # our own
    (source / "link").symlink_to("host.json")
    for name, command in {
        "zip": ["zip", "-qry"], "streamed": ["zip", "-qr", "-fd"], "jar": ["jar", "-cfM"],
        "7z": ["7z", "a", "-tzip"],
    }.items():  # fmt: skip
        made = folder / f"made-by-{name}.zip"
        if shutil.which(command[0]):
            subprocess.run([*command, made, "."], cwd=source, check=True, stdout=subprocess.DEVNULL)
            yield made


def _write_case(case: Path, samples: list[bytes], chance: random.Random) -> None:
    kind = chance.choice(("bytes", "files", "files", "hostile"))
    if kind == "bytes":
        case.write_bytes(_changed(samples, chance))
    elif kind == "files":
        files = {**_FILES}
        for path in chance.choices([*files], k=chance.choice((1, 2, 4))):
            files[path] = _changed_text(files[path], chance)
        case.write_bytes(raw_zip((path.encode(), content) for path, content in files.items()))
    else:
        write_hostile(case, chance.choice([*LARGEST]), share=chance.random() ** 4 / 10)


def _changed_text(content: bytes, chance: random.Random) -> bytes:
    """Some bytes moved, doubled, repeated, or replaced by what means something somewhere."""
    text = bytearray(content)
    for _ in range(chance.choice((1, 2, 4, 16))):
        start, target = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        piece = bytes(text[start : min(target, start + chance.choice((1, 8, 80)))])
        piece = chance.choice((piece, piece * 2, piece * chance.randrange(300), b"", *_WORDS))
        text[target : target + chance.choice((0, 0, 1, len(piece)))] = piece
    return bytes(text[:_LONGEST])


def _changed(samples: list[bytes], chance: random.Random) -> bytes:
    content = bytearray(chance.choice(samples))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        chance.choice((_flip, _set_field, _set_field, _move, _cut, _splice))(
            content, chance, samples
        )
    return bytes(content)


def _flip(content: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if content:
        content[chance.randrange(len(content))] = chance.randrange(256)


def _set_field(content: bytearray, chance: random.Random, _: list[bytes]) -> None:
    """Write a number of interest into a header."""
    start = content.find(chance.choice(_SIGNATURES), chance.randrange(len(content) + 1))
    if start >= 0:
        form = chance.choice(["<B", "<H", "<L", "<Q"])
        offset = start + chance.randrange(4, 56)
        value = chance.choice((*_NUMBERS, len(content), chance.randrange(1 << 16)))
        if offset + struct.calcsize(form) <= len(content):
            limit = (1 << 8 * struct.calcsize(form)) - 1
            struct.pack_into(form, content, offset, min(value, limit))


def _move(content: bytearray, chance: random.Random, _: list[bytes]) -> None:
    """Copy a piece over another place, or between."""
    start, target = (chance.randrange(len(content) + 1) for _ in range(2))
    piece = content[start : start + chance.randrange(200)]
    content[target : target + chance.choice((0, len(piece)))] = piece


def _cut(content: bytearray, chance: random.Random, _: list[bytes]) -> None:
    start = chance.randrange(len(content) + 1)
    del content[start : start + chance.choice((1, 10, 1000))]


def _splice(content: bytearray, chance: random.Random, samples: list[bytes]) -> None:
    """Put the end of another zip behind the start of this one."""
    other = chance.choice(samples)
    content[chance.randrange(len(content) + 1) :] = other[chance.randrange(len(other)) :]


if __name__ == "__main__":
    sys.exit(main())
