from __future__ import annotations

import pytest

from azpack.deps.holdings import find_barred
from azpack.deps.index import PYPI, IndexSettings


@pytest.mark.parametrize(
    "indexes",
    [
        IndexSettings(),
        IndexSettings(index_url=f"https://me:word@{PYPI[8:]}/", certificates="/no/such.pem"),
        IndexSettings(index_url="file:///srv", client_certificate="/no/such.pem"),
        IndexSettings(index_url="http://a.example", client_certificate="/no/such.pem"),
        IndexSettings(index_url="https://me:${T}@a.example", no_index=True),
    ],
)
def test_who_can_lose_nothing_is_not_asked(indexes: IndexSettings) -> None:
    names = dict.fromkeys([*indexes.urls(), PYPI, f"{PYPI}/"], "mine")
    assert find_barred(indexes, names) == []


def test_an_index_that_is_not_known_to_hold_anything_is_not_asked() -> None:
    assert find_barred(IndexSettings(index_url="https://me:word@a.example/simple"), {}) == []
