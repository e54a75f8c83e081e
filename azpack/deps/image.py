"""The image that a build container is made of: found at the engine, or pulled by it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azpack.deps.engine import engine_errors
from azpack.errors import UnreachableError, UsageError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azpack.deps.engine import Engine
    from azpack.progress import Progress

PLATFORM = "linux/amd64"  # what Azure Functions runs
_NOTE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has.

    `id` is the engine's own ("sha256:…"); `digest` is the registry's, equal on all machines, or
    the id where the image comes from none.
    """

    name: str
    id: str
    digest: str
    architecture: str
    os: str


def find_image(engine: Engine, name: str, platform: str | None, progress: Progress) -> Image:
    """The image `name`, pulled where the engine has none, or has it for another `platform`.

    Raises:
        UnreachableError: it is not there and can't be pulled, or the engine does not answer.
        UsageError: `name` is none, or the image is for another processor or system than Azure
            Functions has.
        FileError: the engine's disk is full.
    """
    with engine_errors(engine):
        found = _inspect(engine, name)
        if found is None or (platform is not None and not _fits(found, platform)):
            _pull(engine, name, platform, progress)
            found = _inspect(engine, name)
    if found is None:
        raise _unreachable(name, "the engine has pulled it, and does not have it")
    image = _read(name, found)
    if f"{image.os}/{image.architecture}" != PLATFORM:
        raise UsageError(
            "image-architecture",
            f"the image {name} is for {image.os}/{image.architecture}: Azure Functions runs "
            f"{PLATFORM}, and what is built in it would not load there",
            hint=f"take one for {PLATFORM}: --docker-platform {PLATFORM}, or another "
            "--docker-image",
            context={"image": name, "platform": f"{image.os}/{image.architecture}"},
        )
    return image


def _inspect(engine: Engine, name: str) -> dict[str, Any] | None:
    from docker.errors import APIError, NullResource

    client: Any = engine.client()  # its stubs lack this one's types
    try:
        found: dict[str, Any] = client.inspect_image(name)
    except (APIError, NullResource) as error:
        status = getattr(error, "status_code", HTTPStatus.BAD_REQUEST)
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.BAD_REQUEST:
            raise
        raise UsageError(
            "bad-image-name",
            f"{name!r} is not the name of an image",
            hint="--docker-image takes what 'docker pull' takes, or the id of an image",
        ) from error
    return found


def _fits(found: dict[str, Any], platform: str) -> bool:
    os, _, rest = platform.partition("/")
    architecture = rest.partition("/")[0]
    return (found.get("Os"), found.get("Architecture")) == (os, architecture)


def _read(name: str, found: dict[str, Any]) -> Image:
    digests = [str(digest) for digest in found.get("RepoDigests") or ()]
    repository = name.partition("@")[0].partition(":")[0]
    digests.sort(key=lambda digest: (digest.partition("@")[0] != repository, digest))
    return Image(
        name=name,
        id=found["Id"],
        digest=digests[0].rpartition("@")[2] if digests else found["Id"],
        architecture=found.get("Architecture") or "an unknown processor",
        os=found.get("Os") or "an unknown system",
    )


def _pull(engine: Engine, name: str, platform: str | None, progress: Progress) -> None:
    from docker.errors import APIError, DockerException

    progress.note(f"pulling the image {name}")
    try:
        messages = engine.client().pull(name, stream=True, decode=True, platform=platform)
        fault = _follow_pull(name, messages, progress)
    except APIError as error:
        fault = str(error.explanation or error)
        if "no space left on device" in fault:
            raise
    except DockerException as error:  # a name that is none, or a credential program that failed
        fault = str(error)
    if fault:
        raise _unreachable(name, fault)


def _follow_pull(name: str, messages: Iterable[dict[str, Any]], progress: Progress) -> str:
    """Tell how the pull goes; returns what the engine says is wrong, or nothing."""
    layers: dict[str, tuple[int, int]] = {}
    told = time.monotonic()
    for message in messages:
        if fault := message.get("error"):
            return str(fault)
        detail = message.get("progressDetail") or {}
        if message.get("status") == "Downloading" and detail.get("total"):
            layers[message["id"]] = (detail.get("current", 0), detail["total"])
        if time.monotonic() - told > _NOTE_SECONDS and layers:
            done, total = (sum(sizes) / 1e6 for sizes in zip(*layers.values(), strict=True))
            progress.note(f"pulling the image {name}: {done:.0f} of {total:.0f} MB")
            told = time.monotonic()
    return ""


def _unreachable(name: str, fault: str) -> UnreachableError:
    return UnreachableError(
        "image-unreachable",
        f"the container engine does not have the image {name}, and can't pull it: "
        f"{redact(fault).strip()}",
        hint="choose one that it has or can reach with --docker-image, or bring it there with "
        "'docker load'; 'docker login' is for a registry that asks who pulls",
        context={"image": name},
    )
