"""Mode remote: packages that the platform's own pip completes, the old one and the newest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from azpack.deps.uv import find_uv
from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_sdist, make_wheel
from tests.fixture_apps import copy_app
from tests.leaks import forms_of, places_that_tell
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.platform_build import PlatformPip

# pip sends what is not ASCII in another encoding than servers expect.
TOKEN = "t0ken/+%@e"
QUOTED = quote(TOKEN, safe="")
FORMS = forms_of(TOKEN, "me")
REMOTE = ("build", "--mode", "remote", "--json")


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, FEED_TOKEN=TOKEN)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[IndexServer]:
    """An index with a password: a wheel, an sdist, and what both need."""
    folder = tmp_path / "private"
    make_wheel(folder, "mine", requires=["made", "deep"])
    make_sdist(folder, "made")
    make_wheel(folder, "deep")
    with IndexServer(folder, user="me", password=TOKEN) as index:
        yield index


@pytest.fixture
def public(tmp_path: Path) -> Iterator[IndexServer]:
    """An index for all, with a newer twin of a private name."""
    folder = tmp_path / "public"
    make_wheel(folder, "mine", "9.0")
    make_wheel(folder, "common")
    with IndexServer(folder) as index:
        yield index


def with_token(index: IndexServer) -> str:
    return index.url.replace("://", "://me:${FEED_TOKEN}@")


def indexes(private: IndexServer, public: IndexServer) -> tuple[str, ...]:
    return ("--index-url", public.url, "--extra-index-url", with_token(private))


def requirements_in(package: str) -> str:
    with zipfile.ZipFile(package) as opened:
        assert not [name for name in opened.namelist() if name.startswith(".python_packages")]
        return opened.read("requirements.txt").decode()


def versions(data: Any) -> dict[str, str]:
    return {row["name"]: row["version"] for row in data["distributions"]}


def codes(data: Any) -> list[str]:
    return [finding["code"] for finding in data["findings"]]


def published_settings(data: Any, values: dict[str, str]) -> dict[str, str]:
    """The app settings as whoever publishes sets them, with `${NAME}` filled in."""
    settings = json.loads(Path(data["manifest"].replace(".manifest.", ".settings.")).read_bytes())
    return {
        row["name"]: re.sub(r"\$\{(\w+)\}", lambda it: values[it[1]], row["value"])
        for row in settings
    }


SOURCES = {
    "requirements.txt": {
        "requirements.txt": "-r more/base.txt\n-c limits.txt\ncommon>=0.5; sys_platform=='linux'\n"
        "never ; sys_platform == 'win32'\n",
        "more/base.txt": "mine\n",
        "limits.txt": "mine<2\n",
    },
    "pyproject.toml": {
        "pyproject.toml": '[project]\nname = "app"\nversion = "1"\n'
        'dependencies = ["mine<2", "common"]\n',
    },
}


@pytest.mark.parametrize("source", [*SOURCES, "pylock.toml", "uv.lock"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_platform_installs_what_was_resolved_here(
    azpack: Azpack,
    tmp_path: Path,
    private: IndexServer,
    public: IndexServer,
    pips: dict[str, PlatformPip],
    source: str,
    python: str,
) -> None:
    files = SOURCES.get(source, SOURCES["pyproject.toml"])
    app = make_app(tmp_path / "app", None, files=files)
    options = ("--python", python, *indexes(private, public))
    if source == "pylock.toml":
        assert azpack.run("lock", app, *options).code == 0
    if source == "uv.lock":
        urls = {"UV_INDEX": private.url_as("me", QUOTED), "UV_DEFAULT_INDEX": public.url}
        command = [find_uv(), "lock", "--quiet", "--python", sys.executable]
        subprocess.run(command, cwd=app, env={**azpack.environment, **urls}, check=True)
    data = azpack.run(*REMOTE, app, *options).data()
    expected = {"common": "1.0", "deep": "1.0", "made": "1.0", "mine": "1.0"}
    assert versions(data) == expected
    text = requirements_in(data["package"]["path"])
    assert text.count("--hash=sha256:") == 4
    assert "127.0.0.1" not in text
    manifest = json.loads(Path(data["manifest"]).read_bytes())
    assert manifest["remote_build"] == {
        "requirements": "requirements.txt",
        "source": source,
        "pinned": True,
        "hashed": True,
        "indexes": [with_token(private), public.url],
    }
    assert {row["name"]: row["value"] for row in manifest["app_settings"]["set"]} == {
        "PIP_INDEX_URL": public.url,
        "PIP_EXTRA_INDEX_URL": with_token(private),
    }
    settings = published_settings(data, {"FEED_TOKEN": QUOTED})
    installed = pips[python].build(data["package"]["path"], settings, tmp_path / "there")
    assert installed == expected
    # The sdist is compiled there, and mine is also on the public index, in a better version.
    assert codes(data) == ["AZP412", "AZP413"]
    assert data["findings"][1]["severity"] == "info"


def test_the_fixture_apps(azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]) -> None:
    for name, python in (("v2-blueprint", "3.11"), ("pyproject-only", "3.13")):
        app = copy_app(name, tmp_path)
        data = azpack.run(*REMOTE, app, "--python", python).data()
        installed = pips[python].build(data["package"]["path"], {}, tmp_path / f"{name} there")
        assert installed == versions(data)
        assert codes(data) == []
        again = azpack.run(*REMOTE, app, "--python", python, "-o", tmp_path / "again.zip").data()
        assert again["package"]["content_digest"] == data["package"]["content_digest"]


def test_with_a_lock_nothing_is_asked(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna==3.10\n")
    assert azpack.run("lock", app).code == 0
    nowhere = dict.fromkeys(["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"], "http://127.0.0.1:1")
    data = azpack.run(*REMOTE, app, "--locked", environment=nowhere).data()
    assert versions(data) == {"idna": "3.10"}
    assert "preflight" not in data["timings"]
    assert not azpack.cache.exists()  # no wheel is needed, and none is kept


def test_no_dependencies(azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip]) -> None:
    for name, requirements in (("none", None), ("empty", "# nothing\n")):
        app = make_app(tmp_path / name, requirements)
        data = azpack.run(*REMOTE, app, "--python", "3.11").data()
        # Without such a file the platform would not know that this is Python.
        assert pips["3.11"].build(data["package"]["path"], {}, tmp_path / f"{name} there") == {}


LIBRARY = {
    "lib/pyproject.toml": '[project]\nname = "lib"\nversion = "1"\ndependencies = ["common"]\n'
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "lib/lib.py": "",
}


def test_a_folder_of_the_project_is_built_there(
    azpack: Azpack, tmp_path: Path, public: IndexServer, pips: dict[str, PlatformPip]
) -> None:
    app = make_app(tmp_path / "app", "-e ./lib\n", files=LIBRARY)
    data = azpack.run(*REMOTE, app, "--python", "3.11", "--extra-index-url", public.url).data()
    assert codes(data) == ["AZP411", "AZP412"]
    text = requirements_in(data["package"]["path"])
    assert text.splitlines()[3:] == ["common==1.0", "./lib"]
    assert "--hash" not in text
    settings = published_settings(data, {})
    installed = pips["3.11"].build(data["package"]["path"], settings, tmp_path / "there")
    assert installed == {"common": "1.0", "lib": "1"}
    manifest = json.loads(Path(data["manifest"]).read_bytes())
    assert manifest["remote_build"]["hashed"] is False


@pytest.mark.parametrize("option", [["--find-links", "vendor"], []])
def test_wheels_of_the_project_go_along(
    azpack: Azpack, tmp_path: Path, pips: dict[str, PlatformPip], option: list[str]
) -> None:
    line = "vendored\n" if option else "./vendor/vendored-1.0-py3-none-any.whl\n"
    app = make_app(tmp_path / "app", line)
    make_wheel(app / "vendor", "vendored")
    data = azpack.run(*REMOTE, app, "--python", "3.11", *option).data()
    text = requirements_in(data["package"]["path"])
    assert "\n./vendor/vendored-1.0-py3-none-any.whl \\\n    --hash=sha256:" in text
    assert published_settings(data, {}) == {}
    assert pips["3.11"].build(data["package"]["path"], {}, tmp_path / "there") == versions(data)


@pytest.mark.parametrize(
    ("line", "ignored", "reason"),
    [
        ("-e ../lib", "", "../lib is outside the project"),
        ("./lib", "lib/", "lib is not in the package"),
        ("lib @ git+file://{root}/repository@{commit}", "", "no access to file://"),
        ("vendored --find-links ../wheels", "", "is outside the project"),
    ],
)
def test_what_the_platform_can_not_reach(
    azpack: Azpack, tmp_path: Path, git: str, line: str, ignored: str, reason: str
) -> None:
    files = {f"../{name}": text.replace('"common"', "") for name, text in LIBRARY.items()}
    files |= {name.replace("../", ""): text for name, text in files.items()}
    app = make_app(tmp_path / "app", "", files=files | {".funcignore": f"{ignored}\n"})
    make_wheel(tmp_path / "wheels", "vendored")
    if "commit" in line:
        repository = tmp_path / "repository"
        shutil.copytree(app / "lib", repository)
        run = ["-c", "user.name=me", "-c", "user.email=me@x.example"]
        for command in (["init", "-q"], ["add", "."], [*run, "commit", "-q", "-m", "All."]):
            subprocess.run([git, *command], cwd=repository, check=True)
        found = subprocess.run(
            [git, "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
        )
        line = line.format(root=tmp_path, commit=found.stdout.strip())
    requirement, _, links = line.partition(" --find-links ")
    (app / "requirements.txt").write_text(f"{requirement}\n")
    options = ["--find-links", str(tmp_path / "wheels")] if links else []
    (app / "dist").mkdir()
    (app / "dist/app.zip").write_bytes(b"PK\x03\x04 the one before")
    before = project_files(app)
    done = azpack.run(*REMOTE, app, "--python", "3.11", *options)
    finding = done.findings()["AZP404"]
    assert finding["severity"] == "error"
    assert reason in finding["message"]
    assert "--mode local" in finding["hint"]
    assert project_files(app) == before
    assert azpack.run(*REMOTE, app, "--python", "3.11", "--dry-run", *options).code == 1
    assert azpack.run(*REMOTE, app, "--python", "3.11", "--no-check", *options).code == 0


# The project's own requirements.txt.


def test_unpinned_the_file_goes_along_as_it_is(
    azpack: Azpack, tmp_path: Path, public: IndexServer, pips: dict[str, PlatformPip]
) -> None:
    links = public.url.replace("://", "://me:${FEED_TOKEN}@") + "/common/"
    app = make_app(
        tmp_path / "app",
        f"--extra-index-url {public.url}\n--find-links {links}\n-r more.txt\n# ${{HOME}}\n",
        files={"more.txt": "common>=0.5\nmine==9.0\n"},
    )
    data = azpack.run(*REMOTE, app, "--python", "3.11", "--no-pin").data()
    with zipfile.ZipFile(data["package"]["path"]) as opened:
        assert opened.read("requirements.txt") == (app / "requirements.txt").read_bytes()
    assert versions(data) == {"common": "1.0", "mine": "9.0"}
    assert codes(data) == ["AZP407", "AZP413"]  # there is a common on PyPI
    assert (data["findings"][0]["path"], data["findings"][0]["line"]) == ("more.txt", 1)
    assert "common>=0.5 is not pinned" in data["findings"][0]["message"]
    # Whoever publishes gives the app what pip is to put into the file.
    settings = published_settings(data, {"FEED_TOKEN": QUOTED})
    assert settings == {
        "FEED_TOKEN": QUOTED,
        "PIP_EXTRA_INDEX_URL": public.url,
        "PIP_FIND_LINKS": links.replace("${FEED_TOKEN}", QUOTED),
    }
    installed = pips["3.11"].build(data["package"]["path"], settings, tmp_path / "there")
    assert installed == versions(data)


def test_unpinned_a_public_twin_would_take_over(
    azpack: Azpack, tmp_path: Path, private: IndexServer, public: IndexServer,
    pips: dict[str, PlatformPip],
) -> None:  # fmt: skip
    app = make_app(tmp_path / "app", "mine\n")
    options = ("--python", "3.11", *indexes(private, public))
    finding = azpack.run(*REMOTE, app, "--no-pin", *options).findings()["AZP413"]
    assert finding["severity"] == "error"
    assert f"mine-9.0-py3-none-any.whl from {public.url}" in finding["message"]
    assert f"though {private.url} has the name too" in finding["message"]
    # It is so: and with pins it is not.
    settings = {"PIP_INDEX_URL": public.url, "PIP_EXTRA_INDEX_URL": private.url_as("me", QUOTED)}
    data = azpack.run(*REMOTE, app, "--no-pin", "--no-check", *options).data()
    installed = pips["3.11"].build(data["package"]["path"], settings, tmp_path / "attacked")
    assert installed["mine"] == "9.0"
    data = azpack.run(*REMOTE, app, *options).data()
    installed = pips["3.11"].build(data["package"]["path"], settings, tmp_path / "safe")
    assert installed["mine"] == "1.0"


def test_unpinned_the_private_one_is_better_today(
    azpack: Azpack, tmp_path: Path, private: IndexServer, public: IndexServer
) -> None:
    make_wheel(private.folder, "mine", "10.0")
    app = make_app(tmp_path / "app", "mine\n")
    done = azpack.run(*REMOTE, app, "--python", "3.11", "--no-pin", *indexes(private, public))
    found = {finding["code"]: finding for finding in done.data()["findings"]}
    assert found["AZP413"]["severity"] == "warning"
    assert f"mine-10.0-py3-none-any.whl from {private.url}" in found["AZP413"]["message"]


@pytest.mark.parametrize(
    ("requirements", "ignore", "options", "code", "said"),
    [
        (None, "", [], 2, "needs a requirements.txt"),
        ("idna\n", "requirements.txt\n", [], 2, "needs a requirements.txt"),
        ("idna\n", "", ["--locked"], 2, "--locked asks for others"),
        ("idna\n", "", ["-r", "more.txt"], 2, "--requirements more.txt asks for others"),
        ("idna==3.10 --hash=sha256:" + "a" * 64 + "\nsix\n", "", [], 3, ""),
    ],
)
def test_what_can_not_be_unpinned(
    azpack: Azpack, tmp_path: Path, requirements: str, ignore: str, options: list[str], code: int,
    said: str,
) -> None:  # fmt: skip
    app = make_app(tmp_path / "app", requirements, files={".funcignore": ignore})
    done = azpack.run(*REMOTE, app, "--no-pin", *options)
    assert done.code == code
    assert said in json.loads(done.stdout)["errors"][0]["message"]


def test_unpinned_what_goes_wrong_there(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(
        tmp_path / "app",
        "-r base.txt\nidna==3.10\n--extra-index-url https://me:s3cretpassword@feed.example/simple\n",
        files={"base.txt": "six==1.17.0\n", ".funcignore": "base.txt\n"},
    )
    done = azpack.run(*REMOTE, app, "--no-pin", "--extra-index-url", "http://127.0.0.1:1/simple")
    assert done.code == 5
    (app / "requirements.txt").write_text(
        "-r base.txt\nidna==3.10\n# https://me:s3cretpassword@x\n"
    )
    found = azpack.run(*REMOTE, app, "--no-pin").findings()
    assert found["AZP404"]["path"] == "base.txt"
    assert (found["AZP405"]["path"], found["AZP405"]["line"]) == ("requirements.txt", 3)
    assert "s3cret" not in str(found)


# Indexes that fail, here or there.


def test_a_password_that_only_this_machine_knows(
    azpack: Azpack, tmp_path: Path, private: IndexServer, public: IndexServer
) -> None:
    app = make_app(tmp_path / "app", "mine\n")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {TOKEN}\n")
    (tmp_path / "netrc").chmod(0o600)
    cases: list[tuple[str, dict[str, str]]] = [
        (private.url_as("me", QUOTED), {}),
        (private.url, {"NETRC": str(tmp_path / "netrc")}),
    ]
    for url, environment in cases:
        options = ("--python", "3.11", "--index-url", public.url, "--extra-index-url", url)
        done = azpack.run(*REMOTE, app, *options, environment=environment)
        finding = done.findings()["AZP414"]
        assert finding["severity"] == "error"
        assert private.url in finding["message"]
        assert "${NAME}" in finding["hint"]
        assert places_that_tell(FORMS, done, app) == []
        done = azpack.run(*REMOTE, app, "--no-check", *options, environment=environment)
        settings = published_settings(done.data(), {})
        assert settings["PIP_EXTRA_INDEX_URL"] == private.url
        assert places_that_tell(FORMS, done, app) == []


@pytest.mark.parametrize("locked", [True, False])
def test_a_wrong_password(
    azpack: Azpack, tmp_path: Path, private: IndexServer, public: IndexServer, locked: bool
) -> None:
    app = make_app(tmp_path / "app", "mine\n")
    options = ("--python", "3.11", *indexes(private, public))
    if locked:
        assert azpack.run("lock", app, *options).code == 0
    done = azpack.run(*REMOTE, app, *options, environment={"FEED_TOKEN": "wrong+password"})
    assert private.url in done.error(5, "index-refused")["message"]
    assert places_that_tell(forms_of("wrong+password", "me"), done, app) == []
    assert azpack.run(*REMOTE, app, *options, "--no-check").code == 0


@pytest.mark.parametrize("locked", [True, False])
def test_an_extra_index_that_is_down(
    azpack: Azpack, tmp_path: Path, public: IndexServer, locked: bool
) -> None:
    app = make_app(tmp_path / "app", "common\n")
    options: tuple[str | Path, ...] = (app, "--python", "3.11", "--index-url", public.url)
    if locked:
        assert azpack.run("lock", *options).code == 0
    down = "http://127.0.0.1:1/simple"
    done = azpack.run(*REMOTE, *options, "--extra-index-url", down)
    assert down in done.error(5, "index-unreachable")["message"]
    public.faults["/simple/common"] = Fault(status=503)
    done = azpack.run(*REMOTE, *options)
    assert public.url in done.error(5, "index-unreachable")["message"]


def test_a_variable_that_is_not_set(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "mine\n")
    url = "https://me:${NOT_SET}@feed.example/simple"
    for options in ((), ("--no-check",)):
        done = azpack.run(*REMOTE, app, "--extra-index-url", url, *options)
        assert "NOT_SET" in done.error(2, "variable-not-set")["message"]


def test_a_lock_for_another_python(azpack: Azpack, tmp_path: Path, public: IndexServer) -> None:
    app = make_app(tmp_path / "app", "common\n")
    options = (app, "--index-url", public.url)
    assert azpack.run("lock", *options, "--python", "3.12").code == 0
    done = azpack.run(*REMOTE, *options, "--python", "3.11", "--locked")
    assert "the target is Python 3.11" in done.error(3, "lock-does-not-fit")["message"]


def test_no_secret_is_left_anywhere(
    azpack: Azpack, tmp_path: Path, private: IndexServer, public: IndexServer
) -> None:
    app = make_app(tmp_path / "app", "mine\n")
    make_sdist(private.folder, "mine", "1.0")
    for options in ((), ("--no-pin",), ("--dry-run",), ("--no-pin", "--no-check")):
        verbose = azpack.run(
            *REMOTE[:-1], "-vv", app, "--python", "3.11", *indexes(private, public), *options
        )
        assert places_that_tell(FORMS, verbose, app, azpack.cache) == []


# The project against the target.


@pytest.mark.parametrize(
    ("name", "text", "ignored", "severity"),
    [
        ("runtime.txt", "python-3.9.18\n", "", "error"),
        ("runtime.txt", "pypy\n", "", "error"),
        ("runtime.txt", "python-3.11.4\n", "", None),
        ("runtime.txt", "python-3.9\n", "runtime.txt\n", None),
        (".python-version", "3.12\n", "", "warning"),
        (".python-version", "3.11\n", "", None),
    ],
)
def test_another_python_in_the_project(
    azpack: Azpack, tmp_path: Path, name: str, text: str, ignored: str, severity: str | None
) -> None:
    app = make_app(tmp_path / "app", "", files={name: text, ".funcignore": ignored})
    done = azpack.run(*REMOTE, app, "--python", "3.11")
    assert done.code == (1 if severity == "error" else 0)
    found = {row["code"]: row for row in json.loads(done.stdout)["data"]["findings"]}
    assert found.get("AZP416", {}).get("severity") == severity
    assert not severity or found["AZP416"]["path"] == name


def test_packages_that_would_be_deleted(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "", files={".python_packages/lib/site-packages/a.py": ""})
    data = azpack.run(*REMOTE, app, "--python", "3.11").data()
    assert codes(data) == ["AZP415"]
    requirements_in(data["package"]["path"])


def test_what_no_wheel_fits(azpack: Azpack, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "native", tag="cp311-cp311-manylinux_2_34_x86_64")
    with IndexServer(tmp_path / "index") as index:
        app = make_app(tmp_path / "app", "native\n")
        done = azpack.run(*REMOTE, app, "--python", "3.11", "--index-url", index.url)
    assert "glibc 2.34" in done.error(4, "no-usable-wheel")["message"]
