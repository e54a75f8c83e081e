"""What users can get wrong: each ends with the exit code of the contract, one error, nothing lost.

Distributions come from a folder, so nothing here needs a network.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_sdist, make_wheel, noise
from tests.packages import APP, write_package
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.commands import Done

SITE_PACKAGES = ".python_packages/lib/site-packages/"
OLD = b"PK\5\6" + bytes(18)  # the zip of an earlier build
LOCK = 'lock-version = "1.0"\ncreated-by = "tests"\n'


@pytest.fixture(scope="session")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of distributions, good and bad."""
    folder = tmp_path_factory.mktemp("links")
    make_wheel(folder, "alpha", requires=["beta>=1"])
    make_wheel(folder, "beta")
    make_wheel(folder, "beta", "2.0")
    make_wheel(folder, "gamma", requires=["beta<2"])
    make_wheel(folder, "windows", tag="cp311-cp311-win_amd64")
    make_wheel(folder, "liar", record=lambda text: text.replace(",16\n", ",17\n", 1))
    make_wheel(folder, "climber", unlisted={"../x": b"x"})
    make_wheel(folder, "unsound", unlisted={"extra.py": b""})
    make_wheel(folder, "twin-a", files={"shared/x.py": b"same"})
    make_wheel(folder, "twin-b", files={"shared/x.py": b"same"})
    make_wheel(folder, "twin-c", files={"shared/x.py": b"other"})
    make_wheel(folder, "large", files={"large.bin": noise(3_000_000)})
    make_sdist(folder, "source")
    return folder


@pytest.fixture
def azpack(tmp_path: Path, links: Path) -> Azpack:
    return Azpack(
        tmp_path,
        AZPACK_NO_INDEX="1",
        AZPACK_FIND_LINKS=links.as_uri(),
        AZPACK_PYTHON="3.11",
    )


class Bench:
    """An app that was built before, and the command."""

    def __init__(self, azpack: Azpack, folder: Path) -> None:
        self.azpack = azpack
        self.app = folder / "app"
        self.output = self.app / "dist" / "app.zip"

    def make(
        self, requirements: str | bytes | None = "", files: dict[str, str] | None = None
    ) -> None:
        make_app(self.app, requirements, files={"dist/app.zip": OLD.decode(), **(files or {})})

    def fails(
        self, exit_code: int, code: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Any:
        """Building fails, says why in one error, and leaves all as it was."""
        before = project_files(self.app)
        done = self.azpack.run("build", self.app, *arguments, "--json", environment=environment)
        error = done.error(exit_code, code)
        assert project_files(self.app) == before
        return error

    def builds(self, *arguments: str) -> list[str]:
        """Building succeeds; the result is the names in the zip that are not azpack's own."""
        done = self.azpack.run("build", self.app, *arguments, "--json")
        assert done.data()["package"]["path"] == str(self.output)
        with zipfile.ZipFile(self.output) as package:
            assert package.testzip() is None
            return [name for name in package.namelist() if ".dist-info/" not in name]


@pytest.fixture
def bench(azpack: Azpack, tmp_path: Path) -> Bench:
    return Bench(azpack, tmp_path)


# The project.


def test_no_host_json(bench: Bench) -> None:
    bench.make()
    (bench.app / "host.json").unlink()
    assert "holds no host.json" in bench.fails(2, "no-host-json")["message"]


def test_a_host_json_in_a_folder_below_is_named(bench: Bench) -> None:
    bench.make(files={"src/functions/host.json": "{}"})
    (bench.app / "host.json").unlink()
    error = bench.fails(2, "no-host-json")
    assert str(bench.app / "src/functions") in error["hint"]
    assert error["context"]["found"] == ["src/functions"]


def test_a_host_json_that_is_a_folder(bench: Bench) -> None:
    bench.make()
    (bench.app / "host.json").unlink()
    (bench.app / "host.json").mkdir()
    assert "is not a file" in bench.fails(2, "no-host-json")["message"]


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_project_that_is_no_folder(azpack: Azpack, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    error = azpack.run("build", tmp_path / name, "--json").error(2, "no-such-folder")
    assert name in error["message"]


# What the command line, the environment and the settings say.


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ([], ""),
        (["buidl"], "build"),
        (["build", "--exclud", "x"], "--exclude"),
        (["build", "--mode", "lokal"], "local"),
        (["build", "--output"], ""),
        (["lock", "one", "two"], ""),
    ],
)
def test_a_wrong_command_line(azpack: Azpack, arguments: list[str], near: str) -> None:
    error = azpack.run(*arguments, "--json").error(2, "usage")
    assert near in error["hint"]
    assert "--help" in error["hint"]


@pytest.mark.parametrize(
    ("setting", "code", "word"),
    [
        ('pyton = "3.11"', "unknown-setting", "python"),
        ("python = 3.11", "bad-setting", "must be a string"),
        ('exclude = "x"', "bad-setting", "list of strings"),
        ("exclude = [1]", "bad-setting", "list of strings"),
        ('checksum = "yes"', "bad-setting", "true or false"),
        ('mode = "lokal"', "bad-setting", "local"),
        ("mode =", "bad-toml", "line 2"),
    ],
)
def test_a_wrong_setting(bench: Bench, setting: str, code: str, word: str) -> None:
    bench.make(files={"pyproject.toml": f"[tool.azpack]\n{setting}\n"})
    error = bench.fails(2, code)
    assert "pyproject.toml" in error["message"]
    assert word in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize(
    "content",
    [
        "tool = 1",
        "[tool]\nuv = 1",
        '[project]\nname = "x"\ndynamic = 3',
        '[project]\nname = "x"\ndependencies = 3',
        '[project]\nname = "x"\ndependencies = [3]',
        '[project]\nname = "x"\ndependencies = ["no such thing"]',
        "project = 3",
    ],
)
def test_a_pyproject_of_wrong_types(bench: Bench, content: str) -> None:
    bench.make(None, files={"pyproject.toml": f"{content}\n"})
    done = bench.azpack.run("build", bench.app, "--json")
    assert done.code in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("AZPACK_PYTON", "3.11", "AZPACK_PYTHON"),
        ("AZPACK_CHECKSUM", "maybe", "1 or 0"),
        ("AZPACK_MODE", "lokal", "local"),
        ("SOURCE_DATE_EPOCH", "yesterday", "seconds"),
        ("AZPACK_EXTRA_INDEX_URL", "https://me:${NOT_SET_ANYWHERE}@127.0.0.1/", "NOT_SET_ANYWHERE"),
    ],
)
def test_a_wrong_variable(bench: Bench, variable: str, value: str, word: str) -> None:
    bench.make("alpha\n")
    done = bench.azpack.run("build", bench.app, "--json", environment={variable: value})
    assert done.code == 2
    assert word in done.stderr


@pytest.mark.parametrize(
    ("version", "code"),
    [("3.9", "unsupported-python"), ("2.7", "unsupported-python"), ("x", "invalid-python"),
     ("3", "invalid-python")],
)  # fmt: skip
def test_a_python_that_azure_does_not_run(bench: Bench, version: str, code: str) -> None:
    bench.make()
    assert "3.1" in bench.fails(2, code, "--python", version)["hint"]


@pytest.mark.parametrize(
    ("content", "exit_code", "code"),
    [(b"rubbish\n", 2, "invalid-python"), (b"\xff\xfe3\0", 6, "unreadable")],
)
def test_a_python_version_file_of_rubbish(
    bench: Bench, content: bytes, exit_code: int, code: str
) -> None:
    bench.make()
    (bench.app / ".python-version").write_bytes(content)
    del bench.azpack.environment["AZPACK_PYTHON"]
    error = bench.fails(exit_code, code)
    assert ".python-version" in error["message"]
    assert error["hint"]


# Requirements.


@pytest.mark.parametrize("requirements", ["", "# nothing yet\n\n", "\ufeff"])
def test_empty_requirements(bench: Bench, requirements: str) -> None:
    bench.make(requirements)
    assert bench.builds() == ["host.json", "requirements.txt"]


def test_no_requirements_at_all(bench: Bench) -> None:
    bench.make(None)
    done = bench.azpack.run("build", bench.app)
    assert done.code == 0
    assert "warning: the project lists no dependencies" in done.stderr


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le with a mark"]
)
def test_requirements_in_an_encoding_with_a_mark(bench: Bench, encoding: str) -> None:
    text = "\ufeffalpha  # café\r\nbeta ; python_version \\\r\n  >= '3'\r\n"
    encoding, _, marked = encoding.partition(" ")
    bench.make((text if marked else text[1:]).encode(encoding))
    assert SITE_PACKAGES + "alpha.py" in bench.builds()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "latin-1"])
def test_requirements_in_an_encoding_that_can_not_be_known(bench: Bench, encoding: str) -> None:
    bench.make("alpha  # caf\xe9\n".encode(encoding))
    error = bench.fails(2, "bad-encoding")
    assert "requirements.txt" in error["message"]
    assert "UTF-8" in error["hint"]


def test_utf_16_without_a_mark_and_without_accents(bench: Bench) -> None:
    bench.make("alpha\n".encode("utf-16-le"))
    bench.fails(2, "bad-encoding")


@pytest.mark.parametrize(
    ("requirements", "exit_code", "code", "words"),
    [
        ("no-such-thing\n", 3, "no-solution", ["no-such-thing", "spelling"]),
        ("beta==3\n", 3, "no-solution", ["requirements.txt:1", "beta==3", "version"]),
        ("gamma\nbeta==2.0\n", 3, "no-solution", ["requirements.txt:2", "gamma", "beta<2"]),
        ("windows\n", 4, "no-usable-wheel", ["windows 1.0", "Windows", "sys_platform"]),
        ("alpha\nalpha = 1\n", 2, "bad-requirement", ["requirements.txt:2", "NAME==VERSION"]),
        ("alpha ; python_version\n", 2, "bad-requirement", ["requirements.txt:1"]),
        ("-r 'x\n", 2, "bad-requirement", ["requirements.txt:1", "quotes"]),
        ("--frobnicate\n", 2, "unknown-requirements-option", ["requirements.txt:1", "--frob"]),
        ("-r requirements.txt\n", 2, "circular-requirements", ["requirements.txt:1"]),
        ("-r more.txt\n", 2, "no-requirements-file", ["more.txt", "requirements.txt:1"]),
        ("./nowhere\n", 3, "no-solution", ["nowhere", "path"]),
        ("-e ./nowhere\n", 3, "no-solution", ["nowhere", "path"]),
    ],
)
def test_requirements_that_can_not_be_met(
    bench: Bench, requirements: str, exit_code: int, code: str, words: list[str]
) -> None:
    bench.make(requirements)
    error = bench.fails(exit_code, code)
    for word in words:
        assert word in f"{error['message']} {error['hint']}"


def test_pywin32(bench: Bench, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "pywin32", "310", tag="cp311-cp311-win_amd64")
    bench.make("pywin32\n")
    # The checks of the project find it first.
    found = bench.azpack.run("build", bench.app, "--json").findings()
    assert 'sys_platform == "win32"' in found["AZP408"]["hint"]
    links = ("--find-links", str(tmp_path / "links"))
    error = bench.fails(4, "no-usable-wheel", *links, "--no-check")
    assert "sys_platform == 'win32'" in error["hint"]
    (bench.app / "requirements.txt").write_text("pywin32 ; sys_platform == 'win32'\n")
    assert bench.builds("--find-links", str(tmp_path / "links")) == [
        "host.json",
        "requirements.txt",
    ]


def test_a_requirements_file_that_is_named_and_not_there(bench: Bench) -> None:
    bench.make("alpha\n")
    assert "other.txt" in bench.fails(2, "no-requirements-file", "-r", "other.txt")["message"]


def test_a_folder_in_the_place_of_requirements(bench: Bench) -> None:
    bench.make(None)
    (bench.app / "requirements.txt").mkdir()
    assert "requirements.txt" in bench.fails(6, "unreadable")["message"]


def test_an_sdist_is_built(bench: Bench) -> None:
    bench.make("source\n")
    assert SITE_PACKAGES + "source.py" in bench.builds()


# Wheels.


@pytest.mark.parametrize("name", ["liar", "climber", "unsound"])
def test_a_wheel_that_is_not_sound(bench: Bench, name: str) -> None:
    bench.make(f"alpha\n{name}\n")
    error = bench.fails(4, "bad-wheel")
    assert f"{name}-1.0-py3-none-any.whl" in error["message"]
    assert error["hint"]
    assert stored_wheels(bench.azpack) <= {"alpha", "beta"}


def test_all_bad_wheels_are_named_at_once(bench: Bench) -> None:
    bench.make("liar\nclimber\nalpha\n")
    message = bench.fails(4, "no-usable-wheels")["message"]
    assert "liar 1.0" in message
    assert "climber 1.0" in message


def stored_wheels(azpack: Azpack) -> set[str]:
    return {path.name.split("-")[0] for path in azpack.cache.rglob("wheels/*/*/*.whl")}


def test_two_wheels_with_the_same_file(bench: Bench) -> None:
    bench.make("twin-a\ntwin-b\n")
    assert bench.builds().count(SITE_PACKAGES + "shared/x.py") == 1


def test_two_wheels_with_the_same_path_and_other_bytes(bench: Bench) -> None:
    bench.make("twin-c\ntwin-a\n")
    data = bench.azpack.run("build", bench.app, "--json").data()
    (finding,) = data["findings"]
    assert (finding["code"], finding["severity"]) == ("AZP109", "warning")
    assert "twin-a" in finding["message"]
    assert "twin-c" in finding["message"]
    with zipfile.ZipFile(bench.output) as package:
        assert package.read(SITE_PACKAGES + "shared/x.py") == b"same"


# Locks.


def test_locked_without_a_lock(bench: Bench) -> None:
    bench.make("alpha\n")
    assert "azpack lock" in bench.fails(3, "no-lock", "--locked")["hint"]


def test_a_lock_that_no_longer_fits(bench: Bench) -> None:
    bench.make("alpha\n")
    assert bench.azpack.run("lock", bench.app).code == 0
    bench.builds("--locked")
    (bench.app / "requirements.txt").write_text("alpha\nbeta==1.0\n")
    (bench.app / "dist/app.zip").write_bytes(OLD)
    error = bench.fails(3, "lock-does-not-fit", "--locked")
    assert "requirements.txt" in error["message"]
    bench.fails(3, "lock-does-not-fit", "--locked", "--python", "3.12")
    done = bench.azpack.run("build", bench.app)
    assert done.code == 0
    assert "warning: pylock.toml does not fit" in done.stderr
    assert bench.azpack.run("build", bench.app, "-q").stderr == ""


def wheel_in_lock(name: str = "alpha", **fields: str) -> str:
    lines = "\n".join(f"{key} = {value}" for key, value in fields.items())
    wheel = f'[[packages.wheels]]\nname = "{name}-1.0-py3-none-any.whl"\n{lines}\n'
    return f'{LOCK}[[packages]]\nname = "{name}"\nversion = "1.0"\n{wheel}'


@pytest.mark.parametrize(
    ("content", "exit_code", "code"),
    [
        ("not TOML", 2, "bad-toml"),
        ("", 3, "bad-lock"),
        ("tool = 1", 3, "bad-lock"),
        ("[tool]\nazpack = 1", 3, "bad-lock"),
        ('lock-version = "9.0"\ncreated-by = "x"\npackages = []', 3, "bad-lock"),
        (f"{LOCK}packages = [3]", 3, "bad-lock"),
        (wheel_in_lock("alpha"), 3, "bad-lock"),
        (wheel_in_lock(url='"http://[::1/x"', hashes='{sha256 = "00"}'), 3, "bad-lock"),
        (wheel_in_lock(url='"ftp://127.0.0.1/x"', hashes='{sha256 = "00"}'), 4, "bad-url"),
        (wheel_in_lock(path='"x.whl"', hashes='{sha512 = "00"}'), 3, "no-hash"),
        (wheel_in_lock(path='"x.whl"', hashes='{sha256 = "00"}'), 4, "no-such-file"),
        (wheel_in_lock(path='"host.json"', hashes='{sha256 = "00"}'), 4, "wrong-hash"),
    ],
)
def test_a_lock_that_is_none(bench: Bench, content: str, exit_code: int, code: str) -> None:
    bench.make(None, files={"pylock.toml": content})
    error = bench.fails(exit_code, code)
    assert error["message"]
    bench.fails(exit_code, code, "--locked")


def test_a_lock_can_not_write_outside_the_cache(bench: Bench, tmp_path: Path) -> None:
    with IndexServer(tmp_path) as server:
        url = f"http://127.0.0.1:{server.port}/files/..%2f..%2f..%2f..%2fevil.tar.gz"
        archive = f'[packages.archive]\nurl = "{url}"\nhashes = {{sha256 = "00"}}\n'
        lock = f'{LOCK}[[packages]]\nname = "evil"\n{archive}'
        bench.make(None, files={"pylock.toml": lock})
        bench.fails(4, "not-on-index")
    assert not list(tmp_path.rglob("evil*"))


def test_a_wheel_that_is_not_the_locked_one(bench: Bench, links: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(links, mirror)
    bench.make("alpha\n")
    options = ["--find-links", str(mirror)]
    del bench.azpack.environment["AZPACK_FIND_LINKS"]
    assert bench.azpack.run("lock", bench.app, *options).code == 0
    make_wheel(mirror, "alpha", files={"alpha.py": b"replaced"})
    error = bench.fails(4, "wrong-hash", *options)
    assert "alpha 1.0" in error["message"]
    assert stored_wheels(bench.azpack) <= {"beta"}


# Where the zip goes.


def test_an_output_that_is_a_folder(bench: Bench, tmp_path: Path) -> None:
    bench.make()
    error = bench.fails(2, "output-is-a-folder", "--output", str(tmp_path))
    assert str(tmp_path / "app.zip") in error["hint"]


def test_an_output_below_a_file(bench: Bench) -> None:
    bench.make()
    output = bench.app / "host.json" / "app.zip"
    assert str(output) in bench.fails(6, "not-writable", "-o", str(output))["message"]


def test_an_output_that_is_no_regular_file(bench: Bench, tmp_path: Path) -> None:
    bench.make()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "--output -" in bench.fails(2, "output-not-a-file", "-o", str(pipe))["hint"]
    assert pipe.is_fifo()


def test_standard_output(bench: Bench) -> None:
    bench.make("alpha\n")
    done = bench.azpack.run("build", bench.app, "--output", "-")
    assert done.code == 0
    bench.builds()
    assert done.stdout == bench.output.read_bytes()
    bench.output.write_bytes(OLD)
    bench.fails(2, "two-results", "--output", "-")


def test_an_output_in_the_project_is_not_packed(bench: Bench) -> None:
    bench.make(None, files={"dist/.app.zip.0123abcd.tmp": "what a killed build left"})
    assert bench.builds("--checksum") == ["host.json"]
    first = bench.output.read_bytes()
    assert bench.builds("--checksum") == ["host.json"]
    assert bench.output.read_bytes() == first


# Streams and encodings.


def shell(azpack: Azpack, script: str, *arguments: str | Path) -> Done:
    """Run a line of bash in which "$@" is azpack with the arguments."""
    from tests.commands import Done

    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; {script}', "bash",
         sys.executable, "-m", "azpack", *map(str, arguments)],
        env=azpack.environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Done(code=done.returncode, stdout=done.stdout, stderr=done.stderr.decode())


def test_a_reader_that_goes_away(bench: Bench) -> None:
    bench.make("large\n")
    done = shell(bench.azpack, '"$@" | head -c 10', "build", bench.app, "-q", "-o", "-")
    assert (len(done.stdout), done.stderr) == (10, "")


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_standard_output_that_is_full(bench: Bench, json_: list[str]) -> None:
    bench.make()
    done = shell(bench.azpack, '"$@" > /dev/full', "build", bench.app, "-q", *json_)
    assert done.code == 6
    assert done.stderr.startswith("error: standard output can't be written: No space left")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(bench: Bench, closed: str) -> None:
    bench.make("alpha\n")
    done = shell(bench.azpack, f'"$@" {closed}', "build", bench.app)
    assert done.code == 0
    with zipfile.ZipFile(bench.output) as package:
        assert package.testzip() is None
    assert shell(bench.azpack, f'"$@" {closed}', "build", bench.app / "nowhere").code == 2


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
               {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C.UTF-8"}]
)  # fmt: skip
def test_names_beyond_ascii_in_any_locale(
    azpack: Azpack, tmp_path: Path, locale: dict[str, str]
) -> None:
    app = make_app(tmp_path / "Zoë 夏", "alpha\n", files={"données/été.json": "{}"})
    done = azpack.run("build", app, environment=locale)
    assert done.code == 0, done.stderr
    assert "Traceback" not in done.stderr
    with zipfile.ZipFile(app / "dist/Zoë-夏.zip") as package:
        assert "données/été.json" in package.namelist()
    (app / "host.json").unlink()
    done = azpack.run("build", app, "--json", environment=locale)
    assert "Zoë 夏" in done.error(2, "no-host-json")["message"]


# Permissions.


@pytest.fixture
def bound(need: Callable[[str, str], NoReturn]) -> tuple[str, ...]:
    """What starts a command so that permissions count for it, as they do for all but root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        need("mount", "root is not bound by permissions, and there is no setpriv")
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def test_a_read_only_project(bench: Bench, tmp_path: Path, bound: tuple[str, ...]) -> None:
    bench.make("alpha\n")
    shutil.rmtree(bench.app / "dist")
    bench.app.chmod(0o555)
    try:
        done = bench.azpack.run("build", bench.app, "--json", prefix=bound)
        error = done.error(6, "not-writable")
        assert str(bench.output) in error["message"]
        assert "--output" in error["hint"]
        done = bench.azpack.run("lock", bench.app, "--json", prefix=bound)
        assert "pylock.toml" in done.error(6, "not-writable")["message"]
        elsewhere = tmp_path / "elsewhere.zip"
        done = bench.azpack.run("build", bench.app, "-o", elsewhere, prefix=bound)
        assert done.code == 0
        assert zipfile.is_zipfile(elsewhere)
    finally:
        bench.app.chmod(0o755)


@pytest.mark.parametrize("name", ["app.py", "requirements.txt", "host.json"])
def test_a_file_that_can_not_be_read(bench: Bench, bound: tuple[str, ...], name: str) -> None:
    bench.make("", files={"app.py": ""})
    (bench.app / name).chmod(0)
    done = bench.azpack.run("build", bench.app, "--json", prefix=bound)
    assert name in done.error(6, "unreadable")["message"]
    assert bench.output.read_bytes() == OLD


def test_a_cache_that_can_not_be_written(bench: Bench, bound: tuple[str, ...]) -> None:
    bench.make("alpha\n")
    bench.azpack.cache.mkdir()
    bench.azpack.cache.chmod(0o555)
    done = bench.azpack.run("build", bench.app, "--json", prefix=bound)
    error = done.error(6, "cache-not-writable")
    assert str(bench.azpack.cache) in error["message"]
    assert "--cache-dir" in error["hint"]


def test_a_file_in_the_place_of_the_cache(bench: Bench) -> None:
    bench.make("alpha\n")
    bench.azpack.cache.touch()
    error = bench.fails(6, "cache-not-writable")
    assert str(bench.azpack.cache) in error["message"]


# A full disk.


@pytest.fixture
def small_disk(tmp_path: Path, need: Callable[[str, str], NoReturn]) -> Iterator[Path]:
    """A disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        need("mount", f"mount can't be run: {error}")
    if done.returncode != 0:
        need("mount", f"nothing can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_for_the_zip(bench: Bench, small_disk: Path) -> None:
    bench.make("large\n")
    output = small_disk / "app.zip"
    output.write_bytes(OLD)
    error = bench.fails(6, "disk-full", "--output", str(output))
    assert str(output) in error["message"]
    assert "--output" in error["hint"]
    assert project_files(small_disk) == {"app.zip": OLD}


def test_a_full_disk_for_the_cache(bench: Bench, small_disk: Path) -> None:
    bench.make("large\nalpha\n")
    error = bench.fails(6, "disk-full", "--cache-dir", str(small_disk / "cache"))
    assert str(small_disk / "cache") in error["message"]
    assert "--cache-dir" in error["hint"]
    kept = [name for name in project_files(small_disk) if not name.startswith("cache/v1/wheels/")]
    assert kept == []


def test_a_full_disk_for_the_resolver(bench: Bench, small_disk: Path) -> None:
    bench.make("alpha\n")
    (small_disk / "full").write_bytes(bytes(2 * 1024 * 1024))
    error = bench.fails(6, "disk-full", environment={"UV_CACHE_DIR": str(small_disk / "uv")})
    assert "UV_CACHE_DIR" in error["hint"]


# Interruptions.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("path", ["/simple/large", "/files/large-1.0-py3-none-any.whl"])
def test_an_interrupted_build_ends_at_once(
    tmp_path: Path, links: Path, number: signal.Signals, path: str
) -> None:
    azpack, app = Azpack(tmp_path), make_app(tmp_path / "app", "large\n")
    before = project_files(app)
    with IndexServer(links) as server:
        server.faults = {path: Fault(stall_after=100)}
        options = ["--index-url", server.url, "--python", "3.11", "--json"]
        process = azpack.start("build", app, *options)
        wait_until(lambda: path in [asked.rstrip("/") for asked in server.paths_asked()])
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert json.loads(stdout)["exit_code"] == 130
    assert project_files(app) == before
    assert not list(azpack.cache.rglob("*.whl"))
    wait_until(lambda: has_ended(process.pid))  # uv has not outlived it


def has_ended(group: int) -> bool:
    """Whether no process of the group is left: one that was killed is so until init reaps it."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    import time

    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it has not come to that in 20 seconds")


def test_a_full_disk_for_the_page(azpack: Azpack, small_disk: Path) -> None:
    package = write_package(small_disk.with_name("app.zip"), APP)
    (small_disk / "page.html").touch()
    (small_disk / "full").write_bytes(bytes(2 * 1024 * 1024 - 8192))
    before = project_files(small_disk)
    page = small_disk / "page.html"
    error = azpack.run("inspect", package, "--html", page, "--json").error(6, "disk-full")
    assert str(page) in error["message"]
    assert "--html" in error["hint"]
    assert project_files(small_disk) == before
