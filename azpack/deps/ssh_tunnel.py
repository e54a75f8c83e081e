"""A way to an engine on another machine, through the ssh program: the user's keys and settings."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit


class SshTunnel:
    """A socket of this machine; each connection to it ends at the other machine's engine.

    The docker library has the like, but imports paramiko for it even where it runs ssh.
    """

    def __init__(self, address: str) -> None:
        """Open a way to `ssh://[USER@]HOST[:PORT]`; ssh is run when somebody connects.

        Raises:
            ValueError: the address is none.
            OSError: there is no place for a socket.
        """
        self._command = _ssh_command(address)
        self._folder = Path(tempfile.mkdtemp(prefix="azpack-ssh-"))
        self.socket = self._folder / "engine.sock"
        self._messages = self._folder / "messages"
        self._messages.touch()
        self._running: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def fault(self) -> str:
        """The last that ssh had to say, if it said anything."""
        lines = self._messages.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"ssh: {last.removeprefix('ssh: ')}" if last else ""

    def close(self) -> None:
        """End all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join(timeout=5)
        for process in self._running:
            process.terminate()
            process.wait()
        self._running.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._running = [process for process in self._running if process.poll() is None]
            with connection, self._messages.open("ab") as messages:
                try:
                    process = subprocess.Popen(
                        self._command,
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=messages,
                        # Ctrl-C is not for it: the container has still to be removed.
                        start_new_session=True,
                    )
                except OSError as error:
                    messages.write(f"{error.strerror}: {error.filename}\n".encode())
                else:
                    self._running.append(process)


def _ssh_command(address: str) -> list[str]:
    """What the docker program runs too; it never asks for a password."""
    url = urlsplit(address)
    if not url.hostname:
        raise ValueError(f"{address!r} names no host")
    options = ["BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=15"]
    command = ["ssh", "-T", *(part for option in options for part in ("-o", option))]
    if url.username:
        command += ["-l", url.username]
    if url.port:
        command += ["-p", str(url.port)]
    return [*command, "--", url.hostname, "docker system dial-stdio"]
