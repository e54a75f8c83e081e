"""What tests share that build in containers, or as the platform does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from azpack.deps.index import find_indexes
from azpack.progress import Progress
from azpack.store import Store
from azpack.worker.verifying import Means
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


@pytest.fixture(scope="session")
def runtime_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for Azure's runtime library, one for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    return Store(base / "verify-cache")


@pytest.fixture
def means(runtime_store: Store, pythons: None) -> Means:  # noqa: ARG001  # they are run
    """What verifying needs, with the index as this machine reaches it."""
    environ = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    return Means(
        indexes=find_indexes(environ), store=runtime_store, environ=environ, progress=Progress()
    )
