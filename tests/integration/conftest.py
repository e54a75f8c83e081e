"""What tests share that build in containers, or as the platform does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.container_site import ContainerSite
from tests.platform_build import PlatformPip, install_platform_pips
from tests.relay import EngineRelay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azpack.deps.engine import Engine


@pytest.fixture
def relay(docker_host: str) -> Iterator[EngineRelay]:
    """A relay to the engine for tests."""
    with EngineRelay(docker_host) as relay:
        yield relay


@pytest.fixture
def site(tmp_path: Path, engine: Engine, relay: EngineRelay) -> Iterator[ContainerSite]:
    """A place to build in containers, of which none is there at the end."""
    site = ContainerSite(tmp_path, engine, relay)
    yield site
    left = site.containers()
    for row in left:
        engine.client().remove_container(row["Id"], force=True)
    assert left == []


@pytest.fixture(scope="session")
def pips(
    pythons: None,  # noqa: ARG001  # they run the pips
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, PlatformPip]:
    """The versions of pip that the platform has, by the Python that each is for."""
    return install_platform_pips(tmp_path_factory.mktemp("pips"))
