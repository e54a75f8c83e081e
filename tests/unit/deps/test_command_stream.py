"""Reading what an engine sends of a command's output, however it is cut."""

from __future__ import annotations

import socket
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.command_stream import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient


class Stream(socket.socket):
    """A connection as the docker library gives it where it uses TLS."""

    @property
    def _response(self) -> socket.socket:  # what it belongs to, and closes with
        return self


class Client:
    """An engine that sends these pieces once it is told to begin."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        self.states: list[dict[str, Any]] = [
            {"Running": True, "ExitCode": None},
            {"Running": False, "ExitCode": 7},
        ]
        self.created: dict[str, Any] = {}

    def exec_create(self, container: str, command: list[str], **options: Any) -> Mapping[str, str]:
        self.created = {"container": container, "command": command, **options}
        return {"Id": "id"}

    def exec_start(self, _: str, *, socket: bool) -> Stream:
        assert socket
        here, there = _pair()
        Thread(target=self._send, args=(there,)).start()
        return here

    def _send(self, connection: socket.socket) -> None:
        with connection:
            assert connection.recv(1) == b"\n"
            for piece in self.pieces:
                connection.sendall(piece)

    def exec_inspect(self, _: str) -> dict[str, Any]:
        return self.states.pop(0)


def _pair() -> tuple[Stream, socket.socket]:
    here, there = socket.socketpair()
    return Stream(fileno=here.detach()), there


def frame(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def read(pieces: Sequence[bytes]) -> list[str]:
    lines: list[str] = []
    client = Client(pieces)
    code = run(
        cast("APIClient", client), "box", ["make", "a b"],
        cwd="/src", environment={"KEY": "value"}, output=lines.append, timeout=None,
    )  # fmt: skip
    assert code == 7
    assert client.created["command"][-2:] == ["make", "a b"]
    assert client.created["environment"]["KEY"] == "value"
    return lines


@given(data=st.data())
def test_lines_are_the_same_however_they_are_cut(data: st.DataObject) -> None:
    text = b"12\none\n\n\xe2\x82\xac two\r\nbad \xff\nno end"
    places = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    frames = b"".join(
        frame(text[start:end])
        for start, end in zip([0, *places], [*places, len(text)], strict=True)
    )
    cuts = sorted(data.draw(st.sets(st.integers(1, len(frames) - 1), max_size=8)))
    pieces = [
        frames[start:end] for start, end in zip([0, *cuts], [*cuts, len(frames)], strict=True)
    ]
    assert read(pieces) == ["one", "", "€ two", "bad \ufffd", "no end"]


def test_line_without_an_end_is_given_in_parts() -> None:
    lines = read([frame(b"12\n"), *(frame(b"x" * 50_000) for _ in range(20))])
    assert len(lines) > 5
    assert "".join(lines) == "x" * 1_000_000


@pytest.mark.parametrize("text", [b"", b"OCI runtime exec failed: no sh\n"])
def test_shell_that_never_was(text: bytes) -> None:
    assert read([frame(text)] if text else []) == text.decode().splitlines()


def test_stream_that_ends_inside_a_frame() -> None:
    assert read([frame(b"12\nwhole\n"), frame(b"half")[:9]]) == ["whole"]
