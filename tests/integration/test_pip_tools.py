"""Resolving with real pip-tools, on an interpreter of the target's version, beside real uv."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from azpack.deps.pip_tools_home import PACKAGES
from azpack.deps.uv import find_uv
from tests.authority import Authority
from tests.commands import Azpack, Done, make_app
from tests.distributions import make_sdist, make_wheel
from tests.fixture_apps import copy_app
from tests.leaks import CommandLines, forms_of, places_that_tell
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = "{}.{}".format(*sys.version_info)
TOKEN = "s3cret-t0ken/+"
PLAIN = """
requests[socks]==2.32.3
charset-normalizer==3.4.0
certifi==2024.8.30
urllib3==2.2.3
PySocks==1.7.1
iniconfig==2.0.0; python_version < "3.12"
colorama==0.4.6; sys_platform == "win32"
setuptools==75.6.0
"""
LIBRARY = """
[project]
name = "our-library"
version = "1.2"
dependencies = ["idna==3.10"]
[project.optional-dependencies]
more = ["six==1.16.0"]
[build-system]
requires = []
build-backend = "own"
backend-path = ["."]
"""
# What a build backend is asked for when nobody wants to build.
BACKEND = """
from pathlib import Path
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder) / "our_library-1.2.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        "Metadata-Version: 2.2\\nName: our-library\\nVersion: 1.2\\nRequires-Dist: idna==3.10\\n"
        "Provides-Extra: more\\nRequires-Dist: six==1.16.0; extra == 'more'\\n"
    )
    return info.name
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def build_wheel(folder, settings=None, metadata=None):
    raise NotImplementedError
build_editable = build_wheel
"""


@pytest.fixture(scope="module")
def azpack(tmp_path_factory: pytest.TempPathFactory) -> Azpack:
    """With a store in which the environment of pip-tools stays from test to test."""
    folder = tmp_path_factory.mktemp("pip-tools")
    caches = {"PIP_CACHE_DIR": str(folder / "pip"), "PIP_TOOLS_CACHE_DIR": str(folder / "tools")}
    return Azpack(folder, UV_HTTP_RETRIES="3", **caches)


@pytest.fixture(scope="module")
def ready(azpack: Azpack, tmp_path_factory: pytest.TempPathFactory) -> Azpack:
    """The environment of pip-tools is there, so that no index need have it."""
    app = make_app(tmp_path_factory.mktemp("first") / "app", "idna==3.10\n")
    assert azpack.run("lock", app, "--python", OWN, "--resolver", "pip-tools").code == 0
    return azpack


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def index(wheels: Path) -> Iterator[IndexServer]:
    with IndexServer(wheels, user="me", password=TOKEN) as index:
        yield index


def lock(
    azpack: Azpack, app: Path, resolver: str, *options: str, python: str = OWN
) -> dict[str, tuple[str, str]]:
    """What is locked: version and file's hash by name."""
    done = azpack.run("lock", app, "--python", python, "--resolver", resolver, "--json", *options)
    rows = done.data()["distributions"]
    return {row["name"]: (row["version"], row["sha256"]) for row in rows}


def versions(azpack: Azpack, app: Path, resolver: str, *options: str) -> dict[str, str]:
    found = lock(azpack, app, resolver, "--upgrade", *options)
    return {name: version for name, (version, _) in found.items()}


def answer(azpack: Azpack, app: Path, *options: str) -> Done:
    return azpack.run(
        "lock", app, "--python", OWN, "--resolver", "pip-tools", "--json", *options,
        environment={"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"},
    )  # fmt: skip


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_both_resolvers_lock_the_same(azpack: Azpack, tmp_path: Path, python: str) -> None:
    app = make_app(tmp_path / "app", PLAIN)
    found = lock(azpack, app, "pip-tools", python=python)
    text = (app / "pylock.toml").read_bytes()
    assert found["charset-normalizer"][0] == "3.4.0"
    assert f"-cp{python.replace('.', '')}-cp" in text.decode()
    assert ("iniconfig" in found) is (python == "3.11")
    assert "colorama" not in found
    assert found.keys() >= {"idna", "pysocks", "setuptools"}
    (app / "pylock.toml").unlink()
    assert lock(azpack, app, "uv", python=python) == found
    assert (app / "pylock.toml").read_bytes() == text


def test_the_lock_that_it_makes_is_built_from(ready: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna==3.10\n", files={"azpack.toml": "resolver='pip-tools'"})
    planned = ready.run("build", app, "--python", OWN, "--dry-run", "--json", "-v")
    assert [row["version"] for row in planned.data()["distributions"]] == ["3.10"]
    assert "pip-tools compile" in planned.stderr
    locked = ready.run("lock", app, "--python", OWN, environment={"AZPACK_RESOLVER": "uv"})
    assert locked.code == 0
    # With a lock that fits nothing is resolved, so that any resolver, or target, will do.
    built = ready.run("build", app, "--python", OWN, "--locked", "--json", "-v").data()
    assert [row["version"] for row in built["distributions"]] == ["3.10"]


def test_the_versions_of_a_poetry_lock(ready: Azpack, tmp_path: Path) -> None:
    app = copy_app("poetry-lock", tmp_path)
    found = lock(ready, app, "pip-tools")
    text = (app / "pylock.toml").read_bytes()
    assert found["python-slugify"][0] == "8.0.4"
    (app / "pylock.toml").unlink()
    assert lock(ready, app, "uv") == found
    assert (app / "pylock.toml").read_bytes() == text


def test_a_python_that_is_not_here(ready: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna==3.10\n")
    nowhere = {"PATH": "/nowhere", "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path),
               "UV_PYTHON_INSTALL_DIR": str(tmp_path)}  # fmt: skip
    other = next(version for version in ("3.13", "3.12") if version != OWN)
    done = ready.run(
        "build", app, "--python", other, "--resolver=pip-tools", "--json", environment=nowhere
    )
    error = done.error(2, "resolver-needs-the-target")
    assert f"no CPython {other}" in error["message"]
    assert "--resolver uv" in error["hint"]


def test_versions_are_kept_unless_told(ready: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna==3.4\nzipp==3.17.0\n")
    assert lock(ready, app, "pip-tools")["idna"][0] == "3.4"
    (app / "requirements.txt").write_text("idna\nzipp\n")
    kept = lock(ready, app, "pip-tools")
    assert (kept["idna"][0], kept["zipp"][0]) == ("3.4", "3.17.0")
    one = lock(ready, app, "pip-tools", "--upgrade-package", "IDNA")
    assert one["idna"][0] != "3.4"
    assert one["zipp"][0] == "3.17.0"
    # A version that no longer fits is given up, and no other.
    (app / "requirements.txt").write_text("idna\nzipp>3.17\n")
    other = lock(ready, app, "pip-tools")
    assert other["idna"] == one["idna"]
    assert other["zipp"][0] != "3.17.0"


def test_folders_files_constraints_and_options(ready: Azpack, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "local-wheel", requires=["zipp"])
    app = make_app(
        tmp_path / "app",
        f"-c limits.txt\n-e ./lib[more]\nlocal-wheel @ {wheel.as_uri()}\n--only-binary zipp\n",
        files={
            "lib/pyproject.toml": LIBRARY,
            "lib/own.py": BACKEND,
            "limits.txt": "zipp<3.18\n",
            # A module of the app is none of pip's.
            "click.py": "raise RuntimeError\n",
            "packaging.py": "raise RuntimeError\n",
        },
    )
    found = lock(ready, app, "pip-tools")
    assert {name: version for name, (version, _) in found.items()} == {
        "idna": "3.10", "local-wheel": "1.0", "our-library": "", "six": "1.16.0", "zipp": "3.17.0",
    }  # fmt: skip
    text = (app / "pylock.toml").read_bytes()
    (app / "pylock.toml").unlink()
    assert lock(ready, app, "uv") == found
    assert (app / "pylock.toml").read_bytes() == text


def test_a_repository(ready: Azpack, tmp_path: Path, git: str) -> None:
    repository = tmp_path / "repository"
    make_app(repository, None, files={"pyproject.toml": LIBRARY, "own.py": BACKEND})
    author = ["-c", "user.name=a", "-c", "user.email=a@x.example"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "all"]):
        subprocess.run([git, "-C", repository, *command], check=True)
    app = make_app(tmp_path / "app", f"our-library[more] @ git+{repository.as_uri()}\n")
    found = lock(ready, app, "pip-tools")
    assert found.keys() == {"our-library", "idna", "six"}
    text = (app / "pylock.toml").read_bytes()
    (app / "pylock.toml").unlink()
    assert lock(ready, app, "uv") == found
    assert (app / "pylock.toml").read_bytes() == text


PROJECT = """
[project]
name = "app"
version = "1"
dependencies = ["idna==3.10", "app[always]"]
[project.optional-dependencies]
always = ["zipp==3.20.0"]
more = ["six==1.16.0"]
other = ["toml==0.10.2"]
[dependency-groups]
telemetry = [{ include-group = "base" }]
base = ["iniconfig==2.0.0"]
[tool.azpack]
extras = ["more"]
groups = ["telemetry"]
"""


def test_a_pyproject(ready: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", None, files={"pyproject.toml": PROJECT})
    found = lock(ready, app, "pip-tools")
    assert found.keys() == {"idna", "zipp", "six", "iniconfig"}
    text = (app / "pylock.toml").read_bytes()
    (app / "pylock.toml").unlink()
    assert lock(ready, app, "uv") == found
    assert (app / "pylock.toml").read_bytes() == text


def test_hashes_decide_which_files_are_taken(ready: Azpack, tmp_path: Path) -> None:
    sdist = "12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9"
    app = make_app(tmp_path / "app", f"idna==3.10 --hash=sha256:{sdist}\n")
    assert lock(ready, app, "pip-tools") == {"idna": ("3.10", sdist)}


# The pins in pip's format.


@pytest.mark.parametrize("resolver", ["pip-tools", "uv"])
def test_both_tools_read_the_pins(ready: Azpack, tmp_path: Path, resolver: str) -> None:
    app = make_app(tmp_path / "app", "requests==2.32.3\ncharset-normalizer==3.4.0\nidna==3.10\n")
    pins = tmp_path / "pins.txt"
    found = lock(ready, app, resolver, "--requirements-txt", str(pins))
    expected = {f"{name}=={version}" for name, (version, _) in found.items()}
    (python,) = ready.cache.glob(f"v1/tools/pip-tools-*-{OWN}-*/bin/python")
    again = tmp_path / "again.txt"
    commands = {
        "pip-compile": [python, "-I", "-m", "piptools", "compile", "--no-config", "--quiet",
         "--strip-extras", "--output-file", again, pins],
        "pip-sync": [python, "-I", "-m", "piptools", "sync", "--no-config", "--dry-run", pins],
        "pip": [python, "-I", "-m", "pip", "install", "--dry-run", "--require-hashes", "--quiet",
                "--target", tmp_path / "target", "--report", tmp_path / "report.json", "-r", pins],
        "uv": [find_uv(), "pip", "install", "--dry-run", "--require-hashes", "--no-config",
               "--python", python, "--target", tmp_path / "target", "-r", pins],
    }  # fmt: skip
    outputs = {}
    for name, command in commands.items():
        done = subprocess.run(
            list(map(str, command)),
            env=ready.environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        # With --dry-run pip-sync says by 1 that there is something to do.
        assert done.returncode == (1 if name == "pip-sync" else 0), done.stderr
        outputs[name] = done.stdout + done.stderr
    compiled = again.read_text()
    assert expected <= set(compiled.replace(" \\", "").split())
    assert all(pin in outputs["pip-sync"] for pin in expected)
    assert all(pin in outputs["uv"] for pin in expected)
    report = json.loads((tmp_path / "report.json").read_text())["install"]
    hashes = {row["download_info"]["archive_info"]["hashes"]["sha256"] for row in report}
    assert hashes == {sha256 for _, sha256 in found.values()}


# Where it fails.


@pytest.mark.parametrize(
    ("requirements", "says", "hint"),
    [
        (
            "# first\nidna==2.0\nrequests==2.32.3\n",
            [
                "requirements.txt:2 (idna==2.0), requirements.txt:3 (requests==2.32.3) can't",
                "requests 2.32.3 depends on idna<4 and >=2.5",
            ],
            "loosen",
        ),
        ("six\nidna==99\n", ["requirements.txt:2 (idna==99) can't", "(it has …, "], "a version"),
        ("no-such-thing-at-all-x\n", ["requirements.txt:1 (no-such-thing"], "spelling"),
        ("pywin32==306\n", ["requirements.txt:1 (pywin32==306)"], "sys_platform"),
        ("six\n./nope\n", ["requirements.txt:2 (./nope)", "does not exist"], "relative"),
        (
            "./lib\n",
            ["requirements.txt:1 (./lib)", "Cannot import build backend", "'not_there'"],
            "build requirements",
        ),
    ],
)
def test_what_can_not_be_resolved(
    ready: Azpack, tmp_path: Path, requirements: str, says: list[str], hint: str
) -> None:
    library = LIBRARY.replace('"own"', '"not_there"').replace('backend-path = ["."]', "")
    app = make_app(tmp_path / "app", requirements, files={"lib/pyproject.toml": library})
    error = answer(ready, app).error(3, "no-solution")
    for text in says:
        assert text in error["message"]
    assert hint in error["hint"]
    assert "Traceback" not in error["message"]
    assert "/azpack-" not in error["message"]
    assert not (app / "pylock.toml").exists()


def test_several_indexes(ready: Azpack, tmp_path: Path, wheels: Path, index: IndexServer) -> None:
    make_wheel(wheels, "idna", "99.0")
    make_sdist(wheels, "azpack-tests-mine")
    app = make_app(tmp_path / "app", "azpack-tests-mine\nidna\n")
    private = ["--extra-index-url", index.url_as("me", quote(TOKEN, safe=""))]
    error = answer(ready, app, *private).error(2, "resolver-mixes-indexes")
    assert "--index-strategy best-match" in error["hint"]
    assert index.asked == []
    private += ["--index-strategy", "best-match"]
    expected = {"azpack-tests-mine": "1.0", "idna": "99.0"}
    assert versions(ready, app, "pip-tools", *private) == expected
    assert versions(ready, app, "uv", *private) == expected
    # pip goes on without an index that fails, and would take what the others have.
    index.faults["/simple/idna"] = Fault(status=500)
    error = answer(ready, app, *private, "--upgrade").error(5, "index-unreachable")
    assert f"127.0.0.1:{index.port}/simple/idna/" in error["message"]
    index.faults.clear()
    index.password = "another"
    error = answer(ready, app, *private, "--upgrade").error(5, "index-refused")
    assert "${NAME}" in error["hint"]


def test_an_index_that_is_not_there(ready: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna\n")
    error = answer(ready, app, "--index-url", "http://127.0.0.1:9/simple").error(
        5, "index-unreachable"
    )
    assert "refused" in error["message"]


def test_an_index_over_tls(ready: Azpack, tmp_path: Path, wheels: Path) -> None:
    make_wheel(wheels, "mine", requires=["made"])
    make_sdist(wheels, "made")
    app = make_app(tmp_path / "app", "mine\n")
    authority = Authority()
    bundle = authority.bundle(tmp_path / "authority.pem")
    own = authority.client_certificate(tmp_path / "client.pem")
    context = authority.server_context("127.0.0.1", clients=authority)
    with IndexServer(wheels, user="me", password=TOKEN, context=context) as index:
        url = ["--index-url", index.url.replace("://", f"://me:{quote(TOKEN, safe='')}@")]
        trusted = [*url, "--cert", str(bundle)]
        assert versions(ready, app, "pip-tools", *trusted, "--client-cert", str(own)) == {
            "mine": "1.0",
            "made": "1.0",
        }
        error = answer(ready, app, *url, "--upgrade").error(5, "index-unreachable")
        assert "certificate" in error["message"].lower()
        assert "--cert FILE" in error["hint"]
        assert answer(ready, app, *trusted, "--upgrade").error(5, "index-unreachable")


def test_indexes_without_pip_tools(tmp_path: Path, wheels: Path) -> None:
    azpack = Azpack(tmp_path)
    make_wheel(wheels, "a")
    app = make_app(tmp_path / "app", f"--no-index --find-links {wheels}\na\n")
    error = answer(azpack, app).error(3, "no-tool")
    assert all(package in error["message"] for package in PACKAGES)
    assert "--resolver uv" in error["hint"]
    (app / "requirements.txt").write_text("a\n")
    assert answer(azpack, app, "--index-url", "http://127.0.0.1:9/simple").error(
        5, "index-unreachable"
    )


def test_no_secret_is_told(ready: Azpack, tmp_path: Path, wheels: Path, index: IndexServer) -> None:
    make_wheel(wheels, "tool")
    make_sdist(wheels, "made", requires_build=["tool"])
    make_wheel(wheels, "mine", requires=["made"])
    app = make_app(tmp_path / "app", "mine\n")
    url = f"http://me:${{OUR_TOKEN}}@127.0.0.1:{index.port}/simple"
    forms = forms_of(TOKEN, "me")
    with CommandLines(forms) as seen:
        done = ready.run(
            "lock", app, "--python", OWN, "--resolver", "pip-tools", "--json", "-vv",
            "--index-url", url, "--requirements-txt", tmp_path / "pins.txt",
            environment={"OUR_TOKEN": TOKEN},
        )  # fmt: skip
    assert {row["name"] for row in done.data()["distributions"]} == {"mine", "made"}
    # The build requirement was installed, by which pip would start another pip.
    assert "/files/tool-1.0-py3-none-any.whl" in index.paths_asked()
    assert seen.programs & {"python", f"python{OWN}"}
    assert seen.telling == set()
    assert places_that_tell(forms, done, app, ready.cache, tmp_path) == []


# Where the two answer differently.


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Wheels as "NAME VERSION requirement…", what is asked for, and the two answers."""

    wheels: tuple[str, ...]
    asked: str
    of_pip: str
    of_uv: str


ENTANGLED = ("x 1 z==1", "x 2 z==2", "y 1 z==2", "y 2 z==1", "z 1", "z 2")
DIFFERENCES = {
    "uv gives the newest version to what is listed first": Difference(
        wheels=("a 1", "a 2", "b 1", "b 2 a<2"), asked="a b", of_pip="a==1 b==2", of_uv="a==2 b==1"
    ),
    "pip settles first what has an upper bound": Difference(
        wheels=ENTANGLED, asked="x y<3", of_pip="x==1 y==2 z==1", of_uv="x==2 y==1 z==2"
    ),
    "and without one it is the first for both": Difference(
        wheels=ENTANGLED, asked="x y", of_pip="x==2 y==1 z==2", of_uv="x==2 y==1 z==2"
    ),
    "uv takes a pre-release only where no release will do": Difference(
        wheels=("a 1 b>=1.0rc1", "b 1.5", "b 2.0rc1"),
        asked="a",
        of_pip="a==1 b==2.0rc1",
        of_uv="a==1 b==1.5",
    ),
    "as pip does too where none is named": Difference(
        wheels=("a 1 b>=1", "b 1.5", "b 2.0rc1"),
        asked="a",
        of_pip="a==1 b==1.5",
        of_uv="a==1 b==1.5",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_where_the_answers_differ(
    ready: Azpack, tmp_path: Path, wheels: Path, difference: Difference
) -> None:
    for wheel in difference.wheels:
        name, version, *requires = wheel.split()
        make_wheel(wheels, name, version, requires=requires)
    asked = difference.asked.replace(" ", "\n")
    app = make_app(tmp_path / "app", f"--no-index --find-links {wheels}\n{asked}\n")
    for resolver, expected in (("pip-tools", difference.of_pip), ("uv", difference.of_uv)):
        assert versions(ready, app, resolver) == dict(
            pin.split("==") for pin in expected.split()
        ), resolver


def test_a_url_that_only_a_dependency_names(ready: Azpack, tmp_path: Path, wheels: Path) -> None:
    deep = make_wheel(tmp_path, "deep")
    make_wheel(wheels, "a", requires=[f"deep @ {deep.as_uri()}"])
    app = make_app(tmp_path / "app", f"--no-index --find-links {wheels}\na\n")
    answers = {
        resolver: answer(ready, app, "--resolver", resolver).code
        for resolver in ("pip-tools", "uv")
    }
    assert answers == {"pip-tools": 0, "uv": 3}


def test_a_wheel_for_a_newer_glibc_than_the_targets(
    ready: Azpack, tmp_path: Path, wheels: Path
) -> None:
    make_wheel(wheels, "a", "2.0", tag="py3-none-manylinux_2_30_x86_64")
    make_wheel(wheels, "a", "3.0", tag="py3-none-manylinux_2_99_x86_64")
    # Of a glibc that this machine may well have.
    make_wheel(wheels, "a", "4.0", tag="py3-none-manylinux_2_36_x86_64")
    app = make_app(tmp_path / "app", f"--no-index --find-links {wheels}\na\n")
    newest = {"3.10": "2.0", "3.11": "2.0"}.get(OWN, "4.0")
    for resolver in ("pip-tools", "uv"):
        assert versions(ready, app, resolver) == {"a": newest}
