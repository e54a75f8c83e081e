"""What is compared: the sets of dependencies, and the command line of each contender.

A contender is one process with caches of its own. All of one set get the same app and, where they
are warm, the pins of one lock; where they are cold, the same unpinned requirements.txt. What a peer
leaves behind is a folder that still has to be zipped, except with pex and shiv: that the runner
adds up. The order in a list is the order in the tables.
"""

from __future__ import annotations

import compileall
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import modules

from azpack.target.target import ARCHITECTURE, find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
FIXTURE = HERE.parent / "fixtures" / "apps" / "v2-blueprint"
BIN = Path(sys.executable).parent
PYTHON = "{}.{}".format(*sys.version_info)
# A copy of azpack, compiled, as an installation has it: others may be at work on the source.
INSTALLED = WORK / "installed"
SITE_PACKAGES = ".python_packages/lib/site-packages"

_SMALL = ("azure-functions", "requests")
_MEDIUM = (
    *_SMALL,
    "azure-identity",
    "azure-storage-blob",
    "azure-cosmos",
    "pydantic",
    "sqlalchemy",
    "psycopg2-binary",
    "opentelemetry-sdk",
)
_LARGE = (*_MEDIUM, "numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "matplotlib")
SETS = {"small": _SMALL, "medium": _MEDIUM, "large": _LARGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command to time: `fresh` and `emptied` are removed before each run, untimed.

    `caches` are variables of the environment with the folders that they name. A `warmup` is one
    more run before the others, not counted. With `own` it is azpack: the compiled copy.
    """

    key: str
    label: str
    command: Sequence[str]
    runs: int
    caches: dict[str, Path]
    fresh: tuple[Path, ...] = ()
    emptied: bool = False
    warmup: bool = False
    own: bool = False

    def environment(self) -> dict[str, str]:
        """The environment without a user's settings, but with the main index and certificates."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX")
            # A Python that may not keep its bytecode would compile anew in each run.
            and not name.startswith(("AZPACK_", "UV_", "PYTHON"))
        }
        if index := os.environ.get("PIP_INDEX_URL"):
            environment["UV_DEFAULT_INDEX"] = index
        if self.own:
            environment["PYTHONPATH"] = str(INSTALLED)
        return {
            **environment,
            **{name: str(folder) for name, folder in self.caches.items()},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folders of one set: the app, the same app with its lock, and what is made of it."""

    name: str

    @property
    def folder(self) -> Path:
        """Where all of this set is."""
        return WORK / self.name

    @property
    def app(self) -> Path:
        """The app with its requirements.txt."""
        return self.folder / "app"

    @property
    def locked(self) -> Path:
        """The app with a lock that fits."""
        return self.folder / "app-locked"

    @property
    def edited(self) -> Path:
        """The same, of which a file is edited before each build."""
        return self.folder / "app-edited"

    @property
    def requirements(self) -> Path:
        """What the app asks for, without versions."""
        return self.app / "requirements.txt"

    @property
    def pins(self) -> Path:
        """The lock's pins, without hashes: peers are faster so."""
        return self.folder / "pins.txt"

    @property
    def hashed_pins(self) -> Path:
        """The lock's pins as `azpack lock` writes them."""
        return self.folder / "pins-with-hashes.txt"

    @property
    def package(self) -> Path:
        """The zip that the warm azpack with a lock makes."""
        return self.folder / "azpack.zip"

    def make(self) -> None:
        """Copy the app anew, and write its requirements."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for root in (self.app, self.locked):
            shutil.copytree(
                FIXTURE,
                root,
                ignore=shutil.ignore_patterns("local.settings.json", ".*", "__pycache__", "dist"),
            )
            lines = "\n".join(SETS[self.name])
            (root / "requirements.txt").write_text(f"{lines}\n", encoding="utf-8")

    def use_lock(self) -> None:
        """Copy the app with its lock, and write the pins without their hashes."""
        shutil.copytree(self.locked, self.edited)
        lines = self.hashed_pins.read_text(encoding="utf-8").splitlines()
        pins = [line.removesuffix(" \\") for line in lines if "==" in line]
        self.pins.write_text("\n".join(pins) + "\n", encoding="utf-8")

    def azpack_caches(self) -> dict[str, Path]:
        """The store, and the cache of the uv that resolves for azpack."""
        caches = self.folder / "caches"
        return {"AZPACK_CACHE_DIR": caches / "azpack", "UV_CACHE_DIR": caches / "azpack-uv"}

    def peer_caches(self, tool: str) -> dict[str, Path]:
        """The cache of a peer; shiv installs with pip, and has pip's."""
        caches = self.folder / "caches"
        names = {"uv": "UV_CACHE_DIR", "pex": "PEX_ROOT"}
        return {names.get(tool, "PIP_CACHE_DIR"): caches / tool}

    def target(self, tool: str) -> Path:
        """Where a peer installs to: the dependencies' place in a copy of the app."""
        return self.folder / f"{tool}-tree" / SITE_PACKAGES


# One process, as an editor that builds on saving; the shell takes a millisecond of it.
_EDIT = 'echo >> "$1" && shift && exec "$@"'


def install() -> None:
    """Make the compiled copy of azpack."""
    shutil.rmtree(INSTALLED, ignore_errors=True)
    source, copy = HERE.parent / "azpack", INSTALLED / "azpack"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if not compileall.compile_dir(copy, quiet=1):
        raise SystemExit(f"{source} can't be compiled")


def executable(name: str) -> str | None:
    """The program of the environment that runs this, else the one on PATH."""
    beside = BIN / name
    return str(beside) if beside.exists() else shutil.which(name)


def zip_tool() -> str:
    """How the peers' folders are zipped: by Info-ZIP where it is, else by Python."""
    return "zip -q -r" if shutil.which("zip") else "shutil.make_archive"


def lock_command(place: Place) -> Contender:
    """Resolve once, for everybody."""
    command = [_need("azpack"), "lock", str(place.locked), "--python", PYTHON]
    return Contender(
        key="lock",
        label="azpack lock",
        command=[*command, "--requirements-txt", str(place.hashed_pins)],
        runs=1,
        caches=place.azpack_caches(),
        own=True,
    )


def machine_contenders() -> list[Contender]:
    """What does not depend on a set."""
    app = WORK / "modules"
    modules.make_app(app)
    return [
        Contender(
            key="interpreter",
            label="python -c pass",
            command=[sys.executable, "-c", "pass"],
            runs=15,
            caches={},
            warmup=True,
        ),
        Contender(
            key="version",
            label="azpack --version",
            command=[_need("azpack"), "--version"],
            runs=15,
            caches={},
            warmup=True,
            own=True,
        ),
        Contender(
            key="check",
            label=f"azpack check, {modules.MODULES} modules",
            command=[_need("azpack"), "check", str(app), "--python", PYTHON],
            runs=7,
            caches={"AZPACK_CACHE_DIR": WORK / "modules-cache"},
            warmup=True,
            own=True,
        ),
    ]


def cold_contenders(place: Place, *, runs: int, pip_runs: int) -> list[Contender]:
    """With every cache empty and no lock: resolve, download, package."""
    asked = ["-r", str(place.requirements)]
    found = [
        Contender(
            key="azpack-cold",
            label="azpack build",
            command=_build(place.app, place.folder / "cold.zip"),
            runs=runs,
            caches=place.azpack_caches(),
            emptied=True,
            own=True,
        ),
        Contender(
            key="uv-cold",
            label="uv pip install --target",
            command=[*_uv_install(place), *asked],
            runs=runs,
            caches=place.peer_caches("uv"),
            fresh=(place.target("uv"),),
            emptied=True,
        ),
        Contender(
            key="pip-cold",
            label="pip install --target",
            command=[*_pip_install(place), *asked],
            runs=pip_runs,
            caches=place.peer_caches("pip"),
            fresh=(place.target("pip"),),
            emptied=True,
        ),
    ]
    if place.name != "large" and executable("pex"):
        found.append(
            Contender(
                key="pex-cold",
                label="pex",
                command=[*_pex(place), *asked],
                runs=1,
                caches=place.peer_caches("pex"),
                fresh=(place.folder / "app.pex",),
                emptied=True,
            )
        )
    return found


def warm_contenders(
    place: Place, *, runs: int, resolving_runs: int, uv_runs: int, pip_runs: int, zip_runs: int
) -> list[Contender]:
    """With every cache filled, and the versions known."""
    return [
        *_warm_azpack(place, runs=runs, resolving=resolving_runs),
        *_warm_installers(place, uv_runs=uv_runs, pip_runs=pip_runs),
        Contender(
            key="zip",
            label=zip_tool(),
            command=_zip(place),
            runs=zip_runs,
            caches={},
            fresh=(place.folder / "peer.zip",),
        ),
        *_warm_executables(place, runs=pip_runs),
    ]


def _warm_azpack(place: Place, *, runs: int, resolving: int) -> list[Contender]:
    caches = place.azpack_caches()
    target = find_target(place.app, python=PYTHON)
    platform = f"{ARCHITECTURE}-manylinux_{target.glibc.replace('.', '_')}"
    resolved = place.folder / "pylock.resolved.toml"
    return [
        Contender(
            key="azpack",
            label="azpack build",
            command=_build(place.locked, place.package),
            runs=runs,
            caches=caches,
            warmup=True,
            own=True,
        ),
        Contender(
            key="azpack-edited",
            label="azpack build, a file edited",
            command=[
                "sh",
                "-c",
                _EDIT,
                "sh",
                str(place.edited / "function_app.py"),
                *_build(place.edited, place.folder / "edited.zip"),
            ],
            runs=runs,
            caches=caches,
            warmup=True,
            own=True,
        ),
        Contender(
            key="inspect",
            label="azpack inspect",
            command=[_need("azpack"), "inspect", str(place.package)],
            runs=runs,
            caches={},
            warmup=True,
            own=True,
        ),
        _in_mode(place, "remote", runs=runs),
        _in_mode(place, "docker", runs=runs),
        Contender(
            key="cp",
            label="cp of the zip",
            command=["cp", str(place.package), str(place.folder / "copy.zip")],
            runs=runs,
            caches={},
            warmup=True,
        ),
        Contender(
            key="azpack-resolving",
            label="azpack build, no lock",
            command=_build(place.app, place.folder / "resolved.zip"),
            runs=resolving,
            caches=caches,
            warmup=True,
            own=True,
        ),
        Contender(
            key="uv-compile",
            label="uv pip compile",
            command=[
                *(_need("uv"), "pip", "compile", "-q", "--python", sys.executable),
                *("--python-version", target.full_version, "--python-platform", platform),
                *("--no-header", "--no-annotate", "--format", "pylock.toml"),
                *("--output-file", str(resolved), str(place.requirements)),
            ],
            runs=resolving,
            caches=caches,
            fresh=(resolved,),
            warmup=True,
        ),
    ]


def _in_mode(place: Place, mode: str, *, runs: int) -> Contender:
    return Contender(
        key=f"azpack-{mode}",
        label=f"azpack build --mode {mode}",
        command=[*_build(place.locked, place.folder / f"{mode}.zip"), "--mode", mode],
        runs=runs,
        caches=place.azpack_caches(),
        warmup=True,
        own=True,
    )


def _warm_installers(place: Place, *, uv_runs: int, pip_runs: int) -> list[Contender]:
    pins = ["--no-deps", "-r", str(place.pins)]
    return [
        Contender(
            key="uv",
            label="uv pip install --target",
            command=[*_uv_install(place), *pins],
            runs=uv_runs,
            caches=place.peer_caches("uv"),
            fresh=(place.target("uv"),),
            warmup=True,
        ),
        Contender(
            key="uv-offline",
            label="uv pip install --target --offline",
            command=[*_uv_install(place), "--offline", *pins],
            runs=uv_runs,
            caches=place.peer_caches("uv"),
            fresh=(place.target("uv"),),
        ),
        Contender(
            key="pip",
            label="pip install --target",
            command=[*_pip_install(place), *pins],
            runs=pip_runs,
            caches=place.peer_caches("pip"),
            fresh=(place.target("pip"),),
        ),
    ]


def _warm_executables(place: Place, *, runs: int) -> list[Contender]:
    if place.name == "large":
        return []
    pins = ["-r", str(place.pins)]
    found = []
    if shiv := executable("shiv"):
        output = place.folder / "app.pyz"
        command = [shiv, "-o", str(output), "--site-packages", str(place.app)]
        found.append(
            Contender(
                key="shiv",
                label="shiv",
                command=[*command, "--no-compile", "--no-deps", *pins],
                runs=runs,
                caches=place.peer_caches("pip"),
                fresh=(output,),
            )
        )
    if executable("pex"):
        found.append(
            Contender(
                key="pex",
                label="pex",
                command=[*_pex(place), "--intransitive", *pins],
                runs=runs,
                caches=place.peer_caches("pex"),
                fresh=(place.folder / "app.pex",),
            )
        )
    return found


def _build(root: Path, output: Path) -> list[str]:
    return [_need("azpack"), "build", str(root), "--python", PYTHON, "-o", str(output)]


def _uv_install(place: Place) -> list[str]:
    command = [_need("uv"), "pip", "install", "-q", "--python", sys.executable]
    return [*command, "--target", str(place.target("uv"))]


def _pip_install(place: Place) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-compile"]
    return [*command, "--target", str(place.target("pip"))]


def _pex(place: Place) -> list[str]:
    command = [_need("pex"), "--python", sys.executable, "-D", str(place.app)]
    return [*command, "-o", str(place.folder / "app.pex")]


def _zip(place: Place) -> list[str]:
    """Copy the app beside the dependencies, and zip both: one process, as in a user's script."""
    tree, output = place.folder / "uv-tree", place.folder / "peer.zip"
    if shutil.which("zip"):
        script = 'cp -R "$1/." "$2" && cd "$2" && zip -q -r "$3" .'
        return ["sh", "-c", script, "sh", str(place.app), str(tree), str(output)]
    script = (
        "import shutil, sys; app, tree, output = sys.argv[1:]; "
        "shutil.copytree(app, tree, dirs_exist_ok=True); shutil.make_archive(output, 'zip', tree)"
    )
    arguments = [str(place.app), str(tree), str(output.with_suffix(""))]
    return [sys.executable, "-c", script, *arguments]


def _need(name: str) -> str:
    if (found := executable(name)) is None:
        raise SystemExit(f"{name} is not installed beside {sys.executable}: run 'make bench'")
    return found
