"""Fetches from repositories of real git, over files and over HTTP."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from azpack.deps.vcs import check_out
from azpack.errors import UnreachableError, WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABSENT = "0123456789" * 4


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shutil.which("git"), "this machine has no git"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = a\nemail = a@b\n[core]\nautocrlf = true\n"
        # Submodules may come from files only where the user says so (CVE-2022-39253).
        '[protocol "file"]\nallow = always\n'
    )


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(repository: Path, text: str) -> str:
    (repository / "file.txt").write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", text.strip())
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A server that knows no single commits and no filters: it only hands out files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetched(url: str, commit: str, folder: Path) -> list[str]:
    lines: list[str] = []
    check_out(url, commit, folder, environment=os.environ, log=lines.append)
    assert git(folder, "rev-parse", "HEAD") == commit
    assert git(folder, "status", "--porcelain") == ""
    return lines


def test_a_commit_within_the_history_with_its_tags(repository: Path, tmp_path: Path) -> None:
    commit(repository, "zero\n")
    git(repository, "tag", "v1.0")
    first = commit(repository, "one\n")
    commit(repository, "two\n")
    fetched(repository.as_uri(), first, tmp_path / "out")
    assert (tmp_path / "out" / "file.txt").read_bytes() == b"one\n"
    assert git(tmp_path / "out", "describe", "--tags", "--dirty") == f"v1.0-1-g{first[:7]}"


def test_a_commit_that_no_branch_leads_to(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, "one\n")
    git(repository, "commit", "-q", "--amend", "-m", "other")
    fetched(repository.as_uri(), first, tmp_path / "out")


def test_in_a_hook_of_another_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit(repository, "one\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    check_out(
        repository.as_uri(), first, tmp_path / "out", environment=os.environ, log=lambda _: None
    )
    assert (tmp_path / "out" / "file.txt").is_file()
    assert not (tmp_path / "index").exists()


def test_hooks_do_not_run(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, "one\n")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\ntouch ran\n")
    (hooks / "post-checkout").chmod(0o755)
    with (tmp_path / "gitconfig").open("a") as config:
        config.write(f"[core]\nhooksPath = {hooks}\n")
    fetched(repository.as_uri(), first, tmp_path / "out")


def test_submodules(repository: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    wanted = commit(inner, "inner\n")
    git(repository, "submodule", "--quiet", "add", "../inner", "sub")
    first = commit(repository, "one\n")
    commit(inner, "newer\n")
    fetched(repository.as_uri(), first, tmp_path / "out")
    assert git(tmp_path / "out" / "sub", "rev-parse", "HEAD") == wanted
    shutil.rmtree(inner)
    with pytest.raises(UnreachableError) as caught:
        check_out(
            repository.as_uri(),
            first,
            tmp_path / "again",
            environment=os.environ,
            log=lambda _: None,
        )
    assert caught.value.code == "repository-unreachable"


def test_a_simple_server_and_credentials(repository: Path, tmp_path: Path, served: str) -> None:
    commit(repository, "zero\n")
    first = commit(repository, "one\n")
    commit(repository, "two\n")
    git(repository, "update-server-info")
    url = f"http://user:s3cret@{served}/repository/.git"
    lines = fetched(url, first, tmp_path / "out")
    assert (tmp_path / "out" / "file.txt").read_text() == "one\n"
    assert not any("s3cret" in line for line in lines)
    config = (tmp_path / "out" / ".git" / "config").read_text()
    assert f"http://{served}/repository/.git" in config
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes(), path


def test_the_commit_is_not_there(repository: Path, tmp_path: Path) -> None:
    commit(repository, "one\n")
    with pytest.raises(WheelError, match=f"{ABSENT} is not in file://") as caught:
        check_out(
            repository.as_uri(),
            ABSENT,
            tmp_path / "out",
            environment=os.environ,
            log=lambda _: None,
        )
    assert caught.value.code == "no-such-commit"
    with pytest.raises(WheelError, match="not the full hash") as caught:
        check_out(
            repository.as_uri(),
            "main",
            tmp_path / "out",
            environment=os.environ,
            log=lambda _: None,
        )
    assert caught.value.code == "no-such-commit"


def test_not_a_commit(repository: Path, tmp_path: Path) -> None:
    commit(repository, "one\n")
    tree = git(repository, "rev-parse", "HEAD^{tree}")
    with pytest.raises(WheelError) as caught:
        check_out(
            repository.as_uri(), tree, tmp_path / "out", environment=os.environ, log=lambda _: None
        )
    assert caught.value.code == "no-such-commit"


@pytest.mark.parametrize(
    "url",
    [
        "file:///nowhere/at/all",
        "http://user:s3cret@127.0.0.1:9/x.git",
        "https://s3cret@127.0.0.1:9/x.git",
        "ssh://git@127.0.0.1:9/x.git",
        "git://127.0.0.1:9/x.git",
    ],
)
def test_unreachable(url: str, tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(UnreachableError) as caught:
        check_out(url, ABSENT, tmp_path / "out", environment=os.environ, log=lines.append)
    error = caught.value
    assert error.code == "repository-unreachable"
    assert "s3cret" not in f"{error.message}{error.context}{lines}"
    assert error.hint


@pytest.mark.parametrize("url", ["ext::sh -c x", "--upload-pack=x", "/some/path", "ftp://h/x"])
def test_no_such_url(url: str, tmp_path: Path) -> None:
    with pytest.raises(WheelError) as caught:
        check_out(url, ABSENT, tmp_path / "out", environment=os.environ, log=lambda _: None)
    assert caught.value.code == "bad-repository"


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WheelError) as caught:
        check_out(
            "https://host/x", ABSENT, tmp_path / "out", environment=os.environ, log=lambda _: None
        )
    assert caught.value.code == "no-git"
    assert os.listdir(tmp_path / "out") == []
