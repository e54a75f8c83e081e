"""How dependencies are packed where not as they are: with bytecode, without what no app reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.package.cuts import Cut, Tailoring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.app.collect import FileSet
    from azpack.deps.distribution import Wheel
    from azpack.package.app_bytecode import AppBytecode
    from azpack.package.bytecode import Bytecode, Compiler, Module
    from azpack.package.slim import Survey
    from azpack.request import Request


def find_tailoring(request: Request, files: FileSet, compiler: Compiler) -> Tailoring | None:
    """What the options `compile` and `slim` ask for; None for neither."""
    options = request.options
    if not (options.compile or options.slim):
        return None
    from azpack.package import bytecode, slim

    key = [f"surveys {slim.VERSION}"]
    if options.compile:
        key += ["compile", bytecode.VERSION]
    named = slim.named_by_app(request.root, files.included) if options.slim else frozenset()
    if options.slim:
        key += ["slim", *sorted(named)]

    def cuts(wheels: Sequence[Wheel]) -> Mapping[str, Cut]:
        surveys = {
            wheel.distribution.sha256: slim.find_survey(request.store, wheel) for wheel in wheels
        }
        compiled: Mapping[str, Bytecode] = {}
        if options.compile:
            with request.clock.stage("compile"):
                compiled = compile_wheels(request, wheels, surveys, compiler)
        kept = slim.kept_suites(surveys.values(), named)
        return {
            sha256: _cut(request, wheel, surveys[sha256], kept, compiled.get(sha256))
            for wheel in wheels
            for sha256 in [wheel.distribution.sha256]
        }

    return Tailoring(key=tuple(key), cuts=cuts)


def _cut(
    request: Request,
    wheel: Wheel,
    survey: Survey,
    kept: frozenset[str],
    bytecode: Bytecode | None,
) -> Cut:
    if not request.options.slim:
        return Cut(bytecode=bytecode)
    from azpack.package.slim import left_out_of, suite_files

    dropped = suite_files(wheel, survey, kept).union(survey.others)
    left_out = left_out_of(wheel, dropped, python=request.target.python)
    return Cut(dropped=dropped, left_out=left_out, bytecode=bytecode)


def compile_wheels(
    request: Request,
    wheels: Sequence[Wheel],
    surveys: Mapping[str, Survey],
    compiler: Compiler,
) -> Mapping[str, Bytecode]:
    """The bytecode of each wheel, by its SHA-256; what the store does not have is compiled.

    Of a test suite there is none, unless the wheel's own modules name it.
    """
    from azpack.package.bytecode import bytecode_key, find_bytecode, make_bytecode, wheel_modules
    from azpack.package.slim import VERSION, kept_suites, suite_files

    store, python = request.store, request.target.python
    found: dict[str, Bytecode] = {}
    wanted: dict[str, tuple[Module, ...]] = {}
    keys: dict[str, str] = {}
    for wheel in wheels:
        sha256 = wheel.distribution.sha256
        key = keys[sha256] = bytecode_key("wheel", VERSION, sha256, python=python)
        if (bytecode := find_bytecode(store, key)) is not None:
            found[key] = bytecode
        else:
            survey = surveys[sha256]
            without = suite_files(wheel, survey, kept_suites([survey], ()))
            wanted[key] = wheel_modules(wheel.path, wheel.contents().entries, without)
    if wanted:
        with request.progress.stage("compile"):
            found |= make_bytecode(store, wanted, compiler, python=python)
    return {sha256: found[key] for sha256, key in keys.items()}


def compile_own(request: Request, files: FileSet, compiler: Compiler) -> AppBytecode | None:
    """The bytecode of the app's own modules, where it is asked for."""
    if not request.options.compile:
        return None
    from azpack.package.app_bytecode import compile_app

    python = request.target.python
    with request.clock.stage("compile"):
        return compile_app(request.store, files, compiler, python=python)
