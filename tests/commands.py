"""Running azpack as a user does: a process of its own, in an environment that tests control."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.manifests import check_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Azpack", "Done", "make_app", "project_files"]

_LONGEST = 120  # seconds: a guard against hanging, not a measure


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command came to; `stdout` is bytes, since it may be a zip."""

    code: int
    stdout: bytes
    stderr: str

    def data(self) -> Any:
        """The result of a command that was given `--json` and succeeded."""
        assert self.code == 0, self.stderr
        envelope = json.loads(self.stdout)
        assert (envelope["status"], envelope["exit_code"]) == ("ok", 0)
        if manifest := envelope["data"].get("manifest"):
            check_manifest(json.loads(Path(manifest).read_bytes()))
        return envelope["data"]

    def findings(self) -> Any:
        """The findings for which a command that was given `--json` did nothing, by their codes."""
        assert self.code == 1, self.stderr
        envelope = json.loads(self.stdout)
        assert (envelope["status"], envelope["exit_code"]) == ("findings", 1)
        assert "Traceback" not in self.stderr
        return {row["code"]: row for row in envelope["data"]["findings"]}

    def error(self, exit_code: int, code: str, *, traced: bool = False) -> Any:
        """The error of a command that was given `--json`, which is the only thing it printed.

        `traced` is for commands that were given `-vv`, which prints a traceback.
        """
        assert self.code == exit_code, self.stderr
        envelope = json.loads(self.stdout)
        assert (envelope["status"], envelope["exit_code"]) == ("error", exit_code)
        (error,) = envelope["errors"]
        assert error["code"] == code, error
        assert sum(line.startswith("error: ") for line in self.stderr.splitlines()) == 1
        assert ("Traceback" in self.stderr) is traced
        return error


class Azpack:
    """The command, with a cache below `folder`, and nothing from this machine's own settings."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.cache = folder / "cache"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AZPACK_", "DOCKER_", "PIP_", "UV_", "SOURCE_DATE_EPOCH"))
        }
        self.environment |= {
            "AZPACK_CACHE_DIR": str(self.cache),
            # Most apps of tests are about their dependencies, and have no function.
            "AZPACK_IGNORE": "AZP104",
            "COLUMNS": "80",
            "DOCKER_HOST": f"unix://{folder}/no-engine.sock",
            "NETRC": os.devnull,
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(folder / "uv"),
            # uv waits longer with each one.
            "UV_HTTP_RETRIES": "0",
            **environment,
        }

    def run(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        prefix: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """Run a command to its end; `prefix` is a program that starts it."""
        done = subprocess.run(
            [*prefix, *_command(arguments)],
            cwd=cwd,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST,
            check=False,
        )
        stderr = done.stderr.decode(errors="replace")
        return Done(code=done.returncode, stdout=done.stdout, stderr=stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            _command(arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def forget(self) -> None:
        """Make the cache cold."""
        shutil.rmtree(self.cache, ignore_errors=True)


def _command(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, "-m", "azpack", *map(str, arguments)]


def make_app(
    folder: Path, requirements: str | bytes | None = "", *, files: Mapping[str, str] | None = None
) -> Path:
    """Make the smallest app in `folder`, with a requirements.txt unless that is None."""
    folder.mkdir(parents=True)
    everything: dict[str, str | bytes] = {"host.json": '{"version": "2.0"}\n', **(files or {})}
    if requirements is not None:
        everything["requirements.txt"] = requirements
    for name, content in everything.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def project_files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
