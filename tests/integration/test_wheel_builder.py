"""Builds with real uv, backends, compilers and interpreters; what comes out is judged, too."""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.deps.interpreters import find_interpreter
from azpack.deps.native import fitting_tag
from azpack.deps.place import Host
from azpack.deps.wheel_builder import build_wheel
from azpack.errors import FileError, UnreachableError, WheelError
from azpack.target.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
FLIT = '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
PROJECT = '[project]\nname = "pure"\nversion = "1.0"\n'
# A backend within the source needs no index.
OWN_BACKEND = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
EXTENSION = """
#include <Python.h>
{before}
static PyObject *run(PyObject *self, PyObject *arguments) {{ {body} }}
static PyMethodDef methods[] = {{{{"run", run, METH_NOARGS, ""}}, {{0}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "native", "", -1, methods}};
PyMODINIT_FUNC PyInit_native(void) {{ return PyModule_Create(&module); }}
"""
SETUP = """
from setuptools import Extension, setup
setup(name="native", version="1.0", ext_modules=[Extension("native", ["native.c"]{more})])
"""


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "SOURCE_DATE_EPOCH"))
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_PYTHON_DOWNLOADS": "never"}


class Builder:
    """Builds in a new folder each time; `lines` is what was logged."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.lines: list[str] = []
        self.count = 0

    def __call__(self, source: Path, python: str = "3.12", *, checkout: Path | None = None) -> Path:
        self.count += 1
        folder = self.folder / f"build{self.count}"
        folder.mkdir()
        wheel = build_wheel(
            source,
            target=target_of(python),
            place=Host(self.environment, self.lines.append),
            folder=folder,
            log=self.lines.append,
            checkout=checkout,
        )
        assert list(folder.iterdir()) == [wheel]
        return wheel


@pytest.fixture
def build(tmp_path: Path, environment: dict[str, str]) -> Builder:
    return Builder(tmp_path, environment)


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    def write(files: Mapping[str, str], name: str = "pure-1.0") -> Path:
        for path, text in files.items():
            place = tmp_path / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return tmp_path / name

    return write


def target_of(python: str) -> Target:
    return find_target(Path(os.devnull), python=python)


def sdist_of(tree: Path) -> Path:
    sdist = tree.parent / f"{tree.name}.tar.gz"
    with tarfile.open(sdist, "w:gz") as tar:
        tar.add(tree, tree.name)
    return sdist


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def hostile(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    sdist = tmp_path / "hostile-1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return sdist


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    info.size = 1 if kind == tarfile.REGTYPE else 0
    return info


def fails(build: Builder, source: Path, code: str) -> WheelError:
    with pytest.raises(WheelError) as caught:
        build(source)
    assert caught.value.code == code
    assert caught.value.hint
    assert not list(build.folder.glob(f"build{build.count}/*")), "something is left over"
    return caught.value


# ---- pure Python


@pytest.mark.parametrize("build_system", [SETUPTOOLS, HATCHLING, FLIT])
def test_a_pure_sdist_fits_every_target(
    build: Builder, tree: Callable[..., Path], build_system: str
) -> None:
    source = tree({"pyproject.toml": build_system + PROJECT + 'description = "d"\n',
                   "pure/__init__.py": '"""Pure."""\n'})  # fmt: skip
    wheel = build(sdist_of(source))
    assert "pure/__init__.py" in names(wheel)
    assert {fitting_tag(wheel, target_of(python)) for python in ("3.11", "3.13")} == {
        "py3-none-any"
    }


def test_a_source_folder_is_not_written_to_and_the_wheel_is_the_same_each_time(
    build: Builder, tree: Callable[..., Path]
) -> None:
    source = tree(
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='pure', version='1.0', packages=['pure'])\n",
            "pure/__init__.py": "",
            "build/lib/pure/stale.py": "",
            "build/bdist.linux/pure/stale.py": "",
            ".venv/pyvenv.cfg": "",
            "other/pyvenv.cfg": "",
        }
    )
    (source / "pure" / "outside").symlink_to(build.folder)
    (source / "pure" / "inside.py").symlink_to(source / "pure" / "__init__.py")
    (source / "pure" / "loop").symlink_to("loop")
    os.mkfifo(source / "pipe")
    (source / "build3").mkdir()
    before = content_of(source)
    first, second = build(source), build(source)
    assert content_of(source) == before
    assert first.read_bytes() == second.read_bytes()
    modules = {name for name in names(first) if name.endswith(".py")}
    assert modules == {"pure/__init__.py", "pure/inside.py"}
    assert any("pure/outside is left out" in line for line in build.lines)
    assert all(info.date_time[0] == 1980 for info in zipfile.ZipFile(first).infolist())


def test_the_folder_to_build_in_may_lie_in_the_source(
    build: Builder, tree: Callable[..., Path]
) -> None:
    source = tree({"pyproject.toml": SETUPTOOLS + PROJECT, "pure.py": ""})
    build.folder = source
    assert "pure.py" in names(build(source))


def test_the_backend_sees_no_credentials(build: Builder, tree: Callable[..., Path]) -> None:
    source = tree(
        {
            "pyproject.toml": OWN_BACKEND,
            "own.py": "import os\n"
            "def build_wheel(folder, settings=None, metadata=None):\n"
            "    for item in sorted(os.environ.items()):\n"
            "        print('%s=%s' % item)\n"
            "    print('cloned https://user:s3cret@host/x')\n"
            "    open(folder + '/pure-1.0-py3-none-any.whl', 'w').close()\n"
            "    return 'pure-1.0-py3-none-any.whl'\n",
        }
    )
    build.environment |= {
        "UV_INDEX": "https://user:s3cret@one/simple",
        "UV_DEFAULT_INDEX": "https://user:s3cret@two/simple",
        "PIP_INDEX_URL": "https://user:s3cret@three/simple",
        "PIP_FIND_LINKS": "https://user:s3cret@four/",
        "AZPACK_INDEX_URL": "https://user:s3cret@five/simple",
        "PYTHONPATH": "/nowhere",
        "GIT_DIR": "/nowhere",
        "KEPT": "yes",
    }
    build(source)
    output = "\n".join(build.lines)
    assert "s3cret" not in output
    assert "https://****@host/x" in output
    assert {"KEPT=yes", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800"} <= set(build.lines)
    assert "/nowhere" not in output


@pytest.mark.usefixtures("git")
def test_the_version_is_taken_from_git(build: Builder, tree: Callable[..., Path]) -> None:
    source = tree(
        {
            "sub/pyproject.toml": '[build-system]\nrequires = ["setuptools", "setuptools-scm"]\n'
            '[project]\nname = "pure"\ndynamic = ["version"]\n[tool.setuptools_scm]\nroot = ".."\n',
            "sub/pure.py": "",
        }
    )
    for command in ("init -q", "add .", "commit -qm one", "tag v1.2.3"):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command.split()],
            cwd=source, check=True,
        )  # fmt: skip
    before = content_of(source)
    assert build(source / "sub", checkout=source).name == "pure-1.2.3-py3-none-any.whl"
    assert content_of(source) == before
    with pytest.raises(WheelError, match="can't be built") as caught:
        build(source / "sub")
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" in caught.value.hint


# ---- native code


def extension(
    tree: Callable[..., Path], body: str = "Py_RETURN_NONE;", before: str = "", more: str = ""
) -> Path:
    return tree(
        {
            "pyproject.toml": SETUPTOOLS,
            "setup.py": SETUP.format(more=more),
            "native.c": EXTENSION.format(body=body, before=before),
        },
        name="native-1.0",
    )


def auditwheel_says(wheel: Path) -> str:
    from auditwheel.wheel_abi import analyze_wheel_abi  # type: ignore[import-untyped]

    info = analyze_wheel_abi(
        None, None, wheel, frozenset(), disable_isa_ext_check=False, allow_graft=False
    )
    return str(info.overall_policy.name)


@pytest.mark.usefixtures("compiler", "pythons")
def test_an_extension_is_built_by_the_targets_python(
    build: Builder, tree: Callable[..., Path]
) -> None:
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    wheel = build(sdist_of(extension(tree)), other)
    interpreter = "cp" + other.replace(".", "")
    platform = auditwheel_says(wheel)
    assert fitting_tag(wheel, target_of(other)) == f"{interpreter}-{interpreter}-{platform}"
    with pytest.raises(WheelError, match=f"it is for {interpreter}-{interpreter}") as caught:
        fitting_tag(wheel, target_of("3.11"))
    assert caught.value.code == "does-not-fit"
    assert "uv python install 3.11" in caught.value.hint


@pytest.mark.usefixtures("compiler", "pythons")
def test_symbols_newer_than_the_targets_glibc(build: Builder, tree: Callable[..., Path]) -> None:
    source = extension(
        tree,
        before="#include <dlfcn.h>\n#include <pthread.h>\n"
        "static void *start(void *given) { return dlopen(given, 1); }",
        body="pthread_t t; pthread_create(&t, 0, start, 0); Py_RETURN_NONE;",
    )
    wheel = build(source, "3.11")
    with pytest.raises(WheelError) as caught:
        fitting_tag(wheel, target_of("3.11"))
    assert caught.value.code == "does-not-fit"
    assert "native.cpython-311-x86_64-linux-gnu.so needs GLIBC_2.34" in caught.value.message
    assert "glibc 2.31" in caught.value.message
    wheel = build(source, "3.12")
    assert fitting_tag(wheel, target_of("3.12")) == "cp312-cp312-manylinux_2_34_x86_64"
    assert auditwheel_says(wheel) == "manylinux_2_34_x86_64"


@pytest.mark.usefixtures("compiler", "pythons")
def test_libraries_that_azure_need_not_have(
    build: Builder, tree: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "own.c").write_text("int own(void) { return 1; }\n")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", "libown.so", "own.c", "-Wl,-soname,libown.so.1"],
        cwd=tmp_path,
        check=True,
    )
    more = f', libraries=["own"], library_dirs=[{str(tmp_path)!r}]'
    source = extension(
        tree, before="int own(void);", body="return PyLong_FromLong(own());", more=more
    )
    with pytest.raises(WheelError, match=r"native\S+ needs libown\.so\.1, which") as caught:
        fitting_tag(build(source), target_of("3.12"))
    assert "glibc" not in caught.value.hint


@pytest.mark.usefixtures("compiler", "pythons")
def test_an_extension_is_the_same_wherever_it_is_built(
    build: Builder, tree: Callable[..., Path], tmp_path: Path
) -> None:
    source = extension(tree)
    build.environment["CPPFLAGS"] = "-DNDEBUG"
    first = build(source)
    build.folder = tmp_path / "another"
    build.folder.mkdir()
    assert build(source).read_bytes() == first.read_bytes()
    build.folder = tmp_path / "with space"
    build.folder.mkdir()
    assert names(build(source)) == names(first)


def test_without_the_targets_python_this_one_builds(
    build: Builder, tree: Callable[..., Path]
) -> None:
    assert find_interpreter("3.99", build.environment) is None
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    build.environment |= {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "PYENV_ROOT": "/nowhere"}
    build.environment["UV_PYTHON_INSTALL_DIR"] = "/nowhere"
    wheel = build(tree({"pyproject.toml": SETUPTOOLS + PROJECT, "pure.py": ""}), other)
    assert fitting_tag(wheel, target_of(other)) == "py3-none-any"
    assert any(f"no Python {other} here" in line for line in build.lines)


@pytest.mark.usefixtures("pythons")
def test_interpreters_are_found(environment: dict[str, str]) -> None:
    own = "{}.{}".format(*sys.version_info)
    assert find_interpreter(own, environment) == Path(sys.executable)
    for python in ("3.10", "3.11", "3.12", "3.13"):
        found = find_interpreter(python, {**environment, "PYTHONHOME": "/nowhere"})
        assert found is not None, f"this machine has no Python {python}"
        shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.startswith(f"Python {python}.")


# ---- what goes wrong


@pytest.mark.usefixtures("compiler", "pythons")
def test_a_compiler_that_fails_is_quoted_and_explained(
    build: Builder, tree: Callable[..., Path]
) -> None:
    error = fails(build, extension(tree, before="#include <absent.h>"), "build-failed")
    assert "native-1.0 can't be built: its build backend ended with exit code 1" in error.message
    assert "absent.h" in error.message
    assert error.hint.startswith("the header absent.h is missing")
    output = error.context["output"]
    assert isinstance(output, list)
    assert 5 < len(output) <= 30
    assert any("absent.h" in line for line in build.lines)


def test_no_compiler(build: Builder, tree: Callable[..., Path]) -> None:
    build.environment |= {"CC": "/nowhere/gcc"}
    assert "no C or C++ compiler" in fails(build, extension(tree), "build-failed").hint


@pytest.mark.parametrize(
    ("pyproject", "code", "said"),
    [
        ("[build-system\n", "bad-project", "pyproject.toml"),
        ("[build-system]\nrequires = 1\n", "bad-project", "array of strings"),
        ("[build-system]\nrequires = []\nbackend-path = ['..']\n", "bad-project", "inside"),
        (OWN_BACKEND, "build-failed", "'own' can't be imported"),
        ("[build-system]\nrequires = ['--x']\n", "build-requirements", "--x"),
        ("[build-system]\nrequires = ['pip==0.0.0.1']\n", "build-requirements", "pip"),
    ],
)
def test_a_broken_pyproject(
    build: Builder, tree: Callable[..., Path], pyproject: str, code: str, said: str
) -> None:
    error = fails(build, tree({"pyproject.toml": pyproject}), code)
    assert said in error.message
    assert str(build.folder / "build1") not in error.message.splitlines()[0]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("import missing_module", "No module named 'missing_module'"),
        ("x = 1", "build_wheel"),
        ("def build_wheel(*_): return '../../x.whl'", "made no wheel"),
        ("def build_wheel(*_): return 'x-1-py3-none-any.whl'", "made no wheel"),
        ("def build_wheel(*_): return None", "PEP 517"),
        ("def get_requires_for_build_wheel(*_): return [1]", "PEP 517"),
        ("def get_requires_for_build_wheel(*_): return 1", "PEP 517"),
        ("import os\ndef build_wheel(*_): os.kill(os.getpid(), 9)", "signal 9"),
        ("import os\ndef build_wheel(*_): os._exit(0)", "PEP 517"),
    ],
)
def test_a_broken_backend(
    build: Builder, tree: Callable[..., Path], backend: str, said: str
) -> None:
    source = tree({"pyproject.toml": OWN_BACKEND, "own.py": backend})
    assert said in fails(build, source, "build-failed").message


def test_not_a_project(build: Builder, tree: Callable[..., Path]) -> None:
    assert "neither pyproject.toml nor" in fails(build, tree({"x.py": ""}), "not-a-project").message
    assert "no such file" in fails(build, build.folder / "absent", "not-a-project").message
    source = tree({"pyproject.toml": SETUPTOOLS + PROJECT})
    with pytest.raises(WheelError, match="no such file or folder"):
        build(source / "..", checkout=source)


def test_a_source_that_can_not_be_read(
    build: Builder, tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, _: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(FileError, match="No space left on device"):
        build(tree({"pyproject.toml": SETUPTOOLS + PROJECT}))


def test_an_index_that_does_not_answer(build: Builder, tree: Callable[..., Path]) -> None:
    build.environment |= {
        "UV_DEFAULT_INDEX": "http://user:s3cret@127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "UV_NO_CACHE": "1",
    }
    with pytest.raises(UnreachableError) as caught:
        build(tree({"pyproject.toml": SETUPTOOLS + PROJECT}))
    assert "s3cret" not in f"{caught.value.message}{caught.value.context}{build.lines}"


# ---- archives


@pytest.mark.parametrize("with_filter", [True, False])
@pytest.mark.parametrize(
    "members",
    [
        [member("../x")],
        [member("top/../../x")],
        [member("/tmp/azpack-x")],  # noqa: S108
        [member("top/l", tarfile.SYMTYPE, "/etc"), member("top/l/x")],
        [member("top/l", tarfile.SYMTYPE, "../.."), member("top/l/x")],
        [member("top/l", tarfile.LNKTYPE, "/etc/passwd")],
        [member("top/null", tarfile.CHRTYPE)],
        [member("top/pipe", tarfile.FIFOTYPE)],
    ],
)
def test_a_hostile_tar(
    build: Builder,
    tmp_path: Path,
    members: list[tarfile.TarInfo],
    with_filter: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not with_filter:
        monkeypatch.delattr(tarfile, "data_filter")
    before = set(tmp_path.parent.iterdir())
    fails(build, hostile(tmp_path, *members), "bad-sdist")
    assert set(tmp_path.parent.iterdir()) == before
    assert not Path("/tmp/azpack-x").exists()  # noqa: S108


def test_archives_that_are_none(build: Builder, tmp_path: Path) -> None:
    whole = hostile(tmp_path, member("top/setup.py"), member("top/" + "x" * 90)).read_bytes()
    for number, content in enumerate(
        (b"", b"no archive", whole[: len(whole) // 2], gzip.compress(b"no tar"), whole + b"x"[:0])
    ):
        sdist = tmp_path / f"broken-{number}.tar.gz"
        sdist.write_bytes(content)
        if content != whole:
            fails(build, sdist, "bad-sdist")
    for number, content in enumerate((b"", b"PK\3\4", whole)):
        sdist = tmp_path / f"broken-{number}.zip"
        sdist.write_bytes(content)
        fails(build, sdist, "bad-sdist")


def test_one_top_folder(build: Builder, tmp_path: Path) -> None:
    for members in ([], [member("setup.py")], [member("a/setup.py"), member("b/x")]):
        error = fails(build, hostile(tmp_path, *members), "bad-sdist")
        assert "one top folder" in error.message


def test_zips(build: Builder, tmp_path: Path) -> None:
    sdist = tmp_path / "pure-1.0.zip"
    script = zipfile.ZipInfo("pure-1.0/configure")
    script.external_attr = 0o100755 << 16
    with zipfile.ZipFile(sdist, "w") as opened:
        opened.writestr("pure-1.0/pyproject.toml", OWN_BACKEND)
        opened.writestr(script, "#!/bin/sh\necho configured\n")
        opened.writestr(
            "pure-1.0/own.py",
            "import subprocess\n"
            "def build_wheel(folder, *_):\n"
            "    subprocess.run(['./configure'], check=True)\n"
            "    open(folder + '/pure-1.0-py3-none-any.whl', 'w').close()\n"
            "    return 'pure-1.0-py3-none-any.whl'\n",
        )
    build(sdist)
    assert "configured" in build.lines
    link = zipfile.ZipInfo("top/link")
    link.external_attr = 0o120777 << 16
    for hostile_name in ("../x", "/x", "top\\..\\..\\x", link):
        with zipfile.ZipFile(sdist, "w") as opened:
            opened.writestr(hostile_name, "x")
        fails(build, sdist, "bad-sdist")
