"""Indexes with and without passwords: who is asked for what, and that no password is printed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.commands import Azpack, Done, make_app, project_files
from tests.distributions import make_sdist, make_wheel
from tests.servers import Fault, Form, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "kept-to-us~99"
MINE = "/files/mine-1.0-py3-none-any.whl"


@dataclass(frozen=True, kw_only=True)
class Indexes:
    """A public index, and one of our own with a password; both have a `mine`, theirs is newer."""

    public: IndexServer
    private: IndexServer

    def options(self, private: str | None = None) -> list[str]:
        """The options that name them both, or the URL of ours in another form."""
        url = private if private is not None else self.private.url_as("me", PASSWORD)
        return ["--index-url", self.public.url, *(["--extra-index-url", url] if url else [])]

    def template(self, host: str = "127.0.0.1") -> str:
        return f"http://me:${{OUR_PASSWORD}}@{host}:{self.private.port}/simple"


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[Indexes]:
    public, private = tmp_path / "public", tmp_path / "private"
    make_wheel(public, "mine", "9.0")
    make_wheel(public, "theirs")
    make_wheel(private, "mine", requires=["theirs"])
    with (
        IndexServer(public) as theirs,
        IndexServer(private, user="me", password=PASSWORD) as ours,
    ):
        yield Indexes(public=theirs, private=ours)


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app", "mine\n")


def versions(data: Any) -> dict[str, str]:
    return {row["name"]: row["version"] for row in data["distributions"]}


def origins(data: Any) -> dict[str, str]:
    return {row["name"]: row["index"] for row in data["distributions"]}


def assert_not_told(secret: str, done: Done, *folders: Path) -> None:
    """A password is in no stream, and in no file below the folders, zipped or not."""
    forms = {secret.encode(), quote(secret, safe="").encode()}
    told = {"stdout": done.stdout, "stderr": done.stderr.encode()}
    for folder in folders:
        for name, content in project_files(folder).items():
            told[f"{folder}/{name}"] = content
            if name.endswith(".zip"):
                unzip = ["unzip", "-p", str(folder / name)]
                told[f"in {name}"] = subprocess.run(unzip, capture_output=True, check=True).stdout
    assert [where for where, text in told.items() if any(form in text for form in forms)] == []


# How the password is given: the options, the environment, and what requirements.txt says.


def test_in_an_option_as_a_variable(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    options = indexes.options(indexes.template())
    done = azpack.run(
        "build", app, *options, "--json", "-vv", environment={"OUR_PASSWORD": PASSWORD}
    )
    assert origins(done.data()) == {"mine": indexes.private.url, "theirs": indexes.public.url}
    assert_not_told(PASSWORD, done, app, azpack.cache)


@pytest.mark.parametrize(
    "password", ["a/b?c#d", "p@ss:w@rd", "sp ace", "per%cent", "ünï", "q'\"`$"]
)
def test_a_password_of_any_characters(
    azpack: Azpack, indexes: Indexes, app: Path, password: str
) -> None:
    indexes.private.password = password
    options = indexes.options(indexes.template())
    done = azpack.run(
        "build", app, *options, "--json", "-vv", environment={"OUR_PASSWORD": password}
    )
    assert versions(done.data())["mine"] == "1.0"
    assert_not_told(password, done, app, azpack.cache)


def test_a_variable_that_is_not_set(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    done = azpack.run("build", app, *indexes.options(indexes.template()), "--json")
    error = done.error(2, "variable-not-set")
    assert "OUR_PASSWORD" in error["message"]


def test_in_the_environment_as_pip_has_it(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    url = indexes.private.url_as("me", PASSWORD)
    done = azpack.run(
        "build",
        app,
        *indexes.options(""),
        "--json",
        "-vv",
        environment={"PIP_EXTRA_INDEX_URL": url},
    )
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app, azpack.cache)


def test_in_our_own_environment_variable(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    url = indexes.private.url_as("me", PASSWORD)
    done = azpack.run(
        "build",
        app,
        *indexes.options(""),
        "--json",
        "-vv",
        environment={"AZPACK_EXTRA_INDEX_URL": url},
    )
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app, azpack.cache)


def test_in_pip_conf(azpack: Azpack, indexes: Indexes, app: Path, tmp_path: Path) -> None:
    url = indexes.private.url_as("me", PASSWORD)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nextra-index-url =\n    {url}\n", encoding="utf-8")
    options = [*indexes.options(""), "--json", "-vv"]
    done = azpack.run("build", app, *options, environment={"PIP_CONFIG_FILE": str(configuration)})
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app, azpack.cache)


def test_in_netrc(azpack: Azpack, indexes: Indexes, app: Path, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {PASSWORD}\n", encoding="utf-8")
    netrc.chmod(0o600)
    options = [*indexes.options(indexes.private.url), "--json", "-vv"]
    done = azpack.run("build", app, *options, environment={"NETRC": str(netrc)})
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app, azpack.cache)


def test_in_requirements_as_a_variable(azpack: Azpack, indexes: Indexes, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", f"--extra-index-url {indexes.template()}\nmine\n")
    options = ["--index-url", indexes.public.url, "--json", "-vv"]
    done = azpack.run("build", app, *options, environment={"OUR_PASSWORD": PASSWORD})
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app, azpack.cache)


@pytest.mark.parametrize("command", [["lock"], ["build", "--dry-run"]])
def test_other_commands_tell_no_password_either(
    azpack: Azpack, indexes: Indexes, app: Path, command: list[str]
) -> None:
    done = azpack.run(*command, app, *indexes.options(), "--json", "-vv")
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert_not_told(PASSWORD, done, app)


def test_a_lock_is_enough_for_a_build_with_the_password(
    azpack: Azpack, indexes: Indexes, app: Path
) -> None:
    assert azpack.run("lock", app, *indexes.options()).code == 0
    done = azpack.run("build", app, *indexes.options(), "--locked", "--json")
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    azpack.forget()
    done = azpack.run("build", app, *indexes.options(indexes.private.url), "--locked", "--json")
    done.error(5, "index-refused")


def test_a_requirement_that_is_a_url_with_a_password(
    azpack: Azpack, indexes: Indexes, tmp_path: Path
) -> None:
    url = indexes.private.file_url("mine-1.0-py3-none-any.whl").replace("//", f"//me:{PASSWORD}@")
    app = make_app(tmp_path / "app", f"mine @ {url}\n")
    done = azpack.run("build", app, *indexes.options(""), "--json", "-vv")
    assert origins(done.data()) == {"mine": None, "theirs": indexes.public.url}
    assert_not_told(PASSWORD, done, azpack.cache)
    for command in (["lock"], ["build", "--dry-run"]):
        done = azpack.run(*command, app, *indexes.options(""), "--json", "-vv")
        assert versions(done.data())["mine"] == "1.0"
        assert_not_told(PASSWORD, done)
    assert PASSWORD not in (app / "pylock.toml").read_text(encoding="utf-8")


# What goes wrong with a password.


def test_a_wrong_password(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    options = indexes.options(indexes.private.url_as("me", "mistaken-7"))
    done = azpack.run("build", app, *options, "--json", "-v")
    assert "netrc" in done.error(5, "index-refused")["hint"]
    assert_not_told("mistaken-7", done, app, azpack.cache)
    done = azpack.run("build", app, *options, "-vv")
    assert "Traceback" in done.stderr  # as it was asked for
    assert_not_told("mistaken-7", done)


def test_no_password(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    done = azpack.run("build", app, *indexes.options(indexes.private.url), "--json")
    done.error(5, "index-refused")


@pytest.mark.parametrize("password", ["pa/ss#99", "[99"])
def test_a_url_that_a_password_makes_unreadable(
    azpack: Azpack, indexes: Indexes, app: Path, password: str
) -> None:
    options = indexes.options(indexes.private.url_as("me", password))
    done = azpack.run("build", app, *options, "--json", "-vv")
    assert "extra-index-url" in done.error(2, "bad-index-url", traced=True)["message"]
    assert_not_told(password, done)


def test_a_repository_that_does_not_answer(
    azpack: Azpack, indexes: Indexes, tmp_path: Path
) -> None:
    # git's own words come with uv's, quoted for a shell.
    password = "it's-secret!"
    url = indexes.private.url.replace("//", f"//me:{quote(password)}@")
    app = make_app(tmp_path / "app", f"mine @ git+{url}/mine\n")
    done = azpack.run("build", app, *indexes.options(""), "--json")
    assert done.code in (3, 5)
    assert_not_told(password, done)


# Which index a name is taken from.


def test_first_match_takes_a_name_from_the_private_index(
    azpack: Azpack, indexes: Indexes, app: Path
) -> None:
    data = azpack.run("build", app, *indexes.options(), "--json").data()
    assert versions(data)["mine"] == "1.0"
    assert origins(data) == {"mine": indexes.private.url, "theirs": indexes.public.url}
    # The public index is not even told that there is such a name.
    assert not [path for path in indexes.public.paths_asked() if "mine" in path]


def test_best_match_takes_the_highest_version(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    options = [*indexes.options(), "--index-strategy", "best-match", "--json"]
    data = azpack.run("build", app, *options).data()
    assert versions(data) == {"mine": "9.0"}
    assert origins(data) == {"mine": indexes.public.url}


def test_no_index_asks_none(azpack: Azpack, indexes: Indexes, app: Path, tmp_path: Path) -> None:
    options = [*indexes.options(), "--no-index", "--json"]
    azpack.run("build", app, *options).error(3, "no-solution")
    make_wheel(tmp_path / "a folder, with a comma", "mine", "3.0")
    # A relative one is of the working folder.
    links = ["--find-links", "a folder, with a comma"]
    data = azpack.run("build", app, *options, *links, cwd=tmp_path).data()
    assert versions(data) == {"mine": "3.0"}
    assert origins(data) == {"mine": None}
    assert indexes.public.asked == indexes.private.asked == []


def test_no_index_holds_for_what_a_build_needs_too(
    azpack: Azpack, indexes: Indexes, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    make_sdist(links, "made", requires_build=["theirs"])
    app = make_app(tmp_path / "app", "made\n")
    options = [*indexes.options(), "--no-index", "--find-links", str(links)]
    done = azpack.run("build", app, *options, "--json")
    assert done.code in (3, 4)
    assert indexes.public.asked == indexes.private.asked == []
    make_wheel(links, "theirs")
    assert versions(azpack.run("build", app, *options, "--json").data()) == {"made": "1.0"}
    assert indexes.public.asked == indexes.private.asked == []


def test_a_password_does_not_follow_a_redirect(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    with IndexServer(indexes.private.folder) as other:
        target = other.file_url(MINE.rpartition("/")[2], host="localhost")
        indexes.private.faults = {MINE: Fault(location=target)}
        data = azpack.run("build", app, *indexes.options(), "--json").data()
    assert versions(data)["mine"] == "1.0"
    assert {asked.authorization for asked in indexes.public.asked} == {None}
    assert [asked.authorization for asked in other.asked] == [None]


# What indexes do on bad days.


@pytest.mark.parametrize(
    ("fault", "exit_code", "code"),
    [
        (Fault(status=500), 5, "index-unreachable"),
        (Fault(status=401), 5, "index-refused"),
        (Fault(status=403), 5, "index-refused"),
        (Fault(status=404), 3, "no-solution"),
        (Fault(cut_after=10), 5, "index-unreachable"),
        (Fault(content=b"<html>hello"), 3, "no-solution"),
    ],
)
def test_a_page_that_does_not_come(
    azpack: Azpack, indexes: Indexes, tmp_path: Path, fault: Fault, exit_code: int, code: str
) -> None:
    app = make_app(tmp_path / "app", "theirs\n")
    indexes.public.faults = {"/simple/theirs": fault}
    before = project_files(app)
    done = azpack.run("build", app, *indexes.options(""), "--json")
    assert done.error(exit_code, code)["hint"]
    assert project_files(app) == before


def test_a_page_that_stalls(azpack: Azpack, indexes: Indexes, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "theirs\n")
    indexes.public.faults = {"/simple/theirs": Fault(stall_after=10)}
    options = [*indexes.options(""), "--json"]
    done = azpack.run("build", app, *options, environment={"UV_HTTP_TIMEOUT": "1"})
    assert "/simple/theirs" in done.error(5, "index-unreachable")["message"]


def test_versions_that_are_not_for_this_python(
    azpack: Azpack, indexes: Indexes, tmp_path: Path
) -> None:
    make_wheel(indexes.public.folder, "theirs", "2.0", requires_python=">=3.13")
    app = make_app(tmp_path / "app", "theirs\n")
    options = [*indexes.options(""), "--json", "--python"]
    assert versions(azpack.run("build", app, *options, "3.12").data()) == {"theirs": "1.0"}
    assert versions(azpack.run("build", app, *options, "3.13").data()) == {"theirs": "2.0"}
    (app / "requirements.txt").write_text("theirs>=2\n", encoding="utf-8")
    error = azpack.run("build", app, *options, "3.12").error(3, "no-solution")
    assert "Python" in error["message"]


def test_an_index_without_hashes(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    indexes.public.form = indexes.private.form = Form(hashes=False)
    data = azpack.run("build", app, *indexes.options(), "--json").data()
    assert versions(data) == {"mine": "1.0", "theirs": "1.0"}


def test_an_index_that_is_not_there(azpack: Azpack, app: Path) -> None:
    done = azpack.run("build", app, "--index-url", "http://127.0.0.1:9/simple", "--json")
    error = done.error(5, "index-unreachable")
    assert "127.0.0.1:9" in error["message"]
    assert "--index-url" in error["hint"]


def test_files_that_fail_and_then_come(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    indexes.private.faults = {MINE: Fault(status=500, times=1)}
    indexes.public.faults = {"/files/theirs-1.0-py3-none-any.whl": Fault(cut_after=100, times=1)}
    done = azpack.run("build", app, *indexes.options(), "--json", "-v")
    assert versions(done.data()) == {"mine": "1.0", "theirs": "1.0"}
    assert "trying again" in done.stderr


def test_a_file_that_is_not_the_locked_one(azpack: Azpack, indexes: Indexes, app: Path) -> None:
    assert azpack.run("lock", app, *indexes.options()).code == 0
    indexes.private.faults = {MINE: Fault(content=b"something else")}
    done = azpack.run("build", app, *indexes.options(), "--json")
    error = done.error(4, "wrong-hash")
    assert "mine 1.0" in error["message"]
    assert not (azpack.cache / "v1" / "wheels").exists() or "mine" not in str(
        list((azpack.cache / "v1" / "wheels").rglob("*.whl"))
    )
