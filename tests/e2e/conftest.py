"""What the end-to-end tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def browser(
    chromium: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A headless Chromium for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy"):  # the driver is on this machine
            patch.setenv(name, "localhost")
        browser = Browser(chromium, tmp_path_factory.mktemp("profile"))
        yield browser
        browser.close()
