"""Compiles Python sources: a program of its own, run by an interpreter of the target's version.

    python -s -S -B compile_driver.py MAGIC JOBS OUT

JOBS has a batch in each line, as JSON: a list of [number, name, file, offset, length, method], the
place of a source within a file, stored or deflated (8), and the name that its code is to bear. In
the folder OUT the bytecode of a source is written to NUMBER, or why there is none to NUMBER.error.
Nothing of what is compiled is run. The exit code is 3 where the interpreter's bytecode is not
that of MAGIC, and 4 where a file can't be read or written.

What a process has compiled before shows in what it compiles next: marshal marks an object that
something else refers to, and strings are shared while another module holds them. So each batch is
compiled in a fork of a process that has compiled nothing, and PYTHONHASHSEED has to be 0, since
sets are in bytecode too. Then the same batch gives the same bytes (python/cpython#78274).
"""

from __future__ import annotations

import json
import marshal
import os
import sys
import zlib
from importlib.util import MAGIC_NUMBER, source_hash
from typing import NoReturn

# number, name, file, offset, length, method
Source = tuple[int, str, str, int, int, int]

# Flags of PEP 552: made of a source with this hash, which is not to be compared at import.
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
# The exit code.
# Exit codes.
ANOTHER_PYTHON = 3
FILES_FAILED = 4


def main(magic: str, jobs: str, out: str) -> int:
    """Compile all batches; the exit code."""
    if magic != str(int.from_bytes(MAGIC_NUMBER[:2], "little")):
        return ANOTHER_PYTHON
    _write(f"{out}/interpreter", "{}.{}.{}".format(*sys.version_info).encode())
    with open(jobs, encoding="utf-8") as lines:
        for line in lines:
            if code := compile_batch(json.loads(line), out):
                return code
    return 0


def compile_batch(batch: list[Source], out: str) -> int:
    """Compile a batch in a child; where it dies of a source, go on behind that one."""
    while batch:
        child = os.fork()
        if not child:
            _compile_and_exit(batch, out)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        done = next(i for i, source in enumerate(batch) if not _is_done(f"{out}/{source[0]}"))
        _write(f"{out}/{batch[done][0]}.error", b"0:the interpreter crashes")
        batch = batch[done + 1 :]
    return 0


def _compile_and_exit(batch: list[Source], out: str) -> NoReturn:
    code = FILES_FAILED
    try:
        for number, name, file, offset, length, method in batch:
            source = _read(file, offset, length, method)
            try:
                _write(f"{out}/{number}", _compile(source, name))
            except OSError:
                raise
            except Exception as error:  # whatever a source does to a compiler
                _write(f"{out}/{number}.error", _reason(error).encode(errors="replace"))
        code = 0
    except (OSError, zlib.error) as error:
        os.write(2, str(error).encode(errors="replace"))
    finally:
        os._exit(code)


def _read(file: str, offset: int, length: int, method: int) -> bytes:
    with open(file, "rb", buffering=0) as opened:
        content = os.pread(opened.fileno(), length, offset)
    return zlib.decompress(content, -zlib.MAX_WBITS) if method else content


def _compile(source: bytes, name: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(source) + marshal.dumps(code)


def _reason(error: Exception) -> str:
    """The line, 0 where none is known, and what is wrong there."""
    if isinstance(error, SyntaxError):
        return f"{error.lineno or 0}:{error.msg}"
    return f"0:{error}" if str(error) else f"0:{type(error).__name__}"


def _is_done(path: str) -> bool:
    return os.path.exists(path) or os.path.exists(f"{path}.error")


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
