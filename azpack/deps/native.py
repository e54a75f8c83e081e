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
    from elftools.elf.elffile import ELFFile
    from packaging.tags import Tag

    from azpack.target.target import Target

_LINUX = re.compile(rf"(linux|manylinux\w*?)_{ARCHITECTURE}\Z")
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
# Where an installer puts these, and libraries find each other by $ORIGIN.
_SITE_PACKAGES = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_LOADED_TYPES = (2, 3)  # ET_EXEC and ET_DYN; what a linker or a kernel takes does not count
_MACHINES = {"EM_386": "i686", "EM_ARM": "armv7l"}
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _SharedObject:
    """A program or library of the wheel: what it runs on, and what it needs.

    `versions` are those of the symbols it takes from other libraries: the library's name, and
    a version such as "GLIBC_2.34".
    """

    name: str
    runs_on: str
    is_extension: bool
    versions: frozenset[tuple[str, str]]
    tree: DynamicExecutable


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
        raise _does_not_fit(
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
    raise _does_not_fit(
        name,
        [f"it is for {built_for}, and the target is Python {target.python}"],
        hint=f"install Python {target.python} here (uv python install {target.python}): "
        "native code has to be built by the target's version",
    )


def _is_native(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with opened.open(member) as content:
        head = content.read(20)
    order = "big" if head[5:6] == b"\2" else "little"
    return head.startswith(b"\x7fELF") and (
        int.from_bytes(head[16:18], order) in _LOADED_TYPES  # type: ignore[arg-type]
    )


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
        raise _does_not_fit(
            name,
            [f"it holds native code ({native[0].filename}), which can be judged on Linux only"],
            hint="build on Linux, or choose a version that has a wheel for it",
        ) from None
    with tempfile.TemporaryDirectory(prefix="azpack-") as temporary:
        root = Path(temporary).resolve()
        objects = [_read(name, _extract(name, opened, member, root), root) for member in native]
        own = [found for found in objects if found.runs_on == ARCHITECTURE]
        # A distribution may bring a library for each platform, and choose when it runs.
        foreign = [found for found in objects if found.runs_on != ARCHITECTURE]
        if wrong := [found for found in foreign if found.is_extension or not own]:
            raise _does_not_fit(
                name,
                [f"{f.name} is for {f.runs_on}, Azure runs {ARCHITECTURE} (glibc)" for f in wrong],
                hint=f"build on Linux on {ARCHITECTURE} with glibc, or choose a version that has "
                "a wheel for it",
            )
        policies = WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
        return _oldest_platform(name, own, policies, root, target)


def _extract(name: str, opened: zipfile.ZipFile, member: zipfile.ZipInfo, root: Path) -> Path:
    import shutil

    path = PurePosixPath(_SITE_PACKAGES.sub("", member.filename, count=1))
    if path.is_absolute() or ".." in path.parts:
        raise _does_not_fit(name, [f"{member.filename} is not a path within it"], hint="")
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
    return place


def _read(wheel: str, path: Path, root: Path) -> _SharedObject:
    import logging

    from auditwheel.elfutils import elf_is_python_extension  # type: ignore[import-untyped]
    from auditwheel.lddtree import ldd
    from elftools.elf.elffile import ELFFile

    # Without a handler its warnings, about this machine's linker, would go to standard error.
    if not (logger := logging.getLogger("auditwheel")).handlers:
        logger.addHandler(logging.NullHandler())
    name = path.relative_to(root).as_posix()
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            machine = str(elf["e_machine"])
            runs_on = _MACHINES.get(machine, machine.removeprefix("EM_").lower())
            if elf.elfclass == 32 and runs_on == ARCHITECTURE:
                runs_on = "x32"
            tree = ldd(path, exclude=frozenset())
            if any(soname.startswith(("libc.musl-", "ld-musl-")) for soname in tree.needed):
                runs_on += " with musl"
            return _SharedObject(
                name=name,
                runs_on=runs_on,
                is_extension=elf_is_python_extension(path, elf)[0],
                versions=frozenset(_symbol_versions(elf)),
                tree=tree,
            )
    # A damaged file makes the readers raise whatever its bytes lead them to.
    except Exception as error:
        raise _does_not_fit(
            wheel,
            [f"{name} can't be read: {error!r}"],
            hint="the file is damaged; choose another version of the distribution",
        ) from error


def _symbol_versions(elf: ELFFile) -> Iterator[tuple[str, str]]:
    from elftools.elf.gnuversions import GNUVerNeedSection

    section = elf.get_section_by_name(".gnu.version_r")
    if isinstance(section, GNUVerNeedSection):
        for library, versions in section.iter_versions():
            for version in versions:
                yield str(library.name), str(version.name)


def _oldest_platform(
    name: str, objects: list[_SharedObject], policies: WheelPolicies, root: Path, target: Target
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
        if found.is_extension or PurePosixPath(found.name).name not in needed
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
    raise _does_not_fit(name, too_new + others, hint=hint)


def _new_symbols(
    found: _SharedObject, policy: Policy, brought: Collection[str], target: Target
) -> Iterator[str]:
    """The symbol versions that the policy does not promise, the newest of each family."""
    newest: dict[str, str] = {}
    for library, symbol in found.versions:
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
    found: _SharedObject, reference: ExternalReference, brought: Collection[str]
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


def _processor(found: _SharedObject) -> Iterator[str]:
    """Instructions beyond the baseline, where the linker noted that they are needed."""
    if level := found.tree.platform.extended_architecture:
        yield f"{found.name} needs a processor of {level.value}"


def _does_not_fit(name: str, faults: list[str], *, hint: str) -> WheelError:
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return WheelError(
        "does-not-fit",
        f"{name} does not run on the target: {'; '.join([*faults[:_SHOWN], *more])}",
        hint=hint,
        context={"wheel": name, "faults": faults},
    )
