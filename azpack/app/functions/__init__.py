"""The functions of an app, as Azure would list them: read from its files, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.findings import Finding

__all__ = ["AppModel", "Binding", "Function", "Model", "http_path"]

Model = Literal["v1", "v2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A trigger or binding; `name` and `type` are None where they can't be known without running.

    `direction` is "in" or "out" as a rule, in function.json whatever stands there. `settings` has
    what else is known of it by the names of function.json, such as route or schedule.
    """

    name: str | None
    type: str | None
    direction: str
    line: int | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_trigger(self) -> bool:
        """Whether it starts the function."""
        return self.type is not None and self.type.lower().endswith("trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function; `script` is the file that holds it, `line` where, `parameters` its own ones.

    What can't be known without running is None: the `name`, or the `parameters`.
    """

    name: str | None
    model: Model
    script: str
    line: int | None
    bindings: tuple[Binding, ...]
    parameters: tuple[str, ...] | None = None

    @property
    def trigger(self) -> Binding | None:
        """The one trigger, if there is exactly one."""
        found = [binding for binding in self.bindings if binding.is_trigger]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppModel:
    """What is known of an app's functions without running it.

    `models` are the programming models that it uses. `findings` are those of the rules AZP104,
    AZP105, AZP111 and AZP2xx to AZP3xx, met while reading. `unknown` says in a sentence each, with
    file and line, what can't be known: then no conclusion is drawn from what seems to be missing.
    """

    models: frozenset[Model]
    functions: tuple[Function, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...] = ()


def http_path(function: Function, prefix: str | None) -> str | None:
    """The path that an HTTP function answers on; None for others, and where it can't be known.

    `prefix` is host.json's routePrefix, "api" unless that says otherwise.
    """
    trigger = function.trigger
    if trigger is None or prefix is None or (trigger.type or "").lower() != "httptrigger":
        return None
    route = trigger.settings.get("route", function.name)
    if not isinstance(route, str):
        return None
    return "/" + "/".join(part for part in (prefix.strip("/"), route.strip("/")) if part)
