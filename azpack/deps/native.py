"""Whether a wheel that was built on this machine runs on the target.

Such a wheel says `linux_x86_64`, or `any`; what its native code needs is read from the code:
the versions of the symbols, and the libraries, against the rules of manylinux (PEP 600) as
auditwheel keeps them. Its parts are used one by one: `analyze_wheel_abi` as a whole changes the
working directory of the process, does not name the file at fault, and passes over the symbols
of the loader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from azpack.deps.elf import ElfError, is_object
from azpack.deps.needs import (
    Code,
    does_not_fit,
    find_abi_faults,
    find_machine_faults,
    read_code,
    survey,
)
from azpack.errors import WheelError
from azpack.target.target import ARCHITECTURE

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Collection, Iterator

    from auditwheel.lddtree import DynamicExecutable  # type: ignore[import-untyped]
    from auditwheel.policy import (  # type: ignore[import-untyped]
        ExternalReference,
        Policy,
        WheelPolicies,
    )
    from packaging.tags import Tag

    from azpack.target.target import Target

_LINUX = re.compile(rf"(linux|manylinux\w*?)_{ARCHITECTURE}\Z")
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
# Where an installer puts these, and libraries find each other by $ORIGIN.
_SITE_PACKAGES = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_BUILD_WITH = (
    "install Python {python} here (uv python install {python}): native code has to be built by the "
    "target's version"
)
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linked:
    """A program or library of the wheel, and the libraries that the linker finds for it."""

    code: Code
    tree: DynamicExecutable

    @property
    def name(self) -> str:
        return self.code.name


def fitting_tag(wheel: Path, target: Target) -> str:
    """The tag under which the target runs this wheel, such as "cp311-cp311-manylinux_2_17_x86_64".

    Raises:
        WheelError: it does not run there ("does-not-fit": the message says why, and names the
            shared object), or it is no wheel.
    """
    import zipfile
    import zlib

    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tag = _own_tag(wheel.name, parse_wheel_filename(wheel.name)[3], target)
        with zipfile.ZipFile(wheel) as opened:
            native = [member for member in opened.infolist() if _is_native(opened, member)]
            if native:
                platform = _manylinux(wheel.name, opened, native, target)
            else:
                platform = "any" if tag.platform == "any" else f"manylinux_2_5_{ARCHITECTURE}"
    # RuntimeError: an encryption or a compression that zipfile has not.
    except (InvalidWheelFilename, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise WheelError(
            "bad-wheel",
            f"{wheel.name} is not a wheel: {error}",
            hint="its build backend is at fault; choose another version of the distribution",
            context={"wheel": wheel.name},
        ) from error
    return f"{tag.interpreter}-{tag.abi}-{platform}"


def _own_tag(name: str, tags: Collection[Tag], target: Target) -> Tag:
    """The best of the wheel's tags, its platform not looked at beyond system and architecture."""
    here = [tag for tag in tags if tag.platform == "any" or _LINUX.match(tag.platform)]
    if not here:
        platforms = ", ".join(sorted({tag.platform for tag in tags}))
        raise does_not_fit(
            name,
            [f"it is for {platforms}, and Azure runs Linux on {ARCHITECTURE}"],
            hint=f"build on Linux on {ARCHITECTURE}, or choose a version that has a wheel for it",
        )
    for fitting in target.tags():
        for tag in here:
            if (tag.interpreter, tag.abi, tag.platform == "any") == (
                fitting.interpreter,
                fitting.abi,
                fitting.platform == "any",
            ):
                return tag
    built_for = ", ".join(sorted({f"{tag.interpreter}-{tag.abi}" for tag in here}))
    raise does_not_fit(
        name,
        [f"it is for {built_for}, and the target is Python {target.python}"],
        hint=_BUILD_WITH.format(python=target.python),
    )


def _is_native(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with opened.open(member) as content:
        return is_object(content.read(20))


def _manylinux(
    name: str, opened: zipfile.ZipFile, native: list[zipfile.ZipInfo], target: Target
) -> str:
    """The oldest manylinux platform whose promises are enough for the native code."""
    import tempfile

    try:
        from auditwheel.architecture import Architecture  # type: ignore[import-untyped]
        from auditwheel.libc import Libc  # type: ignore[import-untyped]
        from auditwheel.policy import WheelPolicies
    except ImportError:
        raise does_not_fit(
            name,
            [f"it holds native code ({native[0].filename}), which can be judged on Linux only"],
            hint="build on Linux, or choose a version that has a wheel for it",
        ) from None
    with tempfile.TemporaryDirectory(prefix="azpack-") as temporary:
        root = Path(temporary).resolve()
        places = [_extract(name, opened, member, root) for member in native]
        codes = [code for place in places if (code := _read(name, place, root)) is not None]
        _check_modules(name, codes, opened.namelist(), target)
        linked = [_link(name, code, root) for code in codes if code.runs_there]
        policies = WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
        return _oldest_platform(name, linked, policies, root, target)


def _check_modules(name: str, codes: list[Code], members: list[str], target: Target) -> None:
    """Its code is for the target's machine, and its modules are for the target's Python."""
    installed = {_SITE_PACKAGES.sub("", member, count=1) for member in members}
    found = survey(codes, installed, pure=False)
    if faults := find_machine_faults(found):
        raise does_not_fit(
            name,
            faults,
            hint=f"build on Linux on {ARCHITECTURE} with glibc, or choose a version that has "
            "a wheel for it",
        )
    if faults := find_abi_faults(found, target):
        raise does_not_fit(name, faults, hint=_BUILD_WITH.format(python=target.python))


def _extract(name: str, opened: zipfile.ZipFile, member: zipfile.ZipInfo, root: Path) -> Path:
    import shutil

    path = PurePosixPath(_SITE_PACKAGES.sub("", member.filename, count=1))
    if path.is_absolute() or ".." in path.parts:
        raise does_not_fit(name, [f"{member.filename} is not a path within it"], hint="")
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
    return place


def _read(wheel: str, path: Path, root: Path) -> Code | None:
    name = path.relative_to(root).as_posix()
    content = path.read_bytes()
    try:
        return read_code(name, lambda offset, size: content[offset : offset + size])
    except ElfError as error:
        raise _unreadable(wheel, name, error) from error


def _link(wheel: str, code: Code, root: Path) -> _Linked:
    import logging

    from auditwheel.lddtree import ldd

    # Without a handler its warnings, about this machine's linker, would go to standard error.
    if not (logger := logging.getLogger("auditwheel")).handlers:
        logger.addHandler(logging.NullHandler())
    try:
        return _Linked(code=code, tree=ldd(root / code.name, exclude=frozenset()))
    # A damaged file makes it raise whatever the bytes lead it to.
    except Exception as error:
        raise _unreadable(wheel, code.name, error) from error


def _unreadable(wheel: str, name: str, error: Exception) -> WheelError:
    return does_not_fit(
        wheel,
        [f"{name} can't be read: {error!r}"],
        hint="the file is damaged; choose another version of the distribution",
    )


def _oldest_platform(
    name: str, objects: list[_Linked], policies: WheelPolicies, root: Path, target: Target
) -> str:
    limit = tuple(map(int, target.glibc.split(".")))
    # The oldest first: each newer one allows all that an older one does.
    allowed = sorted(
        (
            policy
            for policy in policies
            if (version := _MANYLINUX.match(policy.name))
            and (int(version[1]), int(version[2])) <= limit
        ),
        key=lambda policy: -policy.priority,
    )
    brought = {PurePosixPath(found.name).name for found in objects}
    needed = {soname for found in objects for soname in found.tree.needed}
    references = {
        found.name: policies.lddtree_external_references(found.tree, root)
        for found in objects
        # A library that only others of the wheel load finds its own libraries by their paths.
        if found.code.module or PurePosixPath(found.name).name not in needed
    }
    too_new: list[str] = []
    others: list[str] = []
    for policy in allowed:
        too_new = [
            fault for found in objects for fault in _new_symbols(found, policy, brought, target)
        ]
        others = [fault for found in objects for fault in _processor(found)]
        for found in objects:
            if reference := references.get(found.name, {}).get(policy.name):
                others += _strange_libraries(found, reference, brought)
        if not too_new and not others:
            return str(policy.name)
    hint = "choose a version that has a wheel for the target"
    if any("libpq.so" in fault for fault in others):
        hint = "list psycopg2-binary, whose wheels bring libpq, in place of psycopg2"
    elif too_new:
        hint += f", or build on a system with glibc {target.glibc} or older"
    raise does_not_fit(name, too_new + others, hint=hint)


def _new_symbols(
    found: _Linked, policy: Policy, brought: Collection[str], target: Target
) -> Iterator[str]:
    """The symbol versions that the policy does not promise, the newest of each family."""
    newest: dict[str, str] = {}
    for library, symbol in found.code.needs.versions:
        family, _, version = symbol.partition("_")
        known = policy.symbol_versions.get(family)
        if known is not None and version not in known and library not in brought:
            newest[family] = max(newest.get(family, "0"), version, key=_in_order)
    if newest:
        symbols = ", ".join(f"{family}_{newest[family]}" for family in sorted(newest))
        yield (
            f"{found.name} needs {symbols}, which the target (glibc {target.glibc}) does not have"
        )


def _in_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 1 << 16 for part in version.split("."))


def _strange_libraries(
    found: _Linked, reference: ExternalReference, brought: Collection[str]
) -> Iterator[str]:
    if missing := set(reference.libs) - set(brought):
        direct = sorted(missing & set(found.tree.needed))
        others = (
            f" (and {len(missing) - len(direct)} that these need)" if missing > set(direct) else ""
        )
        yield (
            f"{found.name} needs {', '.join(direct)}{others}, which the wheel does not bring and "
            "manylinux does not promise to be there"
        )
    for library, symbols in sorted(reference.blacklist.items()):
        yield f"{found.name} uses {', '.join(symbols[:_SHOWN])} of {library}, which are private"


def _processor(found: _Linked) -> Iterator[str]:
    """Instructions beyond the baseline, where the linker noted that they are needed."""
    if level := found.tree.platform.extended_architecture:
        yield f"{found.name} needs a processor of {level.value}"
