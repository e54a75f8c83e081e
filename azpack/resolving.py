"""Asking a resolver, and what to make of its answer."""

from __future__ import annotations

import sysconfig
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps.requirements import table_in
from azpack.deps.resolver import LOOSEN, NoFittingWheelError, allowed_hashes
from azpack.deps.trust import connection_hint
from azpack.errors import AzpackError, ResolutionError, UnreachableError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock
    from azpack.deps.requirements import Requirements
    from azpack.deps.resolver import Freedom, Resolver
    from azpack.request import Request
    from azpack.target.target import Target


def resolve_requirements(request: Request, requirements: Requirements, freedom: Freedom) -> Lock:
    """Ask the chosen resolver for exact distributions.

    Raises:
        WheelError: distributions have no wheel that fits, and no sdist; all are named.
        ResolutionError: there is no answer for another reason, or a hash is missing.
        UnreachableError: an index does not answer, or refuses.
    """
    sysconfig.get_config_vars()  # see azpack.deps.obtain: before there are two threads
    Thread(target=_import_what_follows, daemon=True).start()
    if requirements.kind == "poetry.lock":
        return _resolve_with_poetry_lock(request, requirements, freedom)
    lock = _resolve(request, requirements, freedom)
    if requirements.require_hashes:
        _check_hashes(requirements, lock)
    return lock


def _resolve(request: Request, requirements: Requirements, freedom: Freedom) -> Lock:
    try:
        return _ask(request, requirements, freedom)
    except NoFittingWheelError as error:
        raise _all_unfitting(request, requirements, freedom, error) from None


def _resolve_with_poetry_lock(
    request: Request, requirements: Requirements, freedom: Freedom
) -> Lock:
    """Ask with the versions of the lock, and where it names several for a target, with each."""
    from azpack.deps.poetry import LOCK_AGAIN, check_answer, choices

    if requirements.stale:
        fault = f"{requirements.files[0]} does not fit its pyproject.toml"
        if freedom.locked:
            raise ResolutionError("lock-does-not-fit", fault, hint=LOCK_AGAIN)
        request.progress.warn(f"{fault}, and is packed as it is; 'poetry lock' renews it")
    failures = []
    for chosen in choices(requirements, request.target):
        try:
            lock = _resolve(request, chosen, freedom)
            check_answer(chosen, lock)
        except ResolutionError as error:
            failures.append(error)
            if error.code not in ("no-solution", "lock-does-not-fit"):
                break
        else:
            return lock
    failures[0].hint = failures[0].hint.replace(LOOSEN, LOCK_AGAIN)
    raise failures[0]


def check_python(root: Path, target: Target) -> None:
    """Refuse a target that the project's own pyproject.toml is not for.

    That is its requires-python; where there is none, the `python` of Poetry's dependencies.

    Raises:
        UsageError: it says another Python, or what is no version specifier.
    """
    from packaging.specifiers import SpecifierSet

    content = read_toml(root / "pyproject.toml")
    poetry = table_in(table_in(content, "tool"), "poetry")
    key, example = "requires-python", ">=3.11"
    asked = table_in(content, "project").get(key)
    of_poetry = asked is None
    if of_poetry:
        key, example = "python", "^3.11"
        asked = table_in(poetry, "dependencies").get(key)
    if not isinstance(asked, str):
        return
    try:
        if of_poetry:
            from azpack.deps.poetry_syntax import admits

            fits = admits(asked, target.full_version)
        else:
            fits = SpecifierSet(asked).contains(target.full_version)
    except ValueError:
        raise UsageError(
            "bad-requires-python", f"pyproject.toml: {key} is {asked!r}",
            hint=f"write it as {example}",
        ) from None  # fmt: skip
    if not fits:
        raise UsageError(
            "python-contradiction",
            f"pyproject.toml is for Python {asked}, the target is {target.full_version} "
            f"({target.reason})",
            hint=f"choose another Python with --python or .python-version, or change {key}",
        )


def _resolver(request: Request, requirements: Requirements) -> Resolver:
    if request.options.resolver == "pip-tools":
        from functools import partial

        from azpack.deps import pip_tools

        workshop = None
        if request.options.mode != "local":
            workshop = request.workshop(request.indexes(requirements))
        return partial(pip_tools.resolve, store=request.store, workshop=workshop)
    from azpack.deps import uv

    return uv.resolve


def _check_hashes(requirements: Requirements, lock: Lock) -> None:
    """As for pip, a file that has a hash for one distribution must have one for all."""
    allowed = allowed_hashes(requirements)
    missing = [entry.name for entry in lock.distributions if entry.name not in allowed]
    if missing:
        raise ResolutionError(
            "hash-missing",
            f"{', '.join(requirements.files)} asks for hashes, and has none for "
            f"{', '.join(missing)}",
            hint="pin all with hashes ('azpack lock --requirements-txt FILE' does), or take them "
            "out and lock",
            context={"missing": missing},
        )


def _ask(request: Request, requirements: Requirements, freedom: Freedom) -> Lock:
    indexes = request.indexes(requirements)
    try:
        return _resolver(request, requirements)(
            requirements,
            request.target,
            indexes,
            freedom,
            root=request.root,
            environ=request.environ,
            progress=request.progress,
        )
    except UnreachableError as error:
        raise explain_unreachable(error, indexes) from None


def explain_unreachable(error: UnreachableError, indexes: IndexSettings) -> UnreachableError:
    """The error of a resolver, with a reason that it did not see.

    Raises:
        UsageError: a file of certificates is the reason.
    """
    from azpack.deps.session import find_refusal, is_cut, trusting_context

    context = trusting_context(indexes)
    if error.code == "index-unreachable" and is_cut(error.message) and not indexes.proxy:
        for place in indexes.remote_places():
            if refusal := find_refusal(place, context):
                error.hint = connection_hint(refusal) or error.hint
                break
    return error


def _all_unfitting(
    request: Request, requirements: Requirements, freedom: Freedom, error: NoFittingWheelError
) -> AzpackError:
    """One error for all distributions without a wheel that fits; a resolver stops at the first.

    Where more is wrong than that, it is what the resolver said.
    """
    from azpack.deps.unusable import Unusable, explain_unusable

    found = dict(error.names)
    while True:
        try:
            _ask(request, requirements, replace(freedom, excluded=tuple(found)))
        except NoFittingWheelError as more:
            if found.keys() >= dict(more.names).keys():
                return error
            found = dict(more.names) | found
        except AzpackError:
            return error
        else:
            break
    indexes = request.indexes(requirements)
    unusable = [
        Unusable(
            name=name,
            version=version,
            code="no-usable-wheel",
            reason="there is no sdist to build it from",
            places=indexes.places(),
        )
        for name, version in found.items()
    ]
    return explain_unusable(unusable, request.target, indexes)


def _import_what_follows() -> None:
    """Import what reading the answer and getting wheels take, while the resolver runs.

    These imports take as long as resolving a small set; an error in them is for who needs them.
    """
    with suppress(ImportError):
        for name in ("packaging.pylock", "requests", "azpack.deps.obtain"):
            import_module(name)
