"""How dependencies are packed where not as they are: with bytecode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.package.segment import Cut, Tailoring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.app.collect import FileSet
    from azpack.deps.distribution import Wheel
    from azpack.package.app_bytecode import AppBytecode
    from azpack.package.bytecode import Bytecode, Compiler, Module
    from azpack.request import Request


def find_tailoring(request: Request, compiler: Compiler) -> Tailoring | None:
    """What the option `compile` asks for; None where it is not given."""
    if not request.options.compile:
        return None
    from azpack.package.bytecode import VERSION

    def cuts(wheels: Sequence[Wheel]) -> Mapping[str, Cut]:
        with request.clock.stage("compile"):
            found = compile_wheels(request, wheels, compiler)
        return {sha256: Cut(bytecode=bytecode) for sha256, bytecode in found.items()}

    return Tailoring(key=("compile", VERSION), cuts=cuts)


def compile_wheels(
    request: Request, wheels: Sequence[Wheel], compiler: Compiler
) -> Mapping[str, Bytecode]:
    """The bytecode of each wheel, by its SHA-256; what the store does not have is compiled."""
    from azpack.package.bytecode import bytecode_key, find_bytecode, make_bytecode, wheel_modules

    store, python = request.store, request.target.python
    keys = {
        wheel.distribution.sha256: bytecode_key("wheel", wheel.distribution.sha256, python=python)
        for wheel in wheels
    }
    found = {sha256: find_bytecode(store, key) for sha256, key in keys.items()}
    wanted: dict[str, tuple[Module, ...]] = {}
    for wheel in wheels:
        sha256 = wheel.distribution.sha256
        if found[sha256] is None:
            wanted[keys[sha256]] = wheel_modules(wheel.path, wheel.contents().entries, frozenset())
    if wanted:
        with request.progress.stage("compile"):
            make_bytecode(store, wanted, compiler, python=python)
    made = {sha256: it or find_bytecode(store, keys[sha256]) for sha256, it in found.items()}
    return {sha256: bytecode for sha256, bytecode in made.items() if bytecode is not None}


def compile_own(request: Request, files: FileSet, compiler: Compiler) -> AppBytecode | None:
    """The bytecode of the app's own modules, where it is asked for."""
    if not request.options.compile:
        return None
    from azpack.package.app_bytecode import compile_app

    python = request.target.python
    with request.clock.stage("compile"):
        return compile_app(request.store, request.root, files.included, compiler, python=python)
