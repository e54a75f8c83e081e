"""Distributions with code to be compiled, and their own build backend: they need no index."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["MODULE", "SHARED_LIBRARY", "native_files", "pack_sdist"]

_BACKEND = """
import hashlib, os, subprocess, sys, sysconfig, zipfile
NAME, VERSION, SOURCE, OPTIONS = {name!r}, {version!r}, {source!r}, {options!r}

def build_wheel(folder, settings=None, metadata=None):
{before}
    tag = "cp%d%d" % sys.version_info[:2]
    module = NAME + sysconfig.get_config_var("EXT_SUFFIX")
    compiler = "g++" if SOURCE.endswith("pp") else "gcc"
    command = [compiler, "-shared", "-fPIC", "-O1", "-I" + sysconfig.get_path("include"),
               SOURCE, "-o", module, *OPTIONS]
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True)
    wheel = "%s-%s-%s-%s-linux_x86_64.whl" % (NAME, VERSION, tag, tag)
    info = "%s-%s.dist-info/" % (NAME, VERSION)
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as opened:
        opened.write(module)
        opened.writestr(info + "METADATA",
                        "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (NAME, VERSION))
        opened.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\n"
                        "Root-Is-Purelib: false\\nTag: %s-%s-linux_x86_64\\n" % (tag, tag))
        names = [name for name in opened.namelist()] + [info + "RECORD"]
        opened.writestr(info + "RECORD", "".join(name + ",,\\n" for name in names))
    return wheel
"""

# A module whose function `answer` returns what the expression comes to.
MODULE = """
#include <Python.h>
{before}
static PyObject *answer(PyObject *self, PyObject *arguments) {{ return PyLong_FromLong({value}); }}
static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, ""}}, {{0}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", "", -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""

# A command that compiles a small library where the linker and the loader find it.
SHARED_LIBRARY = (
    "printf 'int deep_thought(void) { return 42; }' > /tmp/deep.c && "
    "gcc -shared -fPIC -Wl,-soname,libdeep.so.1 -o /usr/local/lib/libdeep.so.1 /tmp/deep.c && "
    "ln -sf libdeep.so.1 /usr/local/lib/libdeep.so && ldconfig"
)


def native_files(
    name: str,
    version: str = "1.0",
    *,
    value: str = "42",
    before: str = "",
    options: Sequence[str] = (),
    language: str = "c",
    script: str = "pass",
    requires_build: Sequence[str] = (),
) -> dict[str, str]:
    """The files of a distribution with one extension module, `name`, and its function `answer`.

    `value` is what that returns, in C, and `before` stands before it; `options` are for the linker.
    `script` is Python that runs before the compiler.
    """
    source = f"{name}.{language}"
    lines = "\n".join(f"    {line}" for line in script.splitlines())
    return {
        "pyproject.toml": f"[build-system]\nrequires = {list(requires_build)}\n"
        'build-backend = "own"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n',
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        "own.py": _BACKEND.format(
            name=name, version=version, source=source, options=list(options), before=lines
        ),
        source: MODULE.format(name=name, value=value, before=before),
    }


def pack_sdist(folder: Path, name: str, files: Mapping[str, str], version: str = "1.0") -> Path:
    """Pack files to an sdist in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{member}")
            content = text.encode()
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path
