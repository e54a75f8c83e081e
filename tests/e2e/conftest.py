"""What the end-to-end tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AZPACK_CACHE_DIR for this session alone, one for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    # A worker's folder lies in the session's; without workers the parent would outlive the session.
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    cache = base / "azpack-cache"
    cache.mkdir(exist_ok=True)
    return cache
