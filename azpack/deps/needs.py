"""What the native code of a wheel needs, and whether the target has it.

Tags promise that it does, and some promise too much. So the code is read when a wheel enters the
store, and what was noted of it (`NativeCode`) is held against each target. A library that is not
there is no fault: real wheels need some of theirs only for what few users do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.deps.distribution import NativeCode
from azpack.deps.elf import SharedObject, read_object
from azpack.errors import WheelError
from azpack.target.target import ARCHITECTURE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from azpack.deps.elf import Read
    from azpack.target.target import Target

# A module's name, and the tag of its ABI (PEP 3149). What has no tag may also be a library.
_MODULE = re.compile(r"(?:.*/)?([^/.]+)\.(?:((?:cpython|pypy|graalpy)[\w-]*|abi3)\.)?so", re.DOTALL)
_TRIPLE = f"-{ARCHITECTURE}-linux-gnu"
_CPYTHON = re.compile(rf"cpython-(\d)(\w+){_TRIPLE}")
_LIBRARY = re.compile(r"\.so(\.\d+)*\Z")
_C_LIBRARIES = ("libc.so.6", "libc.musl-", "ld-musl-")
_PHONES_C_LIBRARY = "libc.so"  # Android's
# Of libraries that every Linux has. Where they lack a version, the linker loads nothing.
_FAMILIES = frozenset({"GLIBC", "GLIBCXX", "CXXABI", "GCC"})
_NUMBERED = re.compile(r"[A-Z]+_(\d+(?:\.\d+)*)")
# Versions without a number (TM_1, FLOAT128, PRIVATE) are older than any target, but for this one.
_RELATIVE_RELOCATIONS = "GLIBC_ABI_DT_RELR", (2, 36)
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A library or program of a wheel: `module` and `abi` are empty where Python imports it not."""

    name: str
    module: str
    abi: str
    needs: SharedObject

    @property
    def runs_there(self) -> bool:
        """Whether it is for Azure's machines, and for their C library."""
        return self.needs.machine == ARCHITECTURE


def read_code(name: str, read: Read) -> Code | None:
    """Read a member of a wheel; None where it is neither library nor program.

    Raises:
        ElfError: it is damaged.
    """
    module, abi = "", ""
    if match := _MODULE.fullmatch(name):
        module, abi = match[1], match[2] or ""
    needs = read_object(read, symbol=f"PyInit_{module}" if module and not abi else "")
    if needs is None:
        return None
    if not abi and needs.has_symbol is False:
        module = ""
    return Code(name=name, module=module, abi=abi, needs=needs)


def survey(codes: Sequence[Code], names: Collection[str], *, pure: bool) -> NativeCode:
    """What is to be noted of a wheel's code.

    `names` are those of all its members, and `pure` says that by its tags it is for any platform.
    """
    machines: dict[str, str] = {}
    for code in _misplaced(codes, pure=pure):
        machines.setdefault(code.needs.machine, code.name)
    abis: dict[str, str] = {}
    for code in codes:
        if code.module:
            folder, slash, _ = code.name.rpartition("/")
            # What Python finds where it does not look at a file for its tag.
            source = f"{folder}{slash}{code.module}.py"
            abis.setdefault("" if source in names else code.abi, code.name)
    return NativeCode(tuple(machines.items()), tuple(_newest(codes)), tuple(abis.items()))


def _misplaced(codes: Sequence[Code], *, pure: bool) -> Iterator[Code]:
    """The code for other machines that must be there by mistake."""
    home = {code.module for code in codes if code.runs_there}
    for code in codes:
        if code.runs_there:
            continue
        if home:
            # A distribution may bring a library for each machine and choose when it runs, but
            # Python takes the module that has the right name.
            found = code.abi in ("", "abi3") or code.abi.endswith(_TRIPLE)
            is_wrong = bool(code.module) and found and code.module not in home
        else:
            is_wrong = not pure or bool(code.module) or _is_for_linux(code)
        if is_wrong:
            yield code


def _is_for_linux(code: Code) -> bool:
    """Not for a phone or a board, as what lies in a pure wheel may be."""
    if any(library.startswith(_C_LIBRARIES) for library in code.needs.needed):
        return True
    return _LIBRARY.search(code.name) is not None and _PHONES_C_LIBRARY not in code.needs.needed


def _newest(codes: Sequence[Code]) -> Iterator[tuple[str, str]]:
    """The newest version of each family that must be there, and the file that needs it."""
    brought = {code.name.rpartition("/")[2] for code in codes}
    brought |= {code.needs.soname for code in codes}
    newest: dict[str, tuple[tuple[int, ...], str, str]] = {}
    for code in codes:
        for library, symbol in code.needs.versions if code.runs_there else ():
            family = symbol.partition("_")[0]
            if family in _FAMILIES and library not in brought:
                found = _number(symbol), symbol, code.name
                if found[0] > newest.get(family, ((),))[0]:
                    newest[family] = found
    for _, symbol, name in newest.values():
        yield symbol, name


def _number(symbol: str) -> tuple[int, ...]:
    known, number = _RELATIVE_RELOCATIONS
    if symbol == known:
        return number
    match = _NUMBERED.fullmatch(symbol)
    return tuple(map(int, match[1].split("."))) if match else ()


def find_faults(native: NativeCode, target: Target) -> list[str]:
    """What of a wheel's code does not run on the target, and why."""
    faults = find_machine_faults(native)
    has = target.symbol_versions()
    for symbol, name in native.versions:
        family = symbol.partition("_")[0]
        if family in has and _number(symbol) > _number(f"{family}_{has[family]}"):
            faults.append(f"{name} needs {symbol}, the target has {family}_{has[family]}")
    return faults + find_abi_faults(native, target)


def find_machine_faults(native: NativeCode) -> list[str]:
    """The code for other machines."""
    return [
        f"{name} is for {machine}, Azure runs {ARCHITECTURE} (glibc)"
        for machine, name in native.machines
    ]


def find_abi_faults(native: NativeCode, target: Target) -> list[str]:
    """The modules that the target's Python does not find, where it finds none at all."""
    found = {"", "abi3", f"cpython-{target.python.replace('.', '')}{_TRIPLE}"}
    if any(abi in found for abi, _ in native.abis):
        return []
    return [
        f"{name} is for {_CPYTHON.sub(_as_version, abi)}, the target is CPython {target.python}"
        for abi, name in native.abis
    ]


def _as_version(match: re.Match[str]) -> str:
    return f"CPython {match[1]}.{match[2]}"


def check_code(wheel: str, native: NativeCode, target: Target) -> None:
    """Hold what was noted of a published wheel's code against the target.

    Raises:
        WheelError: it does not run there ("does-not-fit").
    """
    if faults := find_faults(native, target):
        hint = "the wheel does not keep what its tag promises: choose another version, and tell "
        raise does_not_fit(wheel, faults, hint=hint + "the distribution's maintainers")


def does_not_fit(wheel: str, faults: list[str], *, hint: str) -> WheelError:
    """The error for a wheel that the target does not run."""
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return WheelError(
        "does-not-fit",
        f"{wheel} does not run on the target: {'; '.join([*faults[:_SHOWN], *more])}",
        hint=hint,
        context={"wheel": wheel, "faults": faults},
    )
