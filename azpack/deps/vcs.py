"""Fetches a commit of a git repository, with the user's own git and its credentials.

History and tags come along, as with uv: setuptools-scm and its like take the version from them.
A shallow clone has neither. A partial clone has, but there git fetches what is missing whenever
it looks for it, from within the build too, and on servers that only hand out files without end.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from azpack.errors import AzpackError, FileError, UnreachableError, WheelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_URL = re.compile(r"(https?|ssh|git|file)://")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\Z")
_USER_INFO = re.compile(r"(?<=://)[^/\s'\"]+@")
# Set where azpack runs in a hook of another repository.
_OTHER_REPOSITORY = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip
# Said by git where it did not come to speak with the repository; C locale.
_NO_CONNECTION = re.compile(
    r"unable to access|Could not read from remote repository|could not read Username"
    r"|could not read Password|Authentication failed|does not appear to be a git repository"
    r"|unable to look up|unable to connect|repository '.*' not found"
)
_NO_OBJECT = re.compile(r"not our ref|did not contain|Unable to find current revision")


def check_out(url: str, commit: str, folder: Path, *, log: Callable[[str], None]) -> None:
    """Fetch `commit`, a full hash, of the repository at `url` into `folder`, with submodules.

    `url` is an https, ssh, git or file URL; credentials in it are neither shown nor left in
    `folder`. git asks nothing: what needs an answer fails.

    Raises:
        WheelError: no git here, not such a URL, or no such commit in the repository.
        UnreachableError: the repository, or that of a submodule, does not answer or refuses.
        FileError: `folder` can't be written.
    """
    public = _redact(url)
    if not _URL.match(url):
        raise WheelError(
            "bad-repository",
            f"{public!r} is not the URL of a git repository",
            hint="write it as git+https://HOST/PATH, git+ssh://git@HOST/PATH or git+file:///PATH",
        )
    if not _COMMIT.match(commit):
        raise WheelError(
            "no-such-commit",
            f"{commit!r}, of {public}, is not the full hash of a commit",
            hint="resolve again: 'azpack lock' writes the full hash",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _CheckOut(public, commit, folder, log).run(url)
    except OSError as error:
        raise FileError(
            "not-checked-out", f"{public} can't be written to {folder}: {error.strerror}"
        ) from error


class _CheckOut:
    def __init__(self, public: str, commit: str, folder: Path, log: Callable[[str], None]) -> None:
        self._public = public
        self._commit = commit
        self._folder = folder
        self._log = log
        self._environment = _environment()

    def run(self, url: str) -> None:
        kind = ["--object-format=sha256"] if len(self._commit) == 64 else []
        self._expect(*self._git("init", "--quiet", *kind))
        self._expect(*self._git("remote", "add", "--", "origin", url))
        self._keep_ssh_quiet()
        try:
            self._fetch()
            self._expect(*self._git("checkout", "--quiet", "--detach", self._commit))
            if (self._folder / ".gitmodules").is_file():
                self._expect(*self._git("submodule", "--quiet", "update", "--init", "--recursive"))
            self._compare()
        finally:
            self._forget_credentials(url)

    def _keep_ssh_quiet(self) -> None:
        if "GIT_SSH_COMMAND" not in self._environment and "GIT_SSH" not in self._environment:
            code, configured = self._git("config", "core.sshCommand")
            if code or not configured.strip():
                self._environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"

    def _fetch(self) -> None:
        fetch = ("fetch", "--quiet", "--no-recurse-submodules")
        one = f"+{self._commit}:refs/azpack/commit"
        code, output = self._git(*fetch, "origin", one)
        if code and not _NO_CONNECTION.search(output):
            # A server that gives no single commits.
            everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            code, output = self._git(*fetch, "origin", *everything)
        if code:
            raise self._unreachable(output)
        code, _ = self._git("cat-file", "-e", f"{self._commit}^{{commit}}")
        if code:
            raise self._no_such_commit(self._commit)

    def _compare(self) -> None:
        code, output = self._git("rev-parse", "HEAD")
        if code or output.strip() != self._commit:
            raise self._no_such_commit(self._commit)

    def _expect(self, code: int, output: str) -> None:
        if code == 0:
            return
        if _NO_OBJECT.search(output):
            raise self._no_such_commit("a submodule's commit", _tail(output))
        if _NO_CONNECTION.search(output):
            raise self._unreachable(output)
        raise WheelError(
            "git-failed",
            f"git can't check out {self._commit} of {self._public}{_tail(output)}",
            hint="git's own message says why; try the same by hand with git clone",
            context={"repository": self._public, "commit": self._commit},
        )

    def _no_such_commit(self, what: str, output: str = "") -> AzpackError:
        return WheelError(
            "no-such-commit",
            f"{what} is not in {self._public}, or no branch or tag leads to it{output}",
            hint="push the commit, or name another one and resolve again",
            context={"repository": self._public, "commit": self._commit},
        )

    def _unreachable(self, output: str) -> AzpackError:
        return UnreachableError(
            "repository-unreachable",
            f"{self._public} can't be fetched{_tail(output)}",
            hint="check the URL and the network, and that git can fetch it without asking for "
            "a password: with a credential helper, an SSH agent, or a token in the URL",
            context={"repository": self._public, "commit": self._commit},
        )

    def _git(self, *arguments: str) -> tuple[int, str]:
        """Run git in the folder; returns its exit code and what it wrote, without secrets."""
        import subprocess

        options = ("-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}")
        try:
            done = subprocess.run(
                ["git", *options, *arguments],
                cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, encoding="utf-8", errors="replace", check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise WheelError(
                "no-git",
                f"{self._public} can't be fetched: git is not installed",
                hint="install git, or depend on a released version",
            ) from None
        output = _redact(done.stdout)
        for line in output.splitlines():
            self._log(line)
        return done.returncode, output

    def _forget_credentials(self, url: str) -> None:
        """The build backend is to find the repository, but not the password to it."""
        if user_info := _USER_INFO.search(url):
            for config in (self._folder / ".git").rglob("config"):
                text = config.read_text(encoding="utf-8", errors="surrogateescape")
                text = text.replace(user_info[0], "")
                config.write_text(text, encoding="utf-8", errors="surrogateescape")


def _environment() -> dict[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY
    }
    return {**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}


def _redact(text: str) -> str:
    return _USER_INFO.sub("****@", text)


def _tail(output: str) -> str:
    return "".join(f"\n  {line}" for line in output.strip().splitlines()[-5:])
