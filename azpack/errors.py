"""The errors of azpack: one tree, a class per exit code of the contract."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.findings import Finding


class AzpackError(Exception):
    """What went wrong, where, and what to do now.

    `code` names the kind of error for scripts (kebab case, stable), `message` says what happened
    and where, `hint` what to do about it, `context` holds the data behind the message. None of
    them may hold a secret: URLs in them have gone through `azpack.redaction.redact`.
    """

    exit_code: ClassVar[int] = 70

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.context = dict(context or {})


class FindingsError(AzpackError):
    """What is not done because of what was found; `findings` has all, not the errors alone."""

    exit_code = 1

    def __init__(
        self,
        findings: Sequence[Finding],
        *,
        hint: str = "mend that, or build all the same with --no-check",
    ) -> None:
        count = sum(finding.severity == "error" for finding in findings)
        super().__init__(
            "findings",
            f"{count} {'error was' if count == 1 else 'errors were'} found, and nothing written",
            hint=hint,
        )
        self.findings = tuple(findings)


class UsageError(AzpackError):
    """A wrong option or configuration, or no such project."""

    exit_code = 2


class ResolutionError(AzpackError):
    """The requirements can't be resolved, or the lock does not fit them."""

    exit_code = 3


class WheelError(AzpackError):
    """A wheel can't be had, checked or built."""

    exit_code = 4


class UnreachableError(AzpackError):
    """An index or an engine does not answer, or refuses the credentials."""

    exit_code = 5


class FileError(AzpackError):
    """Reading or writing files failed."""

    exit_code = 6


_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_disk_full(error: OSError) -> bool:
    """Whether writing failed for want of room: on the disk, or in the user's share of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def as_azpack_error(error: Exception) -> AzpackError:
    """Any error as one of azpack's: of the system's as a FileError, others as a fault."""
    if isinstance(error, AzpackError):
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        full = is_disk_full(error)
        hint = ""
        if full:
            hint = "make room, or name another folder for temporary files with TMPDIR"
        elif error.errno in _NO_RIGHT:
            hint = "get the right to it, or name other places with --output and --cache-dir"
        return FileError(
            "disk-full" if full else "file-error", f"{where}{error.strerror or error}", hint=hint
        )
    return AzpackError(
        "fault",
        f"azpack itself has a fault: {type(error).__name__}: {error}",
        hint="run it again with -vv and report what it prints",
    )
