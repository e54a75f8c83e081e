from __future__ import annotations

import pytest
from cyclonedx.spdx import is_supported_id

from azpack.package.installed import headers
from azpack.package.licenses import LICENSE_FIELDS, _spdx_of_classifiers, declared_licenses

OSI = "Classifier: License :: OSI Approved"


def declared(*lines: str) -> tuple[str, ...]:
    return declared_licenses(headers("\n".join(lines).encode(), LICENSE_FIELDS))


@pytest.mark.parametrize(
    ("lines", "licenses"),
    [
        ([], ()),
        (["License-Expression: MIT OR Apache-2.0", "License: x", f"{OSI} :: ISC License (ISCL)"],
         ("MIT OR Apache-2.0",)),
        (["License-Expression: " + "MIT AND " * 50 + "ISC"], ("MIT AND " * 50 + "ISC",)),
        (["License-Expression:", f"{OSI} :: MIT License"], ("MIT",)),
        ([f"{OSI} :: MIT License"], ("MIT",)),
        (["License: MIT Licence", f"{OSI} :: MIT License"], ("MIT",)),
        ([f"{OSI} :: MIT License", f"{OSI} :: ISC License (ISCL)"], ("MIT", "ISC")),
        # Which Apache licence, or BSD one, the classifier does not say.
        (["License: Apache-2.0", f"{OSI} :: Apache Software License"], ("Apache-2.0",)),
        ([f"{OSI} :: Apache Software License"], ("Apache Software License",)),
        ([f"{OSI} :: MIT License", f"{OSI} :: BSD License"], ("MIT License", "BSD License")),
        ([OSI], ()),
        (["License: UNKNOWN"], ()),
        (["License: UNKNOWN", f"{OSI} :: BSD License"], ("BSD License",)),
        (["License: The  X\tLicense", "        Copyright (c) somebody"], ("The X License",)),
        (["License: " + "a" * 5000], ()),
        (["License: =========", f"{OSI} :: BSD License"], ("BSD License",)),
        (["License: Copyright (c) 2015, somebody", "        All rights", f"{OSI} :: BSD License"],
         ("BSD License",)),
        (["Classifier: Topic :: Software Development"], ()),
    ],
)  # fmt: skip
def test_what_counts(lines: list[str], licenses: tuple[str, ...]) -> None:
    assert declared(*lines) == licenses


def test_classifiers_stand_for_identifiers_of_spdx() -> None:
    known = _spdx_of_classifiers()
    assert len(known) > 30
    assert [text for text in known.values() if not is_supported_id(text)] == []
    assert all(text.startswith("License :: ") for text in known)
