"""A bill of materials as CycloneDX 1.7 in JSON, the same for the same content.

Source: cyclonedx.org/docs/1.7/json; the package URLs of github.com/package-url/purl-spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from azpack.deps.index import PYPI

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cyclonedx.model.license import License

_APP = "app"
# Of azpack's own, for the serial numbers: UUIDs of version 5 need a name space.
_SERIALS = UUID("f3d7c1de-5a0b-4c53-9d0e-6f0c0d6b3a55")
_LAST_SECOND = 253402300799  # of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A distribution as it is listed.

    `sha256` is that of its wheel (in mode remote of the file that the platform installs), `index`
    where that came from, without credentials. `published` says that name and version are not those
    of a folder alone. `licenses` are SPDX expressions or identifiers, or names. `needs` are the
    canonical names of others.
    """

    key: str
    name: str
    version: str
    filename: str
    sha256: str
    index: str | None
    source: str
    published: bool
    licenses: tuple[str, ...]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A package's parts; `asked` are the canonical names that the app itself lists.

    `properties` are of the package as a whole; `epoch` is SOURCE_DATE_EPOCH, None where no time is
    to be told; `made_by` is the program with its version.
    """

    name: str
    sha256: str | None
    parts: Sequence[Part]
    asked: Collection[str]
    properties: Mapping[str, str]
    epoch: int | None
    made_by: tuple[str, str]


def cyclonedx_json(bill: Bill) -> str:
    """The bill as JSON. Its serial number is made of all that it says."""
    bom = Bom(serial_number=UUID(int=0))
    _fill_metadata(bom, bill)
    components = [_component(part) for part in bill.parts]
    for component in components:
        bom.components.add(component)
    _fill_graph(bom, bill, components)
    bom.serial_number = uuid5(_SERIALS, _text(bom))
    return f"{_text(bom)}\n"


def _text(bom: Bom) -> str:
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_7).output_as_string(indent=2)


def _fill_metadata(bom: Bom, bill: Bill) -> None:
    metadata = bom.metadata
    if bill.epoch is None:
        # The specification lets it be absent, the library's types do not.
        metadata.timestamp = None  # type: ignore[assignment]
    else:
        seconds = min(max(bill.epoch, 0), _LAST_SECOND)
        metadata.timestamp = datetime.fromtimestamp(seconds, tz=timezone.utc)
    name, version = bill.made_by
    metadata.tools.components.add(
        Component(name=name, version=version, type=ComponentType.APPLICATION)
    )
    metadata.component = Component(
        name=bill.name, type=ComponentType.APPLICATION, bom_ref=_APP, hashes=_hashes(bill.sha256)
    )
    for key, value in bill.properties.items():
        metadata.properties.add(Property(name=f"azpack:{key}", value=value))


def _component(part: Part) -> Component:
    known = {"azpack:filename": part.filename, "azpack:source": part.source}
    return Component(
        name=part.name,
        version=part.version or None,
        type=ComponentType.LIBRARY,
        bom_ref=f"{part.key}@{part.version}",
        purl=_purl(part),
        hashes=_hashes(part.sha256),
        licenses=_licenses(part.licenses),
        properties=[Property(name=name, value=text) for name, text in known.items() if text],
    )


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _purl(part: Part) -> PackageURL | None:
    """None for a folder of the user's: what has its name on PyPI is somebody else's."""
    if not part.published or not part.key:
        return None
    other = {"repository_url": part.index} if part.index and part.index != PYPI else None
    return PackageURL("pypi", None, part.key, part.version or None, other)


def _licenses(declared: Sequence[str]) -> list[License]:
    make = partial(
        LicenseFactory().make_from_string,
        license_acknowledgement=LicenseAcknowledgement.DECLARED,
    )
    return [make(text) for text in declared]


def _fill_graph(bom: Bom, bill: Bill, components: Sequence[Component]) -> None:
    """Who needs whom. What nobody asks for, as far as is known, the app does."""
    by_key: dict[str, list[Component]] = {}
    needs: dict[str, frozenset[str]] = {}
    for part, component in zip(bill.parts, components, strict=True):
        by_key.setdefault(part.key, []).append(component)
        needs[part.key] = part.needs
    for part, component in zip(bill.parts, components, strict=True):
        found = [it for key in sorted(part.needs) for it in by_key.get(key, ())]
        bom.register_dependency(component, found)
    if bom.metadata.component is not None:
        keys = _top(needs, bill.asked)
        bom.register_dependency(bom.metadata.component, [it for key in keys for it in by_key[key]])


def _top(needs: Mapping[str, Collection[str]], asked: Collection[str]) -> list[str]:
    """What stands directly below the app: what it asks for, and of the rest what leads to all."""
    needed = {name for names in needs.values() for name in names}
    top = sorted(key for key in needs if key in asked or key not in needed)
    reached: set[str] = set()
    for key in [*top, *sorted(needs)]:  # the second time, circles that nothing leads into
        if key not in reached:
            if key not in top:
                top.append(key)
            pending = [key]
            while pending:
                if (current := pending.pop()) not in reached:
                    reached.add(current)
                    pending += needs.get(current, ())
    return top
