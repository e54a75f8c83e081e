"""`azpack verify` and `build --verify` as users run them, also with what is bad or hostile."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.deps.interpreters import find_interpreter
from azpack.errors import FileError, WheelError
from azpack.package.inspection import Wishes
from azpack.package.zip_tree import ZipTree
from azpack.worker import unpacking
from azpack.worker.runtime import find_runtime, pinned_wheels
from azpack.worker.verifying import How, Means, verify_package
from tests.commands import Azpack, make_app
from tests.packages import APP, raw_zip, write_package

if TYPE_CHECKING:
    from azpack.store import Store
    from azpack.worker.verification import Verification

TOKEN = "5Ld0-verify-p9w2X"
HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
HELLO = '@app.route()\ndef hello(req: func.HttpRequest) -> str:\n    return "hello"\n'
HOST = {"host.json": b'{"version": "2.0"}'}


def script(text: str) -> dict[str, bytes]:
    return {**HOST, "function_app.py": text.encode()}


@pytest.fixture
def azpack(tmp_path: Path, means: Means) -> Azpack:
    """The command, with the store that has the runtime library for 3.12, and folders of its own."""
    interpreter = find_interpreter("3.12", os.environ)
    find_runtime("3.12", means.indexes, means.store, means.progress, interpreter)
    (tmp_path / "temporary").mkdir()
    return Azpack(
        tmp_path, AZPACK_CACHE_DIR=str(means.store.folder), TMPDIR=str(tmp_path / "temporary")
    )


def left_in(azpack: Azpack) -> list[str]:
    return os.listdir(azpack.environment["TMPDIR"])


def test_what_is_shown_of_a_sound_package(azpack: Azpack, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    done = azpack.run("verify", package, "--python", "3.12", "--invoke", "hello")
    text = done.stdout.decode()
    assert done.code == 0, done.stderr
    assert text.startswith("passed app.zip: Azure's own library loads it\n")
    assert "\nfor Python 3.12 (--python)\nrun by azure-functions-runtime " in text
    assert "  hello  httpTrigger  /api/hello/{name}\n" in text
    assert "GET /api/hello/1: 200, 5 B" in text
    assert "not proved: " in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "runs the functions' code for real" in done.stderr
    assert left_in(azpack) == []
    other = azpack.run("verify", package, "--python", "3.12", "--invoke", "bye", "--json")
    assert "there are hello" in other.error(2, "no-such-function")["hint"]


def test_the_data_of_a_sound_package(azpack: Azpack, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    data = azpack.run("verify", package, "--python", "3.12", "--json").data()
    assert data["verdict"] == "passed"
    assert (data["python"]["target"], data["python"]["grounds"]) == ("3.12", "--python")
    assert data["runtime"]["name"] == "azure-functions-runtime"
    assert data["runtime"]["azure_functions_from"] == "runtime"
    assert data["functions"] == [
        {"name": "hello", "trigger": "httpTrigger", "route": "/api/hello/{name}"}
    ]
    assert (data["errors"], data["invocations"]) == ([], [])
    assert data["timings"].keys() == {"interpreter", "worker", "import", "index"}
    slowest = {row["module"]: row for row in data["slowest_imports"]}
    assert slowest["azure.functions"]["own_seconds"] < slowest["azure.functions"]["seconds"]


def test_a_failure_is_told_with_its_place_and_more_on_demand(
    azpack: Azpack, tmp_path: Path
) -> None:
    broken = script(f"{HEAD}import pages\n{HELLO}") | {"pages.py": b"import nowhere\n"}
    package = write_package(tmp_path / "app.zip", broken)
    done = azpack.run("verify", package, "--python", "3.12")
    text = done.stdout.decode()
    assert done.code == 1
    assert "pages.py:1\n  error module-not-found-error: ModuleNotFoundError: No module" in text
    assert "inspect says AZP403" not in text  # it stands at the same place
    assert "Traceback" not in text
    more = azpack.run("verify", package, "--python", "3.12", "-v").stdout.decode()
    assert 'function_app.py", line 3, in <module>' in more
    assert "importlib" not in more.partition("what the app printed")[0]
    rows = json.loads(azpack.run("verify", package, "--python", "3.12", "--json").stdout)
    assert (rows["status"], rows["exit_code"]) == ("findings", 1)
    assert rows["data"]["errors"][0]["path"] == "pages.py"
    assert azpack.run("verify", package, "--python", "3.12", "-q").stdout == b"failed\n"


def test_app_settings(azpack: Azpack, tmp_path: Path) -> None:
    text = f"import os\n{HEAD}{HELLO}print(os.environ['FIRST'], os.environ['SERVICE_KEY'])\n"
    package = write_package(tmp_path / "app.zip", script(text))
    settings = tmp_path / "local.settings.json"
    values = {"FIRST": "from the file", "SERVICE_KEY": TOKEN, "ON": True}
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    done = azpack.run(
        "verify", package, "--python", "3.12", "-v", "--settings", settings, "-e", "FIRST=from -e"
    )
    assert done.code == 0, done.stdout
    assert b"  from -e ****\n" in done.stdout
    assert TOKEN.encode() not in done.stdout + done.stderr.encode()
    for arguments, code in (
        (["-e", f"{TOKEN}"], "bad-app-setting"),
        (["-e", "=x"], "bad-app-setting"),
        (["--settings", tmp_path / "none.json"], "no-settings"),
        (["--settings", package], "bad-settings"),
        (["--timeout", "0"], "bad-timeout"),
        (["--runtime-dir", tmp_path], "no-runtime-library"),
    ):
        azpack.run("verify", package, "--json", *arguments).error(2, code)


def test_another_script(azpack: Azpack, tmp_path: Path) -> None:
    package = write_package(tmp_path / "a.zip", HOST | {"main.py": f"{HEAD}{HELLO}".encode()})
    named = ("-e", "PYTHON_SCRIPT_FILE_NAME=main.py")
    data = azpack.run("verify", package, "--python", "3.12", "--json", *named).data()
    assert [row["name"] for row in data["functions"]] == ["hello"]


def test_nothing_is_left_where_it_is_interrupted(azpack: Azpack, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    text = f"import os, time\n{HEAD}open({str(ready)!r}, 'w').write(str(os.getpid()))\n"
    package = write_package(tmp_path / "app.zip", script(f"{text}time.sleep(60)\n"))
    with azpack.start("verify", package, "--python", "3.12") as process:
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert left_in(azpack) == []
    assert not Path(f"/proc/{ready.read_text()}").exists()


def test_processes_that_are_left_are_ended(means: Means, tmp_path: Path) -> None:
    told = tmp_path / "told"
    text = (
        f"import subprocess\n{HEAD}{HELLO}"
        "it = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"open({str(told)!r}, 'w').write(str(it.pid))\n"
    )
    found = verify(means, write_package(tmp_path / "app.zip", script(text)))
    assert found.verdict == "passed"
    assert found.notes == ("loading the app leaves 1 process running",)
    state = Path(f"/proc/{told.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def verify(
    means: Means, package: Path, *, python: str = "3.12", timeout: float = 60
) -> Verification:
    return verify_package(package, How(wishes=Wishes(python=python), timeout=timeout), means)


def test_a_flood_is_bounded(means: Means, tmp_path: Path) -> None:
    text = f"{HEAD}{HELLO}for at in range(300):\n    print('x' * 100_000)\nprint('last')\n"
    found = verify(means, write_package(tmp_path / "app.zip", script(text)))
    assert found.verdict == "passed"
    assert found.output[-1] == "last"
    assert sum(map(len, found.output)) < 1_000_000


def test_a_fork_that_comes_to_nothing_is_a_note(means: Means, tmp_path: Path) -> None:
    text = f"import os\n{HEAD}{HELLO}child = os.fork()\nif not child:\n    os._exit(0)\n"
    found = verify(means, write_package(tmp_path / "app.zip", script(f"{text}os.wait()\n")))
    assert found.verdict == "passed"
    assert found.notes == ("loading the app makes 1 process by forking",)


def test_a_function_that_depends_on_a_setting_is_a_note(means: Means, tmp_path: Path) -> None:
    text = f"import os\n{HEAD}{HELLO}if os.environ.get('MORE'):\n    @app.route()\n"
    text += "    def more(req: func.HttpRequest) -> str: ...\n"
    package = write_package(tmp_path / "app.zip", script(text))
    found = verify(means, package)
    assert (found.verdict, len(found.functions)) == ("passed", 1)
    (note,) = found.notes
    assert note.startswith("more (function_app.py:9) is not listed: where it depends on an app")
    how = How(wishes=Wishes(python="3.12"), settings={"MORE": "1"})
    found = verify_package(package, how, means)
    assert ([it.name for it in found.functions], found.notes) == (["hello", "more"], ())


def test_threads_keep_nobody_waiting(means: Means, tmp_path: Path) -> None:
    text = f"import threading, time\n{HEAD}{HELLO}threading.Thread(target=time.sleep, args=[60])"
    found = verify(
        means, write_package(tmp_path / "a.zip", script(f"{text}.start()\n")), timeout=30
    )
    assert found.verdict == "passed"


def test_the_packages_own_azure_functions_is_used(means: Means, tmp_path: Path) -> None:
    folder = find_runtime("3.12", means.indexes, means.store, means.progress)
    own = {
        f".python_packages/lib/site-packages/{path.relative_to(folder).as_posix()}": (
            path.read_bytes().replace(b"'1.26.0'", b"'1.26.0+mine'")
        )
        for name in ("azure/functions", "werkzeug", "markupsafe")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }
    found = verify(means, write_package(tmp_path / "app.zip", APP, own))
    assert found.verdict == "passed", found
    assert found.runtime["azure_functions_from"] == "package"
    assert found.runtime["azure_functions"] == "1.26.0+mine"


def test_unverified_without_an_interpreter(means: Means, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    nowhere = {"PATH": "", "HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv")}
    bare = Means(indexes=means.indexes, store=means.store, environ=nowhere, progress=means.progress)
    other = "3.10" if sys.version_info[:2] != (3, 10) else "3.12"
    found = verify(bare, package, python=other)
    assert found.verdict == "unverified"
    assert f"there is no Python {other} on this machine" in found.reason
    assert found.functions == ()


def test_unverified_where_the_platform_installs(azpack: Azpack, tmp_path: Path) -> None:
    files = script(f"import requests\n{HEAD}{HELLO}") | {"requirements.txt": b"requests\n"}
    package = write_package(tmp_path / "app.zip", files)
    done = azpack.run("verify", package, "--python", "3.12", "--json")
    data = json.loads(done.stdout)["data"]
    assert (done.code, data["verdict"]) == (1, "unverified")
    assert "the platform is to install what requirements.txt lists" in data["reason"]
    assert data["python"]["version"] is None
    nothing = write_package(tmp_path / "b.zip", APP | {"requirements.txt": b"# nothing\n\n"})
    assert azpack.run("verify", nothing, "--python", "3.12").code == 0


def test_hostile_names_stay_in_the_folder(means: Means, tmp_path: Path) -> None:
    names = [b"../evil.py", b"/evil.py", b"a/../../evil.py", b"C:\\evil.py", b"host.json"]
    package = tmp_path / "app.zip"
    package.write_bytes(raw_zip([(name, b"x") for name in names]))
    (tmp_path / "inner").mkdir()
    with ZipTree(package) as tree:
        unpacking.unpack(tree, tmp_path / "inner" / "app")
    assert sorted(it.name for it in (tmp_path / "inner/app").iterdir()) == ["evil.py", "host.json"]
    assert {it.name for it in tmp_path.iterdir()} == {"app.zip", "inner"}
    assert verify(means, package).verdict == "failed"


def test_what_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    large = {"size": 3 << 30}
    package.write_bytes(raw_zip([(b"a", b"x"), (b"b", b"x")], fields={b"a": large, b"b": large}))
    with ZipTree(package) as tree, pytest.raises(FileError) as caught:
        unpacking.unpack(tree, tmp_path / "app")
    assert caught.value.code == "too-large"
    package.write_bytes(raw_zip([(b"a", bytes(1 << 24))], fields={b"a": {"size": 10}}))
    with ZipTree(package) as tree, pytest.raises(FileError) as caught:
        unpacking.unpack(tree, tmp_path / "other")
    assert caught.value.code == "bad-zip"
    assert (tmp_path / "other" / "a").stat().st_size <= 1 << 20


def test_the_folder_is_read_only_and_goes(tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP | {"a/b/c.txt": b"c"})
    folder = tmp_path / "app"
    with ZipTree(package) as tree:
        unpacking.unpack(tree, folder)
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777
             for path in (folder, *folder.rglob("*"))}  # fmt: skip
    assert modes == {
        "app": 0o555, "app/a": 0o555, "app/a/b": 0o555, "app/a/b/c.txt": 0o444,
        "app/host.json": 0o444, "app/function_app.py": 0o444,
    }  # fmt: skip
    unpacking.remove(folder)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write there")
def test_what_root_may_write_and_azure_may_not(means: Means, tmp_path: Path) -> None:
    text = f"{HEAD}{HELLO}from pathlib import Path\n(Path(__file__).parent / 'log').touch()\n"
    found = verify(means, write_package(tmp_path / "app.zip", script(text)))
    assert found.verdict == "unverified"
    assert "the app wrote log into the package's folder" in found.reason


def test_bad_zips(azpack: Azpack, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text")
    (tmp_path / "empty.zip").write_bytes(b"")
    for name in ("text.zip", "empty.zip", "none.zip", "."):
        assert azpack.run("verify", tmp_path / name).code == 6
    package = write_package(tmp_path / "nothing.zip", {"readme.txt": b""})
    assert azpack.run("verify", package, "--python", "3.12").code == 1
    assert left_in(azpack) == []


def test_the_library_of_another_hash_is_refused(means: Means, tmp_path: Path) -> None:
    from azpack.deps.index import find_indexes
    from azpack.store import Store

    for wheel in pinned_wheels("3.12"):
        (tmp_path / wheel.filename).write_bytes(b"another")
    indexes = find_indexes({}, find_links=[str(tmp_path)], no_index=True)
    with pytest.raises(WheelError) as caught:
        find_runtime("3.12", indexes, Store(tmp_path / "store"), means.progress)
    assert caught.value.code == "wrong-hash"
    nowhere = find_indexes({}, no_index=True)
    with pytest.raises(WheelError) as caught:
        find_runtime("3.12", nowhere, Store(tmp_path / "store"), means.progress)
    assert caught.value.code == "no-runtime-library"
    assert "--runtime-dir" in caught.value.hint


def test_the_library_of_a_folder(azpack: Azpack, runtime_store: Store, tmp_path: Path) -> None:
    folder = next(runtime_store.tool_folder("x").parent.glob("functions-runtime-3.12-*"))
    package = write_package(tmp_path / "app.zip", APP)
    done = azpack.run(
        "verify", package, "--python", "3.12", "--runtime-dir", folder, "--no-index",
        environment={"AZPACK_CACHE_DIR": str(tmp_path / "empty")},
    )  # fmt: skip
    assert done.code == 0, done.stderr


def test_build_and_verify(azpack: Azpack, tmp_path: Path) -> None:
    files = {"function_app.py": f"import os\n{HEAD}{HELLO}KEY = os.environ['KEY']\n"}
    app = make_app(tmp_path / "app", files=files)
    done = azpack.run("build", app, "--python", "3.12", "--verify")
    text = done.stdout.decode()
    assert done.code == 1
    assert "function_app.py:7\n  error key-error: KeyError: 'KEY'" in text
    assert "the package stays: " in text
    assert (app / "dist" / "app.zip").is_file()
    (app / "local.settings.json").write_text('{"Values": {"KEY": "value"}}')
    data = azpack.run("build", app, "--python", "3.12", "--verify", "--json").data()
    assert data["verification"]["verdict"] == "passed"
    azpack.run("build", app, "--python", "3.12", "--verify", "-o", "-", "--json").error(
        2, "two-results"
    )
