"""What is asked for: whose dependencies, for which target, with which options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azpack.deps.requirements import find_requirements, is_lock_name, locate
from azpack.errors import UsageError
from azpack.store import Store, default_cache_folder
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.app.project import Project
    from azpack.deps.index import IndexSettings
    from azpack.deps.requirements import Requirements
    from azpack.deps.workshop import ContainerSettings, Workshop
    from azpack.options import Options
    from azpack.progress import Progress
    from azpack.stopwatch import Stopwatch
    from azpack.target.target import Target

LOCK_NAME = "pylock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for: whose dependencies, for which target, with which options.

    `opened` has the workshop once one is asked for; `close` ends it.
    """

    root: Path
    target: Target
    options: Options
    environ: Mapping[str, str]
    progress: Progress
    clock: Stopwatch
    opened: list[Workshop] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The store that the options name, or the platform's."""
        return Store((self.options.cache_dir or default_cache_folder()).absolute())

    def requirements(self) -> Requirements | None:
        """What the project asks for; None where it lists nothing, or its lock alone."""
        files = self.options.requirements
        if any(map(is_lock_name, files)):
            if len(files) > 1:
                raise UsageError(
                    "mixed-requirements", "a lock can't be combined with other requirements"
                )
            if not self.lock_path().is_file():
                raise UsageError("no-requirements-file", f"there is no {files[0]}")
            return None
        extras, groups = self.options.extras, self.options.groups
        found = find_requirements(self.root, files=files, extras=extras, groups=groups)
        if (extras or groups) and found is not None and found.kind == "requirements":
            self.progress.warn(
                f"extras and groups of the configuration have no effect: {found.files[0]} "
                "lists the dependencies, and has none"
            )
        if found is not None and found.has_password and self.options.mode != "remote":
            self.progress.warn(
                f"{', '.join(found.files)}: a password stands in an index's URL, and goes along in "
                "the package; write it as ${NAME}"
            )
        return found

    def lock_path(self) -> Path:
        """Where the project's lock stands, or would stand."""
        for name in self.options.requirements:
            if is_lock_name(name):
                return locate(self.root, name)
        return self.root / LOCK_NAME

    def container(self) -> ContainerSettings:
        """The container that the options ask for, or the one that fits the target.

        Raises:
            UsageError: the time limit is no number of minutes.
        """
        from azpack.deps.workshop import ContainerSettings
        from azpack.target.images import default_image

        options = self.options
        try:
            timeout = float(options.docker_timeout) * 60
        except ValueError:
            timeout = 0.0
        if not 0 < timeout < float("inf"):
            raise UsageError(
                "bad-setting",
                f"[tool.azpack.docker] timeout is {options.docker_timeout!r}",
                hint="it takes minutes, such as 90",
            )
        return ContainerSettings(
            image=options.docker_image or default_image(self.target.glibc),
            platform=options.docker_platform,
            network=options.docker_network,
            before=options.docker_before,
            names=options.docker_environment,
            timeout=timeout,
        )

    def workshop(self, indexes: IndexSettings) -> Workshop:
        """Where a container is to be had; there is one container for all that a request needs."""
        if not self.opened:
            from azpack.deps.workshop import Workshop

            self.opened.append(
                Workshop(self.container(), indexes, self.environ, self.store, self.progress)
            )
        return self.opened[0]

    def close(self) -> None:
        """Remove the container, if there is one."""
        for workshop in self.opened:
            workshop.close()

    def container_key(self) -> tuple[str, ...]:
        """What of the options decides where a source is built."""
        options = self.options
        if options.mode == "local":
            return ("local",)
        return (options.mode, options.docker_image or "", "", *options.docker_before)

    def indexes(self, requirements: Requirements | None) -> IndexSettings:
        """The indexes of the options, the requirements files, the environment and pip.conf."""
        from azpack.deps.index import find_indexes

        options = self.options
        return find_indexes(
            self.environ,
            index_url=options.index_url or (requirements.index_url if requirements else None),
            extra_index_urls=(
                *options.extra_index_url,
                *(requirements.extra_index_urls if requirements else ()),
            ),
            explicit_index_urls=requirements.explicit_index_urls if requirements else (),
            find_links=(
                *(
                    link if "://" in link else str(locate(self.root, link))
                    for link in options.find_links
                ),
                *(requirements.find_links if requirements else ()),
            ),
            no_index=options.no_index or bool(requirements and requirements.no_index),
            strategy=options.index_strategy,
            trusted_hosts=requirements.trusted_hosts if requirements else (),
            cert=options.cert,
            client_cert=options.client_cert,
            requirements=requirements.lines() if requirements else (),
        )


def target_of(project: Project, options: Options) -> Target:
    """The target that the options ask for, or the project's files name.

    Raises:
        UsageError: no such runtime, or none that azpack makes packages for.
    """
    return find_target(
        project.root,
        python=options.python,
        origin=options.python_origin,
        functions=options.functions_version,
        plan=options.plan,
    )


def make_request(
    project: Project,
    options: Options,
    target: Target,
    environ: Mapping[str, str],
    progress: Progress,
    clock: Stopwatch,
) -> Request:
    """What is asked for by the options for a project."""
    return Request(
        root=project.root,
        target=target,
        options=options,
        environ=environ,
        progress=progress,
        clock=clock,
    )
