"""Finding the image to build in, with an engine and a registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.image import find_image
from azpack.errors import UnreachableError, UsageError
from azpack.progress import Progress
from tests.engines import image_archive, small_root
from tests.registries import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.deps.engine import Engine


class Notes(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A name for an image, which goes at the end."""
    name = f"azpack-small-{os.urandom(4).hex()}:1"
    yield name
    engine.client().remove_image(name, force=True)


def test_image_that_the_engine_has(engine: Engine) -> None:
    notes = Notes()
    image = find_image(engine, "azpack-test", None, notes)
    assert (image.name, image.os, image.architecture) == ("azpack-test", "linux", "amd64")
    assert image.id.startswith("sha256:")
    assert image.digest == image.id  # it is from no registry
    assert find_image(engine, image.id, "linux/amd64", notes).id == image.id
    assert notes.notes == []


def test_image_for_another_processor(engine: Engine, name: str) -> None:
    client: Any = engine.client()  # its stubs lack this one's types
    client.load_image(image_archive(name, small_root(), architecture="arm64"))
    with pytest.raises(UsageError, match=f"{name} is for linux/arm64") as caught:
        find_image(engine, name, None, Progress())
    assert caught.value.code == "image-architecture"
    assert "--docker-platform linux/amd64" in caught.value.hint
    # Asked for the right one, the engine looks for it, rather than to take what it has.
    with pytest.raises(UnreachableError) as unreachable:
        find_image(engine, f"127.0.0.1:1/{name}", "linux/amd64", Progress())
    assert unreachable.value.code == "image-unreachable"


@pytest.mark.parametrize("name", ["127.0.0.1:1/made:1", "sha256:" + "0" * 64])
def test_image_that_can_not_be_pulled(engine: Engine, name: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        find_image(engine, name, None, Progress())
    assert caught.value.code == "image-unreachable"
    assert caught.value.exit_code == 5
    assert "--docker-image" in caught.value.hint


@pytest.mark.parametrize("name", ["No Name", "", "a/b:c:d"])
def test_name_that_is_none(engine: Engine, name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of an image"):
        find_image(engine, name, None, Progress())


def test_image_that_is_pulled(engine: Engine) -> None:
    notes = Notes()
    with Registry(small_root(), "arm64", "amd64") as registry:
        image = find_image(engine, registry.image, "linux/amd64", notes)
        assert find_image(engine, registry.image, "linux/amd64", notes) == image
    try:
        # What the registry calls it, so that it is the same on every machine.
        assert image.digest == registry.digest != image.id
        assert notes.notes == [f"pulling the image {registry.image}"]
    finally:
        engine.client().remove_image(registry.image, force=True)


def test_image_that_is_there_for_another_platform(engine: Engine) -> None:
    with Registry(small_root(), "arm64", "amd64") as registry:
        with pytest.raises(UsageError, match="is for linux/arm64"):
            find_image(engine, registry.image, "linux/arm64", Progress())
        image = find_image(engine, registry.image, "linux/amd64", Progress())
    assert image.architecture == "amd64"
    engine.client().remove_image(registry.image, force=True)


def test_registry_that_lacks_it(engine: Engine) -> None:
    with Registry(small_root(), "amd64") as registry:
        name = registry.image.replace("made:1", "made:2")
        with pytest.raises(UnreachableError, match="can't pull it: manifest unknown"):
            find_image(engine, name, None, Progress())
