from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps import pip_tools_home, uv
from azpack.deps.index import IndexSettings
from azpack.deps.lock import Lock
from azpack.deps.pip_tools import pip_environment, resolve
from azpack.deps.requirements import Requirement, Requirements
from azpack.deps.resolver import Freedom, NoFittingWheelError
from azpack.errors import AzpackError, ResolutionError, UnreachableError, UsageError
from azpack.progress import Progress
from azpack.store import Store
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = find_target(Path("/project"), python="3.11")
LINUX = ["CPython", "3.11", "Linux", "x86_64", True, "glibc", "3.11.2"]
SHA = "ab" * 32
PYLOCK = f"""
lock-version = "1.0"
created-by = "azpack"
[[packages]]
name = "kept"
version = "1.0"
wheels = [{{ url = "https://x/kept-1.0-py3-none-any.whl", hashes = {{ sha256 = "{SHA}" }} }}]
[[packages]]
name = "renewed"
version = "2.0"
sdist = {{ url = "https://x/renewed-2.0.tar.gz", hashes = {{ sha256 = "{SHA}" }} }}
[[packages]]
name = "elsewhere"
version = "3.0"
archive = {{ url = "https://x/elsewhere-3.0.tar.gz", hashes = {{ sha256 = "{SHA}" }} }}
[[packages]]
name = "folder"
directory = {{ path = "lib" }}
"""


def required(*lines: str, **more: Any) -> Requirements:
    entries = tuple(
        Requirement(text=line, place=f"requirements.txt:{number}")
        for number, line in enumerate(lines, 1)
    )
    return Requirements(
        kind="requirements", files=("requirements.txt",), digest="d", requirements=entries, **more
    )


class Log(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


class Calls:
    """In the place of programs: what they were called with, and what they answer."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "cache")
        self.log = Log()
        self.found: Path | None = Path("/pythons/3.11")
        self.interpreter = LINUX
        self.made: list[tuple[Path, tuple[str, ...]]] = []
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.folder: Path | None = None
        self.files: dict[str, str] = {}
        self.pins = ""
        self.error = ""
        self.logged = ""
        self.asked_uv: list[tuple[Requirements, Freedom]] = []
        self.error_of_uv: AzpackError | None = None

    def run(self, command: Sequence[Any], **settings: Any) -> subprocess.CompletedProcess[str]:
        assert settings["stdin"] == subprocess.DEVNULL
        words = list(map(str, command))
        if "-c" in words:
            return subprocess.CompletedProcess(words, 0, json.dumps(self.interpreter), "")
        self.command, self.environment, self.folder = words, settings["env"], settings["cwd"]
        output = Path(words[words.index("--output-file") + 1])
        self.files = {path.name: path.read_text() for path in output.parent.iterdir()}
        output.write_text(self.pins)
        Path(self.environment["PIP_LOG"]).write_text(self.logged)
        return subprocess.CompletedProcess(words, 1 if self.error else 0, "", self.error)

    def make(self, folder: Path, interpreter: Path, packages: Any, *_: object) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()
        (folder / "lib/python3.11/site-packages").mkdir(parents=True)
        self.made.append((interpreter, packages))

    def uv(self, requirements: Any, target: Any, *more: Any, **_: Any) -> Lock:
        self.asked_uv.append((requirements, more[1]))
        if self.error_of_uv is not None:
            raise self.error_of_uv
        return Lock(distributions=(), target=target.record())

    def values(self, option: str) -> list[str]:
        return [
            after
            for word, after in zip(self.command, self.command[1:], strict=False)
            if word == option
        ]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(subprocess, "run", calls.run)
    monkeypatch.setattr(pip_tools_home, "find_interpreter", lambda *_: calls.found)
    monkeypatch.setattr(uv, "make_environment", calls.make)
    monkeypatch.setattr(uv, "resolve", calls.uv)
    monkeypatch.setattr("sys.platform", "linux")
    return calls


def call(
    calls: Calls,
    requirements: Requirements,
    indexes: IndexSettings | None = None,
    root: Path = Path("/project"),
    **freedom: Any,
) -> Lock:
    return resolve(
        requirements,
        TARGET,
        indexes or IndexSettings(),
        Freedom(**freedom),
        root=root,
        environ={"PIP_CONFIG_FILE": os.devnull},
        progress=calls.log,
        store=calls.store,
    )


def refused(calls: Calls, requirements: Requirements, *more: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        call(calls, requirements, *more)
    assert "--resolver uv" in caught.value.hint
    assert calls.command == []
    assert calls.made == []
    return caught.value


def test_the_command(calls: Calls) -> None:
    call(
        calls,
        required(
            "a==1",
            "-e ./lib",
            "g @ git+https://me:secret@x.example/g@main",
            constraints=(Requirement(text="b<2", place="c.txt:1"),),
            prereleases=True,
            options=("--no-binary", "x"),
        ),
    )
    tool = calls.store.tool_folder("").parent
    assert Path(calls.command[0]).is_relative_to(tool)
    # Isolated: a module of the app must not stand in for one of pip's.
    assert calls.command[1:7] == ["-I", "-X", "utf8", "-m", "piptools", "compile"]
    assert calls.folder == Path("/project")
    assert calls.files == {
        "requirements.in": "a==1\n-e ./lib\ng @ git+https://x.example/g@main\n",
        "constraints.txt": "b<2\n",
        "pins.txt": "",
    }
    assert calls.command[-1].endswith("/requirements.in")
    assert [value.rpartition("/")[2] for value in calls.values("--constraint")] == [
        "constraints.txt"
    ]
    assert calls.values("--pip-args") == ["--no-binary x"]
    for option in ("--no-config", "--allow-unsafe", "--strip-extras", "--pre"):
        assert option in calls.command
    assert any("pip-tools compile" in line for line in calls.log.lines)
    assert not any("secret" in text for text in (*calls.command, *calls.log.lines))
    call(calls, required("a"))
    assert calls.values("--pip-args") == calls.values("--constraint") == []
    assert "--pre" not in calls.command


def test_the_environment_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    pip_conf = tmp_path / "pip.conf"
    pip_conf.write_text("[global]\nretries = 7\ntarget = elsewhere\nindex-url = https://other\n")
    indexes = IndexSettings(
        index_url="https://me:secret@one.example/simple",
        extra_index_urls=("https://two.example", "https://three.example"),
        find_links=("file:///wheels", "https://links.example"),
        certificates="/ca.pem",
        client_certificate="/me.pem",
        proxy="http://proxy.example",
    )
    environ = {
        "PIP_CONFIG_FILE": str(pip_conf),
        "PIP_TIMEOUT": "3",
        "PIP_CONSTRAINT": "c.txt",
        "PIP_INDEX_URL": "https://not.this",
        "PIP_PRE": "1",
        "PIP_TOOLS_CACHE_DIR": "/cache",
        "UV_INDEX": "https://uv.example",
        "AZPACK_INDEX_URL": "https://azpack.example",
        "PYTHONPATH": "/other",
        "VIRTUAL_ENV": "/other",
        "HOME": "/home/me",
        "REQUESTS_CA_BUNDLE": "/other.pem",
    }
    assert pip_environment(indexes, environ, log=Path("/work/pip.log")) == {
        "HOME": "/home/me",
        "PIP_TOOLS_CACHE_DIR": "/cache",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_LOG": "/work/pip.log",
        "PIP_RETRIES": "7",
        "PIP_TIMEOUT": "3",
        "PIP_INDEX_URL": "https://me:secret@one.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://two.example https://three.example",
        "PIP_FIND_LINKS": "file:///wheels https://links.example",
        "PIP_CERT": "/ca.pem",
        "PIP_CLIENT_CERT": "/me.pem",
        # These stand before PIP_CERT; and with PIP_PROXY, NO_PROXY and netrc would not count.
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "CURL_CA_BUNDLE": "/ca.pem",
        "HTTP_PROXY": "http://proxy.example",
        "http_proxy": "http://proxy.example",
        "HTTPS_PROXY": "http://proxy.example",
        "https_proxy": "http://proxy.example",
        # Without it pip starts another pip, with the URLs of the indexes in its command line.
        "PIP_USE_FEATURE": "inprocess-build-deps",
    }
    found = pip_environment(IndexSettings(no_index=True), environ, log=Path("/work/pip.log"))
    assert found["PIP_NO_INDEX"] == "1"
    assert not found.keys() & {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT"}


def test_keyring_is_asked_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    environ = {"PIP_CONFIG_FILE": os.devnull}

    def provider() -> str:
        found = pip_environment(IndexSettings(), environ, log=Path("log"))
        return found["PIP_KEYRING_PROVIDER"]

    assert provider() == "subprocess"
    environ["PIP_KEYRING_PROVIDER"] = "disabled"
    assert provider() == "disabled"


def test_wheels_are_judged_by_the_targets_glibc(calls: Calls) -> None:
    call(calls, required("a"))
    assert calls.environment["AZPACK_TARGET_GLIBC"] == TARGET.glibc == "2.31"
    (module,) = calls.store.folder.rglob("_manylinux.py")
    namespace: dict[str, Any] = {}
    exec(module.read_text(), namespace)  # noqa: S102  # as pip does
    compatible = namespace["manylinux_compatible"]
    assert compatible(2, 35, "x86_64") is None  # for whoever else imports it


@pytest.mark.parametrize(("version", "fits"), [((2, 5), True), ((2, 31), True), ((2, 32), False)])
def test_what_the_targets_glibc_runs(
    version: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pip_tools_home.GLIBC, "2.31")
    namespace: dict[str, Any] = {}
    exec(pip_tools_home._MANYLINUX, namespace)  # noqa: S102
    assert namespace["manylinux_compatible"](*version, "x86_64") is fits


def test_the_environment_is_made_once_for_an_interpreter(calls: Calls, tmp_path: Path) -> None:
    for _ in range(2):
        call(calls, required("a"))
    assert calls.made == [(Path("/pythons/3.11"), pip_tools_home.PACKAGES)]
    assert sum("getting pip-tools==" in line for line in calls.log.lines) == 1
    tools = calls.store.tool_folder("").parent / "tools"
    (first,) = tools.iterdir()
    assert first.name.startswith("pip-tools-7.6.2-3.11-")
    calls.found = tmp_path / "another"
    call(calls, required("a"))
    assert len(calls.made) == len(list(tools.iterdir())) == 2
    # Its interpreter is gone, and was installed anew.
    calls.found = Path("/pythons/3.11")
    (first / "bin/python").unlink()
    (first / "left").touch()
    call(calls, required("a"))
    assert len(calls.made) == 3
    assert not (first / "left").exists()
    assert list((calls.store.folder / "v1/tmp").iterdir()) == []


def test_indexes_without_pip_tools(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> None:
        raise ResolutionError("no-tool", "pip-tools==1 can't be had")

    monkeypatch.setattr(uv, "make_environment", make)
    with pytest.raises(ResolutionError) as caught:
        call(calls, required("a"))
    assert (caught.value.code, caught.value.message) == ("no-tool", "pip-tools==1 can't be had")
    assert "--find-links" in caught.value.hint
    assert "--resolver uv" in caught.value.hint
    assert list((calls.store.folder / "v1/tmp").iterdir()) == []


@pytest.mark.parametrize(
    "interpreter",
    [
        [],
        ["PyPy", *LINUX[1:]],
        ["CPython", "3.12", *LINUX[2:]],
        ["CPython", "3.11", "Darwin", *LINUX[3:]],
        ["CPython", "3.11", "Linux", "aarch64", *LINUX[4:]],
        ["CPython", "3.11", "Linux", "x86_64", False, "glibc", "3.11.2"],
        ["CPython", "3.11", "Linux", "x86_64", True, "", "3.11.2"],
    ],
)
def test_interpreters_that_are_not_the_targets(calls: Calls, interpreter: list[Any]) -> None:
    calls.interpreter = interpreter
    error = refused(calls, required("a"))
    assert error.code == "resolver-needs-the-target"
    assert "Python 3.11 on manylinux_2_31_x86_64" in error.message
    assert "markers" in error.message
    assert error.context == {"interpreter": "/pythons/3.11"}


def test_no_interpreter(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.found = None
    assert "uv python install 3.11" in refused(calls, required("a")).hint
    # There none would do, and none is looked for.
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(pip_tools_home, "find_interpreter", pytest.fail)
    assert "uv python install" not in refused(calls, required("a")).hint


def test_another_patch_release_is_said(calls: Calls) -> None:
    call(calls, required("a"))
    assert any(f"3.11.2, the target is {TARGET.full_version}" in line for line in calls.log.lines)
    calls.log.lines.clear()
    calls.interpreter = [*LINUX[:-1], TARGET.full_version]
    call(calls, required("a"))
    assert not any("the target is" in line for line in calls.log.lines)


def test_more_indexes_than_one(calls: Calls) -> None:
    several = IndexSettings(extra_index_urls=("https://x.example",))
    error = refused(calls, required("a"), several)
    assert error.code == "resolver-mixes-indexes"
    assert "--index-strategy best-match" in error.hint
    call(calls, required("a"), replace(several, strategy="best-match"))
    call(calls, required("a"), replace(several, no_index=True))


def test_what_only_uv_reads(calls: Calls) -> None:
    locked = Requirements(kind="uv.lock", files=("uv.lock",), digest="")
    assert refused(calls, locked).code == "resolver-ignores-uv-lock"
    error = refused(calls, required("a", overrides=("b==1",)))
    assert error.code == "resolver-ignores-overrides"


PROJECT = """
[project]
name = "app"
dependencies = ["a>1"]
[tool.uv.sources]
{} = {{ path = "lib" }}
"""


def test_sources_that_only_uv_honours(calls: Calls, tmp_path: Path) -> None:
    requirements = Requirements(kind="pyproject", files=("pyproject.toml",), digest="")
    (tmp_path / "pyproject.toml").write_text(PROJECT.format("A"))
    error = refused(calls, requirements, None, tmp_path)
    assert error.code == "resolver-ignores-sources"
    assert "pyproject.toml" in error.message
    (tmp_path / "pyproject.toml").write_text(PROJECT.format("another"))
    call(calls, requirements, root=tmp_path)
    assert calls.files["requirements.in"] == "a>1\n"


def test_a_repository_that_pyproject_names_with_a_password(calls: Calls, tmp_path: Path) -> None:
    requirements = Requirements(kind="pyproject", files=("pyproject.toml",), digest="")
    line = "a @ git+https://me:passw0rd@x.example/a@main"
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "b"\ndependencies = ["{line}"]\n')
    call(calls, requirements, root=tmp_path)
    assert calls.files["requirements.in"] == "a @ git+https://x.example/a@main\n"
    assert "passw0rd" in calls.environment.values()


def test_the_lock_that_is_preferred(calls: Calls, tmp_path: Path) -> None:
    preferred = tmp_path / "pylock.toml"
    call(calls, required("a"), preferred=preferred)
    assert calls.files["pins.txt"] == ""
    preferred.write_text(PYLOCK)
    call(calls, required("a"), preferred=preferred, upgrade_packages=("Renewed",))
    assert calls.files["pins.txt"] == "kept==1.0"
    call(calls, required("a"), preferred=preferred)
    assert calls.files["pins.txt"] == "kept==1.0\nrenewed==2.0"
    preferred.write_text("a = 1\n")
    with pytest.raises(ResolutionError, match=r"pylock\.toml"):
        call(calls, required("a"), preferred=preferred)


def test_uv_names_the_files_of_the_pins(calls: Calls) -> None:
    calls.pins = (
        "-e file:///project/lib\n"
        "a==1.5\n"
        "deep==2\n"
        "g @ git+file:/repository@main\n"
        "\n"
        "# The following packages are considered to be unsafe in a requirements file:\n"
        "setuptools==80.0\n"
    )
    asked = Requirement(text="A[x]>1", place="in.txt:3", hashes=("sha256:ff",))
    limit = Requirement(text="deep", place="c.txt:1", hashes=("sha256:ee",))
    requirements = Requirements(
        kind="requirements", files=("in.txt",), digest="d", requirements=(asked,),
        constraints=(limit,), options=("--no-binary", "x"),
    )  # fmt: skip
    call(calls, requirements, preferred=Path("/none"), excluded=("c",))
    ((pins, freedom),) = calls.asked_uv
    assert [(entry.text, entry.place, entry.hashes) for entry in pins.requirements] == [
        ("-e file:///project/lib", "in.txt", ()),
        ("a==1.5", "in.txt:3", ("sha256:ff",)),
        ("deep==2", "in.txt", ("sha256:ee",)),
        ("g @ git+file:///repository@main", "in.txt", ()),
        ("setuptools==80.0", "in.txt", ()),
    ]
    assert (pins.digest, pins.files, pins.constraints) == ("d", ("in.txt",), ())
    assert pins.options == ("--no-binary", "x")
    assert freedom == Freedom(complete=True, excluded=("c",))


def test_pins_that_the_target_can_not_have(calls: Calls) -> None:
    calls.error_of_uv = ResolutionError("no-solution", "in.txt:1 (a==2)", context={"a": 1})
    with pytest.raises(ResolutionError) as caught:
        call(calls, required("a"))
    error = caught.value
    assert (error.code, error.context) == ("pins-do-not-fit", {"a": 1})
    assert "in.txt:1 (a==2)" in error.message
    assert "--resolver uv" in error.hint
    for other in (NoFittingWheelError("x", "no wheel"), UnreachableError("x", "down")):
        calls.error_of_uv = other
        with pytest.raises(type(other)) as raised:
            call(calls, required("a"))
        assert raised.value is other


def test_a_failure_is_explained(calls: Calls) -> None:
    calls.error = "  ERROR: Cannot install a==1 and b==2 because they conflict.\n"
    with pytest.raises(ResolutionError, match="Cannot install a==1 and b==2"):
        call(calls, required("a==1"))
    assert calls.asked_uv == []


def test_an_index_that_pip_passes_over(calls: Calls) -> None:
    calls.logged = (
        "2026-01-01T00:00:00,000   Could not fetch URL https://x.example/a/: connection error: "
        "[Errno 111] Connection refused - skipping\n"
    )
    with pytest.raises(UnreachableError, match="Connection refused"):
        call(calls, required("a"))
    assert calls.asked_uv == []
