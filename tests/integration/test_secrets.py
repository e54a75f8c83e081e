"""A token, and all that azpack writes, prints and starts: it is nowhere."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_sdist, make_wheel, noise
from tests.leaks import CommandLines, forms_of, places_that_tell
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "t0ken/+%@é"
QUOTED = quote(TOKEN, safe="")
FORMS = forms_of(TOKEN, "me")


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path / "own", OUR_TOKEN=TOKEN)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexServer]:
    folder = tmp_path / "private"
    make_wheel(folder, "mine", requires=["made"])
    make_sdist(folder, "made", requires_build=["tool"])
    make_wheel(folder, "tool")
    # What fails says all that it knows.
    telling = "import os\nfor pair in os.environ.items(): print(*pair)\nraise SystemExit(7)\n"
    make_sdist(folder, "broken", backend=telling)
    with IndexServer(folder, user="me", password=TOKEN) as index:
        yield index


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app", "mine\n")


def template(index: IndexServer) -> str:
    return index.url.replace("://", "://me:${OUR_TOKEN}@")


GIVEN = ["option", "variable", "quoted variable", "pip.conf", "requirements", "netrc", "keyring"]


def give(how: str, index: IndexServer, app: Path, azpack: Azpack) -> list[str]:
    """Have azpack know the token in one of the ways; returns the options for that."""
    plain = index.url.replace("://", f"://me:{QUOTED}@")
    folder = app.parent
    if how == "option":
        return ["--index-url", template(index)]
    if how == "variable":
        azpack.environment["PIP_INDEX_URL"] = plain
    elif how == "quoted variable":
        azpack.environment["AZPACK_INDEX_URL"] = template(index)
    elif how == "pip.conf":
        conf = folder / "pip.conf"
        conf.write_text(f"[global]\nindex-url = {plain}\n", encoding="utf-8")
        azpack.environment["PIP_CONFIG_FILE"] = str(conf)
    elif how == "requirements":
        text = (app / "requirements.txt").read_text(encoding="utf-8")
        text = f"--index-url {template(index)}\n{text}"
        (app / "requirements.txt").write_text(text, encoding="utf-8")
    elif how == "netrc":
        netrc = folder / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {TOKEN}\n", encoding="utf-8")
        azpack.environment["NETRC"] = str(netrc)
        return ["--index-url", index.url]
    else:
        program = folder / "bin" / "keyring"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\necho "$OUR_TOKEN"\n', encoding="utf-8")
        program.chmod(0o755)
        azpack.environment["PATH"] = f"{program.parent}:{azpack.environment['PATH']}"
        return ["--index-url", index.url.replace("://", "://me@")]
    return []


@pytest.mark.parametrize("how", GIVEN)
def test_what_is_printed_and_written(
    azpack: Azpack, index: IndexServer, app: Path, how: str
) -> None:
    options = [*give(how, index, app, azpack), "--json", "-vv"]
    pins = app / "pins.txt"
    for command in (
        ["build", "--checksum"],
        ["lock", "--requirements-txt", str(pins)],
        ["build", "--dry-run"],
        ["build", "--locked"],
    ):
        done = azpack.run(*command, app, *options)
        assert done.code == 0, done.stderr
        assert places_that_tell(FORMS, done, app, azpack.cache.parent) == []
    assert pins.is_file()
    assert {path.suffix for path in (app / "dist").iterdir()} == {".zip", ".json"}
    # In words for people as well.
    for command in (["build"], ["build", "--dry-run"], ["lock"]):
        done = azpack.run(*command, app, *options[:-2], "-v")
        assert done.code == 0, done.stderr
        assert places_that_tell(FORMS, done) == []


FAULTS = {
    "no such name": ("nowhere", None, 3),
    "no such version": ("mine==7", None, 3),
    "an index that fails": ("mine", ("/simple/mine", Fault(status=500)), 5),
    "an index that refuses": ("mine", ("/simple/mine", Fault(status=403)), 5),
    "a page that is cut": ("mine", ("/simple/mine", Fault(cut_after=3)), 5),
    "another wheel": ("tool", ("/files/tool-1.0-py3-none-any.whl", Fault(content=b"x")), 4),
    "a wheel that is gone": ("tool", ("/files/tool-1.0-py3-none-any.whl", Fault(status=404)), 4),
    "no requirements of a build": ("mine", ("/simple/tool", Fault(status=404)), 4),
    "a build that tells its environment": ("broken", None, 5),  # a container might help
    "a wheel that an URL names": ("x @ {url}/nowhere-1.0-py3-none-any.whl", None, 3),
    "a repository": ("x @ git+{url}/nowhere.git", None, 5),
}


@pytest.mark.parametrize(("requirement", "fault", "code"), FAULTS.values(), ids=FAULTS)
def test_what_failures_print(
    azpack: Azpack,
    index: IndexServer,
    tmp_path: Path,
    requirement: str,
    fault: tuple[str, Fault] | None,
    code: int,
) -> None:
    app = make_app(tmp_path / "app", requirement.format(url=template(index)) + "\n")
    options = ["--index-url", template(index), "-vv"]
    if fault:
        index.faults = dict([fault])
    for more in (["--json"], []):
        done = azpack.run("build", app, *options, *more)
        assert done.code == code, done.stderr
        assert "Traceback" in done.stderr
        (app / "requirements.txt").rename(tmp_path / "requirements.txt")
        assert places_that_tell(FORMS, done, app, azpack.cache.parent) == []
        (tmp_path / "requirements.txt").rename(app / "requirements.txt")


def test_a_build_for_metadata_that_tells_its_environment(
    azpack: Azpack, index: IndexServer, tmp_path: Path
) -> None:
    # Built by uv, which asks for the metadata of what has dynamic ones.
    telling = "import os\nfor pair in os.environ.items(): print(*pair)\nraise SystemExit(7)\n"
    make_sdist(index.folder, "dynamic", backend=telling, dynamic=True)
    app = make_app(tmp_path / "app", "dynamic\n")
    for more in (["--json"], []):
        done = azpack.run("build", app, "--index-url", template(index), "-vv", *more)
        assert done.code in (3, 4), done.stderr
        assert "OUR_TOKEN ****" in done.stderr
        assert places_that_tell(FORMS, done, app, azpack.cache.parent) == []


# The command lines of all processes, which every user of a machine can read.


@pytest.mark.parametrize("how", GIVEN)
def test_the_process_list(azpack: Azpack, index: IndexServer, app: Path, how: str) -> None:
    # Slow enough that each process is seen: pages and files come in pieces.
    make_wheel(index.folder, "tool", "1.1", files={"big.bin": noise(400_000)})
    index.rate = 1_000_000
    options = [*give(how, index, app, azpack), "--json", "-v"]
    with CommandLines(FORMS) as seen:
        assert azpack.run("build", app, *options).code == 0
    assert seen.telling == set()
    assert "uv" in seen.programs


def test_the_process_list_while_an_index_does_not_answer(
    azpack: Azpack, index: IndexServer, app: Path
) -> None:
    index.faults = {"/simple/mine": Fault(stall_after=3)}
    azpack.environment["UV_HTTP_TIMEOUT"] = "1"
    with CommandLines(FORMS) as seen:
        done = azpack.run("build", app, "--index-url", template(index), "--json", "-v")
    done.error(5, "index-unreachable")
    assert seen.telling == set()
    assert "uv" in seen.programs


# Git repositories.


@pytest.fixture
def repository(tmp_path: Path, git: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a distribution that builds itself, with a submodule beside it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\nname = a\nemail = a@b\n", encoding="utf-8")
    served = tmp_path / "served"
    for name in ("inner", "made"):
        folder = served / name
        folder.mkdir(parents=True)
        (folder / "text.txt").write_text("x\n", encoding="utf-8")
        if name == "made":
            unpack(make_sdist(tmp_path, "made"), folder)
        run = partial(subprocess.run, cwd=folder, check=True, capture_output=True)
        run([git, "init", "-q", "-b", "main"])
        if name == "made":
            allow = ["-c", "protocol.file.allow=always"]
            run([git, *allow, "submodule", "--quiet", "add", str(served / "inner"), "sub"])
            text = '[submodule "sub"]\npath = sub\nurl = ../../inner/.git\n'
            (folder / ".gitmodules").write_text(text, encoding="utf-8")
        run([git, "add", "."])
        run([git, "commit", "-qm", name])
        run([git, "update-server-info"])
    return served


@pytest.mark.parametrize("user_info", ["me:mistaken-77", "mistaken-77", "me", ""])
def test_a_repository_that_refuses(
    azpack: Azpack, served: str, tmp_path: Path, user_info: str
) -> None:
    at = f"{user_info}@" if user_info else ""
    app = make_app(tmp_path / "app", f"made @ git+http://{at}{served}/made/.git\n")
    done = azpack.run("build", app, "--no-index", "--json", "-v")
    error = done.error(5, "repository-unreachable")
    assert f"http://{served}/made/.git" in error["message"]
    assert "credential helper" in error["hint"]
    assert places_that_tell({b"mistaken-77"}, done) == []


def unpack(sdist: Path, folder: Path) -> None:
    with tarfile.open(sdist) as opened:
        for member in opened.getmembers():
            content = opened.extractfile(member) or io.BytesIO()
            (folder / member.name.rpartition("/")[2]).write_bytes(content.read())


@pytest.fixture
def served(repository: Path) -> Iterator[str]:
    """A host that hands out the files of repositories, for a password, and not quickly."""
    expected = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            threading.Event().wait(0.02)
            if self.headers["Authorization"] == expected:
                super().do_GET()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=repository)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("user_info", ["me:${OUR_TOKEN}", f"me:{QUOTED}"])
def test_a_repository(azpack: Azpack, served: str, tmp_path: Path, user_info: str) -> None:
    app = make_app(tmp_path / "app", f"made @ git+http://{user_info}@{served}/made/.git\n")
    # The project's own files go into the package as they are.
    hidden = ["--exclude", "requirements.txt"]
    for command in (["build", *hidden], ["lock"], ["build", "--locked", *hidden]):
        azpack.forget()
        with CommandLines(FORMS) as seen:
            done = azpack.run(*command, app, "--no-index", "--json", "-vv")
        assert done.code == 0, done.stderr
        assert seen.telling == set()
        assert {"uv", "git"} & seen.programs
        (app / "requirements.txt").rename(tmp_path / "requirements.txt")
        assert places_that_tell(FORMS, done, app, azpack.cache.parent) == []
        (tmp_path / "requirements.txt").rename(app / "requirements.txt")
