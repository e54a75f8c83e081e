"""Fetches a commit of a git repository, with the user's own git and its credentials.

History and tags come along, as with uv: setuptools-scm and its like take the version from them.
A shallow clone has neither. A partial clone has, but there git fetches what is missing whenever
it looks for it, from within the build too, and on servers that only hand out files without end.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from azpack.deps.git_credentials import with_git_credentials
from azpack.deps.index import public
from azpack.errors import AzpackError, FileError, UnreachableError, WheelError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_URL = re.compile(r"(https?|ssh|git|file)://")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\Z")
# Set where azpack runs in a hook of another repository.
_OTHER_REPOSITORY = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip
# Said by git where it did not come to speak with the repository; C locale.
NO_CONNECTION = re.compile(
    r"unable to access|Could not read from remote repository|could not read Username"
    r"|could not read Password|Authentication failed|does not appear to be a git repository"
    r"|unable to look up|unable to connect|repository '.*' not found"
)
NO_CONNECTION_HINT = (
    "check the URL and the network, and that git can fetch it without asking for a password: with "
    "a credential helper, an SSH agent, or a token in the URL"
)
_NO_OBJECT = re.compile(r"not our ref|did not contain|Unable to find current revision")


def check_out(
    url: str,
    commit: str,
    folder: Path,
    *,
    environment: Mapping[str, str],
    log: Callable[[str], None],
) -> None:
    """Fetch `commit`, a full hash, of the repository at `url` into `folder`, with submodules.

    `url` is an https, ssh, git or file URL; credentials in it are neither shown nor left in
    `folder`, nor on a command line. git asks nothing: what needs an answer fails.
    `environment` is the whole one to run git in.

    Raises:
        WheelError: no git here, not such a URL, or no such commit in the repository.
        UnreachableError: the repository, or that of a submodule, does not answer or refuses.
        FileError: `folder` can't be written.
    """
    address = public(url)
    if not _URL.match(url):
        raise WheelError(
            "bad-repository",
            f"{address!r} is not the URL of a git repository",
            hint="write it as git+https://HOST/PATH, git+ssh://git@HOST/PATH or git+file:///PATH",
        )
    if not _COMMIT.match(commit):
        raise WheelError(
            "no-such-commit",
            f"{commit!r}, of {address}, is not the full hash of a commit",
            hint="resolve again: 'azpack lock' writes the full hash",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        own = with_git_credentials([url] if url.startswith("http") else [], environment)
        _CheckOut(address, commit, folder, own, log).run()
    except OSError as error:
        raise FileError(
            "not-checked-out", f"{address} can't be written to {folder}: {error.strerror}"
        ) from error


class _CheckOut:
    def __init__(
        self,
        address: str,
        commit: str,
        folder: Path,
        environment: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        self._address = address
        self._commit = commit
        self._folder = folder
        self._log = log
        self._environment = _without_questions(environment)

    def run(self) -> None:
        kind = ["--object-format=sha256"] if len(self._commit) == 64 else []
        self._expect(*self._git("init", "--quiet", *kind))
        self._expect(*self._git("remote", "add", "--", "origin", self._address))
        self._keep_ssh_quiet()
        self._fetch()
        self._expect(*self._git("checkout", "--quiet", "--detach", self._commit))
        if (self._folder / ".gitmodules").is_file():
            self._expect(*self._git("submodule", "--quiet", "update", "--init", "--recursive"))
        self._compare()

    def _keep_ssh_quiet(self) -> None:
        if "GIT_SSH_COMMAND" not in self._environment and "GIT_SSH" not in self._environment:
            code, configured = self._git("config", "core.sshCommand")
            if code or not configured.strip():
                self._environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"

    def _fetch(self) -> None:
        fetch = ("fetch", "--quiet", "--no-recurse-submodules")
        one = f"+{self._commit}:refs/azpack/commit"
        code, output = self._git(*fetch, "origin", one)
        if code and not NO_CONNECTION.search(output):
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
        if NO_CONNECTION.search(output):
            raise self._unreachable(output)
        raise WheelError(
            "git-failed",
            f"git can't check out {self._commit} of {self._address}{_tail(output)}",
            hint="git's own message says why; try the same by hand with git clone",
            context={"repository": self._address, "commit": self._commit},
        )

    def _no_such_commit(self, what: str, output: str = "") -> AzpackError:
        return WheelError(
            "no-such-commit",
            f"{what} is not in {self._address}, or no branch or tag leads to it{output}",
            hint="push the commit, or name another one and resolve again",
            context={"repository": self._address, "commit": self._commit},
        )

    def _unreachable(self, output: str) -> AzpackError:
        return UnreachableError(
            "repository-unreachable",
            f"{self._address} can't be fetched{_tail(output)}",
            hint=NO_CONNECTION_HINT,
            context={"repository": self._address, "commit": self._commit},
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
                f"{self._address} can't be fetched: git is not installed",
                hint="install git, or depend on a released version",
            ) from None
        output = redact(done.stdout)
        for line in output.splitlines():
            self._log(line)
        return done.returncode, output


def _without_questions(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _OTHER_REPOSITORY}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}


def _tail(output: str) -> str:
    return "".join(f"\n  {line}" for line in output.strip().splitlines()[-5:])
