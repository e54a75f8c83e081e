"""JSON as the Functions host reads it, with the line on which each value stands.

The host reads with Newtonsoft.Json, which takes more than RFC 8259: comments, commas after the
last value, single quotes, property names without quotes. The last of several equal names counts.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Document", "JsonError", "parse_json"]

# Newtonsoft's own limit, since its version 13.
_MAX_DEPTH = 64

_GAP = re.compile(r"(?:[\s\u00a0]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE_NAME = re.compile(r"[\w$]+")
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_LONGEST_HEX = 3000
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'",
            "/": "/", "\\": "\\", "\n": "\n"}  # fmt: skip
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

Step = str | int


class JsonError(ValueError):
    """What is not JSON, and on which line, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A value, and the lines of all that is in it, by the names and indexes that lead there."""

    value: Any
    lines: dict[tuple[Step, ...], int]

    def line(self, *steps: Step) -> int:
        """The line of a value, or of the nearest one around it that is there."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)


def parse_json(data: bytes) -> Document:
    """Read the bytes of a file as the host does.

    Raises:
        JsonError: the host would refuse it.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    # .NET replaces what is not in the encoding.
    parser = _Parser(data.decode(encoding, "replace").removeprefix("\ufeff"))
    value = parser.value(())
    parser.skip()
    if parser.at < len(parser.text):
        raise parser.error("there is more after the end of the JSON")
    return Document(value=value, lines=parser.lines)


class _Parser:
    """A reader at a place in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[tuple[Step, ...], int] = {}
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def error(self, message: str, at: int | None = None) -> JsonError:
        return JsonError(message, self._line(self.at if at is None else at))

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self._breaks, at) + 1

    def skip(self) -> str:
        """Go past blanks and comments; return the next character, "" at the end."""
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("/*", self.at):
            raise self.error("a comment is not closed")
        return self.text[self.at : self.at + 1]

    def value(self, steps: tuple[Step, ...]) -> Any:
        char = self.skip()
        self.lines[steps] = self._line(self.at)
        if len(steps) > _MAX_DEPTH:
            raise self.error(f"it is nested deeper than {_MAX_DEPTH} levels")
        if char == "{":
            return self._object(steps)
        if char == "[":
            return self._array(steps)
        if char in ('"', "'") and char:
            return self._string()
        return self._scalar()

    def _object(self, steps: tuple[Step, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        opened = self.at
        self.at += 1
        while (char := self.skip()) != "}":
            if not char:
                raise self.error("this { is not closed", opened)
            name = self._name(char)
            if self.skip() != ":":
                raise self.error(f"there is no colon after the name {name!r}")
            self.at += 1
            found[name] = self.value((*steps, name))
            self._separator("}")
        self.at += 1
        return found

    def _name(self, char: str) -> str:
        if char in "\"'":
            return self._string()
        match = _BARE_NAME.match(self.text, self.at)
        if match is None:
            raise self.error(f"there is {char!r} where a name should be")
        self.at = match.end()
        return match.group()

    def _array(self, steps: tuple[Step, ...]) -> list[Any]:
        found: list[Any] = []
        opened = self.at
        self.at += 1
        while (char := self.skip()) != "]":
            if not char:
                raise self.error("this [ is not closed", opened)
            found.append(self.value((*steps, len(found))))
            self._separator("]")
        self.at += 1
        return found

    def _separator(self, end: str) -> None:
        char = self.skip()
        if char == ",":
            self.at += 1
        elif char and char != end:
            raise self.error(f"there is {char!r} where a comma or {end} should be")

    def _string(self) -> str:
        quote, opened = self.text[self.at], self.at
        parts: list[str] = []
        self.at += 1
        plain = re.compile(rf"[^\\{quote}]*")
        while True:
            match = plain.match(self.text, self.at)
            if match is not None:
                parts.append(match.group())
                self.at = match.end()
            char = self.text[self.at : self.at + 1]
            if not char:
                raise self.error("this string is not closed", opened)
            self.at += 1
            if char == quote:
                text = "".join(parts)
                # Two escapes make one character beyond the first 65,536.
                return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            parts.append(self._escape())

    def _escape(self) -> str:
        char = self.text[self.at : self.at + 1]
        digits = self.text[self.at + 1 : self.at + 5]
        if char == "u" and re.fullmatch("[0-9a-fA-F]{4}", digits):
            self.at += 5
            return chr(int(digits, 16))
        if char not in _ESCAPES or not char:
            raise self.error(f"there is no escape \\{char}")
        self.at += 1
        return _ESCAPES[char]

    def _scalar(self) -> Any:
        if (match := _NUMBER.match(self.text, self.at)) is not None:
            text = match.group()
            self.at = match.end()
            if "x" in text or "X" in text:
                # Python refuses to print what has more digits.
                return int(text, 16) if len(text) <= _LONGEST_HEX else float("inf")
            return int(text) if re.fullmatch(r"[-+]?\d{1,4000}", text) else float(text)
        match = _WORD.match(self.text, self.at)
        if match is None or match.group() not in _WORDS:
            shown = self.text[self.at : self.at + 1]
            raise self.error(f"there is {shown!r} where a value should be" if shown
                             else "it ends where a value should be")  # fmt: skip
        self.at = match.end()
        return _WORDS[match.group()]
