# ruff: noqa: RUF001  # the frame that uv draws around its messages
from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps import uv as module
from azpack.deps.index import IndexSettings
from azpack.deps.requirements import Requirement, Requirements
from azpack.deps.resolver import Freedom
from azpack.deps.uv import make_environment, resolve, uv_environment
from azpack.errors import (
    AzpackError,
    FileError,
    ResolutionError,
    UnreachableError,
    UsageError,
)
from azpack.progress import Progress
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = find_target(Path("/project"), python="3.11")
SHA = "ab" * 32
LOCK = f"""
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "a"
version = "1.0"
wheels = [{{ url = "https://x.example/a-1.0-py3-none-any.whl", hashes = {{ sha256 = "{SHA}" }} }}]
"""


def required(*lines: str, **more: Any) -> Requirements:
    entries = tuple(
        Requirement(text=line, place=f"requirements.txt:{number}")
        for number, line in enumerate(lines, 1)
    )
    return Requirements(
        kind="requirements", files=("requirements.txt",), digest="d", requirements=entries, **more
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", "")
    return tmp_path


class Calls:
    """In the place of uv: what it was called with; it answers with a lock, or with an error."""

    def __init__(self) -> None:
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.given = ""
        self.files: dict[str, str] = {}
        self.log: list[str] = []
        self.error = ""
        self.lock = LOCK

    def run(self, command: Sequence[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        self.command = list(command)
        self.environment, self.given = settings["env"], settings["input"]
        output = Path(command[command.index("--output-file") + 1])
        self.files = {path.name: path.read_text() for path in output.parent.iterdir()}
        output.write_text(self.lock)
        return subprocess.CompletedProcess(command, 2 if self.error else 0, "", self.error)

    def values(self, option: str) -> list[str]:
        return [
            after
            for word, after in zip(self.command, self.command[1:], strict=False)
            if word == option
        ]


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(subprocess, "run", calls.run)
    monkeypatch.setattr(module, "find_uv", lambda: "/bin/uv")
    return calls


class Log(Progress):
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def log(self, message: str) -> None:
        self.lines.append(message)


def call(
    uv: Calls,
    requirements: Requirements,
    indexes: IndexSettings | None = None,
    environ: dict[str, str] | None = None,
    **options: Any,
) -> Any:
    return resolve(
        requirements,
        TARGET,
        indexes or IndexSettings(),
        Freedom(**options),
        root=Path("/project"),
        environ=environ or {},
        progress=Log(uv.log),
    )


def explained(uv: Calls, output: str, requirements: Requirements) -> AzpackError:
    uv.error = output
    with pytest.raises(AzpackError) as caught:
        call(uv, requirements)
    return caught.value


def test_the_command(uv: Calls) -> None:
    lock = call(
        uv,
        required(
            "a==1",
            "-e ./lib",
            constraints=(Requirement(text="b<2", place="c.txt:1"),),
            overrides=("c==3",),
            prereleases=True,
            options=("--no-binary", "x"),
        ),
        upgrade_packages=["up"],
    )
    assert uv.command[:3] == ["/bin/uv", "pip", "compile"]
    assert uv.given == "a==1\n-e ./lib\n"
    assert uv.files == {"constraints.txt": "b<2", "overrides.txt": "c==3"}
    assert uv.values("--python-version") == [TARGET.full_version]
    assert uv.values("--python-platform") == ["x86_64-manylinux_2_31"]
    assert uv.values("--upgrade-package") == ["up"]
    assert uv.values("--no-binary") == ["x"]
    assert uv.values("--prerelease") == ["allow"]
    assert "--no-config" in uv.command
    assert [entry.name for entry in lock.distributions] == ["a"]
    assert (lock.requirements_digest, lock.files) == ("d", ("requirements.txt",))


def test_requirements_that_name_all_that_is_wanted(uv: Calls) -> None:
    call(uv, required("a==1"))
    assert "--no-deps" not in uv.command
    call(uv, required("a==1"), complete=True)
    assert "--no-deps" in uv.command


def test_an_environment_for_a_tool(uv: Calls, tmp_path: Path) -> None:
    commands = []

    def run(command: Sequence[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        commands.append(list(command))
        uv.environment = settings["env"]
        return subprocess.CompletedProcess(command, 1 if uv.error else 0, "", uv.error)

    indexes = IndexSettings(index_url="https://me:secret@x.example/simple")

    def make() -> None:
        make_environment(
            tmp_path / "new", Path("/pythons/3.11"), ["a==1", "b==2"], indexes,
            {"VIRTUAL_ENV": "/another", "PYTHONPATH": "/another"},
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", run)
        make()
        assert [command[1:3] for command in commands] == [
            ["venv", "--no-project"],
            ["pip", "install"],
        ]
        assert "/pythons/3.11" in commands[0]
        assert "--relocatable" in commands[0]
        assert {"a==1", "b==2", "--only-binary"} < set(commands[1])
        assert all("secret" not in word for command in commands for word in command)
        assert uv.environment["UV_DEFAULT_INDEX"] == indexes.index_url
        assert not uv.environment.keys() & {"VIRTUAL_ENV", "PYTHONPATH"}
        uv.error = "error: No solution found\n  cause: a==1 was not found in the package registry\n"
        with pytest.raises(ResolutionError, match=r"a==1 and b==2 can't be had for /pythons/3\.11"):
            make()
        uv.error = "error: failed to fetch: dns error"
        with pytest.raises(UnreachableError):
            make()


def test_the_command_for_pyproject(uv: Calls) -> None:
    call(
        uv,
        Requirements(
            kind="pyproject",
            files=("sub/pyproject.toml",),
            digest="",
            extras=("x",),
            groups=("g",),
        ),
    )
    assert "sub/pyproject.toml" in uv.command
    assert uv.values("--extra") == ["x"]
    # By its name alone a group would be looked for in the working folder's pyproject.toml.
    assert uv.values("--group") == ["sub/pyproject.toml:g"]


def test_the_command_for_uv_lock(uv: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_interpreter", lambda *_: Path("/pythons/3.11"))
    requirements = Requirements(kind="uv.lock", files=("sub/uv.lock",), digest="", groups=("dev",))
    call(uv, requirements)
    assert uv.command[1] == "export"
    assert uv.values("--project") == ["sub"]
    assert "--locked" in uv.command
    # Only an interpreter that requires-python admits can judge a lock.
    assert uv.values("--python") == ["/pythons/3.11"]
    # --no-dev would take a group of that name away again.
    assert "--no-default-groups" in uv.command
    assert "--no-dev" not in uv.command
    assert uv.values("--group") == ["dev"]


def test_the_lock_that_is_preferred(uv: Calls, tmp_path: Path) -> None:
    preferred = tmp_path / "pylock.toml"
    call(uv, required("a"), preferred=preferred)
    assert uv.files == {}
    preferred.write_text(LOCK)
    call(uv, required("a"), preferred=preferred)
    assert uv.files == {"pylock.toml": LOCK}
    assert preferred.read_text() == LOCK


@pytest.mark.parametrize(
    ("content", "code"), [("<<<<<<< HEAD\n", "bad-toml"), ("tool = 3\n", "bad-lock")]
)
def test_a_broken_lock_is_not_preferred(uv: Calls, tmp_path: Path, content: str, code: str) -> None:
    (tmp_path / "pylock.toml").write_text(content)
    with pytest.raises(AzpackError) as caught:
        call(uv, required("a"), preferred=tmp_path / "pylock.toml")
    assert caught.value.code == code
    assert "pylock.toml" in caught.value.message


INDEXES = IndexSettings(
    index_url="https://me:s3cret@a.example/simple",
    extra_index_urls=("https://you:t0ken@b.example/simple", "https://c.example/simple"),
    find_links=("file:///a,b", "https://me:w0rd@d.example/links"),
    strategy="best-match",
)


def test_credentials_are_in_the_environment_alone(uv: Calls) -> None:
    call(uv, required("a"), INDEXES)
    everywhere = " ".join([*uv.command, *uv.log, uv.given, *uv.files.values()])
    for secret in ("s3cret", "t0ken", "w0rd"):
        assert secret not in everywhere
        assert secret in str(uv.environment)


def test_the_environment(home: Path) -> None:
    certificates = str(home / "certificates.pem")
    (home / "certificates.pem").touch()
    settings = replace(
        INDEXES,
        certificates=certificates,
        client_certificate="/client.pem",
        proxy="http://us:pr0xy@p.example",
    )
    assert uv_environment(settings, {}) == {
        "UV_DEFAULT_INDEX": "https://me:s3cret@a.example/simple",
        "UV_INDEX": "https://you:t0ken@b.example/simple https://c.example/simple",
        "UV_FIND_LINKS": "file:///a%2Cb,https://me:w0rd@d.example/links",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_WRAP": "1",
        "SSL_CERT_FILE": certificates,
        "SSL_CERT_DIR": "",
        "SSL_CLIENT_CERT": "/client.pem",
        "HTTP_PROXY": "http://us:pr0xy@p.example",
        "http_proxy": "http://us:pr0xy@p.example",
        "HTTPS_PROXY": "http://us:pr0xy@p.example",
        "https_proxy": "http://us:pr0xy@p.example",
    }
    folder = replace(settings, certificates="/a:/b")
    assert uv_environment(folder, {})["SSL_CERT_DIR"] == "/a:/b"
    assert uv_environment(folder, {})["SSL_CERT_FILE"] == ""
    assert "UV_INDEX_STRATEGY" not in uv_environment(IndexSettings(), {})
    keyring = home / "keyring"
    keyring.touch(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(home))
        assert uv_environment(IndexSettings(), {})["UV_KEYRING_PROVIDER"] == "subprocess"


def test_without_an_index(home: Path) -> None:  # noqa: ARG001  # for PATH
    settings = IndexSettings(no_index=True, extra_index_urls=("https://b.example",))
    environment = uv_environment(settings, {})
    assert "UV_INDEX" not in environment
    assert "example" not in str(environment)
    assert environment["UV_DEFAULT_INDEX"].startswith("file:")


def test_the_users_own_settings_of_uv_do_not_leak_in(home: Path) -> None:  # noqa: ARG001
    kept = {
        "UV_CACHE_DIR": "c",
        "UV_HTTP_TIMEOUT": "1",
        "UV_HTTP_RETRIES": "0",
        "UV_NATIVE_TLS": "1",
        "UV_OFFLINE": "1",
        "UV_NO_CACHE": "1",
        "HTTPS_PROXY": "p",
        "NETRC": "n",
        "PATH": "",
    }
    dropped = dict.fromkeys(
        [
            "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX",
            "UV_INDEX_STRATEGY", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_PRERELEASE", "UV_RESOLUTION",
            "UV_EXCLUDE_NEWER", "UV_PYTHON", "UV_CONFIG_FILE", "UV_NO_BINARY", "UV_NO_BUILD",
            "UV_CUSTOM_COMPILE_COMMAND", "UV_REQUIRE_HASHES", "UV_TORCH_BACKEND", "UV_PROJECT",
        ],
        "theirs",
    )  # fmt: skip
    environment = uv_environment(IndexSettings(), kept | dropped)
    assert "theirs" not in environment.values()
    assert environment.items() >= kept.items()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a==1", "a"),
        ("A.b_C[x] >=1; os_name == 'x'", "a-b-c"),
        ("a-2b==1", "a-2b"),
        ("a @ https://x.example/other-1.0.tar.gz", "a"),
        ("https://x.example/a_b-1.0-py3-none-any.whl", "a-b"),
        ("https://x.example/a-b-1.0.tar.gz#frag", "a-b"),
        ("./wheels/a_b-1.0-py3-none-any.whl", "a-b"),
    ],
)
def test_hashes_are_compared_for_the_right_name(uv: Calls, text: str, name: str) -> None:
    entry = Requirement(text=text, place="r.txt:1", hashes=("sha256:00",))
    requirements = Requirements(
        kind="requirements", files=("r.txt",), digest="", requirements=(entry,)
    )
    uv.lock = LOCK.replace('"a"', f'"{name}"').replace("a-1.0", f"{name.replace('-', '_')}-1.0")
    (locked,) = call(uv, requirements).distributions
    assert locked.url == ""


def test_hashes_in_urls_are_compared_too(uv: Calls) -> None:
    url = "https://x.example/a-1.0-py3-none-any.whl"
    for sha256, expected in (("00" * 32, ""), (SHA, url)):
        (locked,) = call(uv, required(f"a @ {url}#sha256={sha256}")).distributions
        assert locked.url == expected


OLD_CONFLICT = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because only the following versions of flask are available:
          flask<=3.1
          flask==4.0
      and you require flask==3.0.0, we can conclude that you require werkzeug>=3.0.0.
      And because you require werkzeug<2, we can conclude that your requirements are
      unsatisfiable.
"""
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because flask==3.0.0 depends on werkzeug>=3.0.0 and you require flask==3.0.0, we can \
conclude that you require werkzeug>=3.0.0.
         And because you require werkzeug<2, we can conclude that your requirements are \
unsatisfiable.
"""


@pytest.mark.parametrize("output", [OLD_CONFLICT, CONFLICT])
def test_a_conflict_names_the_lines(uv: Calls, output: str) -> None:
    error = explained(uv, output, required("idna", "werkzeug<2", "Flask==3.0.0"))
    assert isinstance(error, ResolutionError)
    first, *rest = error.message.splitlines()
    assert first.startswith("requirements.txt:2 (werkzeug<2), requirements.txt:3 (Flask==3.0.0) ")
    assert "Python 3.11 on manylinux_2_31_x86_64" in first
    assert "idna" not in first
    explanation = "\n".join(rest)
    assert "unsatisfiable" in explanation
    assert not set("×╰─▶") & set(explanation)
    assert "cause:" not in explanation
    assert "No solution found" not in explanation
    assert error.hint == "loosen one of the requirements that contradict each other"
    assert error.context["files"] == ["requirements.txt"]


def test_a_name_that_no_index_has(uv: Calls) -> None:
    output = """\
error: No solution found when resolving dependencies
  cause: Because no-such-name was not found in the package registry and you require \
no-such-name==1.0, we can conclude that your requirements are unsatisfiable.
"""
    error = explained(uv, output, required("no-such-name==1.0"))
    assert error.message.startswith("requirements.txt:1 (no-such-name==1.0)")
    assert "--extra-index-url" in error.hint


def test_hints_are_in_our_words(uv: Calls) -> None:
    output = """\
error: No solution found when resolving dependencies
  cause: Because only a<1 is available and you require a>1, we can conclude that your \
requirements are unsatisfiable.

hint: `a` was found on https://me:s3cret@b.example/simple, but not at the requested version \
(a>1). By default, uv will only consider versions that are published on the first index that \
contains a given package. If all indexes are equally trusted, use \
`--index-strategy unsafe-best-match` to consider all versions from all indexes.
"""
    error = explained(uv, output, required("a>1"))
    assert "--index-strategy best-match" in error.hint
    assert "uv will" not in error.hint
    assert "s3cret" not in f"{error.message}{error.hint}{error.context}"


def test_a_distribution_for_windows(uv: Calls) -> None:
    output = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because all versions of pywin32 have no wheels with a matching platform tag and you
      require pywin32, we can conclude that your requirements are unsatisfiable.
"""
    error = explained(uv, output, required("pywin32"))
    assert "sys_platform == 'win32'" in error.hint


@pytest.mark.parametrize(
    "output",
    [
        (
            "error: Request failed after 3 retries\n  cause: Failed to fetch: `https://a.example/`\n"
            "  cause: error sending request for url (https://a.example/)\n  cause: dns error\n"
        ),
        (
            "  × Failed to fetch: `https://a.example/a/`\n  ├─▶ Request failed after 3 retries\n"
            "  ╰─▶ operation timed out\n"
        ),
        (
            "error: Failed to fetch: `https://a.example/a/`\n"
            "  cause: HTTP status server error (503 Service Unavailable) for url (https://a.example)\n"
        ),
    ],
)
def test_an_index_that_does_not_answer(uv: Calls, output: str) -> None:
    error = explained(uv, output, required("a"))
    assert isinstance(error, UnreachableError)
    assert error.code == "index-unreachable"
    assert "https://a.example" in error.message


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_an_index_that_refuses(uv: Calls, status: str) -> None:
    output = (
        "error: Failed to fetch: `https://me:s3cret@a.example/a/`\n"
        f"  cause: HTTP status client error ({status}) for url (https://me:s3cret@a.example/a/)\n"
    )
    error = explained(uv, output, required("a"))
    assert (type(error), error.code) == (UnreachableError, "index-refused")
    assert "s3cret" not in f"{error.message}{error.hint}{error.context}"


def test_a_url_with_nothing_behind_it_is_no_index_that_does_not_answer(uv: Calls) -> None:
    url = "https://a.example/a-1.0-py3-none-any.whl"
    output = (
        f"error: Failed to download `a @ {url}`\n  cause: Failed to fetch: `{url}`\n"
        f"  cause: HTTP status client error (404 Not Found) for url ({url})\n"
    )
    error = explained(uv, output, required(f"a @ {url}"))
    assert isinstance(error, ResolutionError)
    assert "no file at that address" in error.hint


@pytest.mark.parametrize(("number", "code"), [(13, "uv-cannot-write"), (28, "disk-full")])
def test_a_disk_that_cannot_be_written(uv: Calls, number: int, code: str) -> None:
    output = f"error: Failed to write to the cache\n  cause: No such luck (os error {number})\n"
    error = explained(uv, output, required("a"))
    assert (type(error), error.code) == (FileError, code)


def test_a_line_that_nobody_understands(uv: Calls) -> None:
    output = "error: Couldn't parse requirement in `-` at position 0\n"
    error = explained(uv, output, required("a==1", "b=>2"))
    assert isinstance(error, UsageError)
    assert error.message.startswith("requirements.txt:2: ")
    assert "b=>2" in error.message


def test_what_uv_warns_of_is_not_the_error(uv: Calls) -> None:
    error = explained(uv, "warning: something else\nerror: It failed\n", required("a"))
    assert "something else" not in error.message
    assert error.message.endswith("\n  It failed")
    assert error.hint == ""


def test_a_uv_lock_that_does_not_fit(uv: Calls) -> None:
    output = (
        "error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.\n\n"
        "hint: To update the lockfile, run `uv lock`.\n"
    )
    error = explained(uv, output, Requirements(kind="uv.lock", files=("uv.lock",), digest=""))
    assert (type(error), error.code) == (ResolutionError, "lock-does-not-fit")
    assert "uv.lock" in error.message
    assert error.hint == "To update the lockfile, run `uv lock`."


def test_an_answer_that_is_no_lock(uv: Calls) -> None:
    uv.lock = ""
    with pytest.raises(ResolutionError, match="resolver"):
        call(uv, required("a"))
