"""Engines and images that tests make for themselves, where the engine for all tests won't do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PrivateEngine", "image_archive", "private_engine", "small_root"]

_PROGRAMS = ("sh", "sleep", "cat", "dd", "grep", "ls", "mkdir", "echo", "true")
_START_SECONDS = 60


class PrivateEngine:
    """A dockerd of a test's own, which may be killed; its mounts are gone when it is."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.docker_host = f"unix://{folder}/docker.sock"

    def kill(self) -> None:
        """End it as a failure of power would."""
        self.process.kill()
        self.process.wait()
        for process in self._left():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _left(self) -> list[int]:
        """Its containerd, what keeps the containers, and what runs in them."""
        own = str(self.folder).encode()
        found = []
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if b"containerd" in command.read_bytes() and own in command.read_bytes():
                    found.append(int(command.parent.name))
        for process in tuple(found):
            with suppress(OSError):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += map(int, children.split())
        return found


@contextmanager
def private_engine(folder: Path, *options: str, megabytes: int = 200) -> Iterator[PrivateEngine]:
    """An engine in a folder with a short path, with a disk of its own in memory."""
    data = folder / "data"
    data.mkdir(parents=True)
    command = [
        "unshare", "--mount", "--propagation", "private", "sh", "-c",
        f'mount -t tmpfs -o size={megabytes}m tmpfs "$1"; shift; exec dockerd "$@"',
        "sh", str(data),
        "--host", f"unix://{folder}/docker.sock", "--data-root", str(data),
        "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
        "--bridge", "none", "--iptables=false", "--ip-forward=false", *options,
    ]  # fmt: skip
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        engine = PrivateEngine(process, folder)
        try:
            _wait_for(engine)
            yield engine
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            engine.kill()


def _wait_for(engine: PrivateEngine) -> None:
    version = ["docker", "--host", engine.docker_host, "version"]
    for _ in range(_START_SECONDS * 4):
        if subprocess.run(version, capture_output=True, check=False).returncode == 0:
            return
        if engine.process.poll() is not None:
            break
        time.sleep(0.25)
    raise AssertionError((engine.folder / "log").read_text()[-2000:])


def small_root() -> bytes:
    """A file system with little more than a shell, of this machine's programs, as a tar."""
    names: dict[str, None] = {}
    for program in _PROGRAMS:
        found = shutil.which(program)
        assert found
        names[found] = None
        linked = subprocess.run(["ldd", found], capture_output=True, text=True, check=True).stdout
        names |= dict.fromkeys(word for word in linked.split() if word.startswith("/"))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", dereference=True) as tar:
        for name in names:
            tar.add(name)
    return stream.getvalue()


def image_archive(name: str, root: bytes, *, architecture: str = "amd64") -> bytes:
    """An image of one layer as `docker load` reads it."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member, content in (
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", root),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()
