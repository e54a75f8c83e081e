"""Each fixture app, packaged by the command and asked under the Pythons that it may run on."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.e2e.answering import Answer, find_python, invoke
from tests.fixture_apps import LARGE_FILE, copy_app, copy_monorepo

Need = Callable[[str, str], NoReturn]

# Variables by which this machine would bring other distributions, or other options of azpack.
_LOCAL_SOURCES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT")

every_python = pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
needs_linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="the package's native code is for Linux on x86_64",
)


@pytest.fixture
def python(version: str, need: Need) -> Path:
    return find_python(version) or need("pythons", f"no Python {version} on this machine")


@pytest.fixture
def package_app(tmp_path: Path, shared_cache: Path, version: str) -> Callable[[str], Path]:
    """Build the package of a fixture app as a user does; the result is the unpacked package."""

    def package(name: str) -> Path:
        app = (
            copy_monorepo(tmp_path) / "apps" / name
            if name in ("orders", "invoices")
            else copy_app(name, tmp_path / "apps")
        )
        output = tmp_path / f"{name}.zip"
        command = ["build", str(app), "--mode", "local", "--python", version, "-o", str(output)]
        result = _run_azpack([*command, "--json"], cache=shared_cache)
        assert result["status"] == "ok"
        assert result["data"]["package"]["path"] == str(output)
        inspected = _run_azpack(["inspect", str(output), "--json"], cache=shared_cache)
        assert inspected["data"]["findings"] == result["data"]["findings"]
        return _unpack(output, tmp_path / "package")

    return package


def _run_azpack(arguments: list[str], *, cache: Path) -> Any:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _LOCAL_SOURCES and not name.startswith(("AZPACK_", "UV_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "azpack", *arguments],
        env={**kept, "PIP_CONFIG_FILE": os.devnull, "AZPACK_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"azpack exited with {done.returncode}:\n{done.stderr}"
    return json.loads(done.stdout)


def _unpack(archive: Path, to: Path) -> Path:
    with zipfile.ZipFile(archive) as package:
        for entry in package.infolist():
            mode = entry.external_attr >> 16
            assert stat.S_ISREG(mode), f"{entry.filename} is not a regular file"
            # zipfile leaves modes out.
            Path(package.extract(entry, to)).chmod(stat.S_IMODE(mode))
    return to


def _json_of(answer: Answer) -> object:
    assert answer.status == 200, answer
    return answer.json()


@every_python
def test_v1_functions_with_shared_code(package_app: Callable[[str], Path], python: Path) -> None:
    package = package_app("v1-shared-code")

    order = {"item": "tea", "quantity": "3"}
    quote = invoke(package, python=python, function="Quote", params=order)
    assert _json_of(quote) == {"item": "tea", "quantity": 3, "total": "12.75"}

    sent = b'{"item": "coffee", "quantity": 2}'
    accepted = invoke(package, python=python, function="SubmitOrder", method="POST", body=sent)
    number = hashlib.sha256(sent).hexdigest()[:12]
    assert accepted == Answer(status=202, body=number.encode())

    # A SOCKS proxy that does not answer is a ConnectionError where the extra of `requests[socks]`
    # is in the package, and an InvalidSchema where it is not.
    rate = invoke(
        package,
        python=python,
        function="Quote",
        params={**order, "currency": "USD"},
        settings={"RATES_URL": "http://rates.test", "HTTP_PROXY": "socks5h://127.0.0.1:1"},
    )
    assert rate == Answer(status=502, body=b"no rate for USD: ConnectionError")


@every_python
def test_v2_functions_and_a_blueprint(package_app: Callable[[str], Path], python: Path) -> None:
    package = package_app("v2-blueprint")

    sites = invoke(package, python=python, function="sites")
    assert _json_of(sites) == {
        "docs": "https://docs.example.com/search?lang=en&visitor=probe",
        "shop": "https://shop.example.com/?visitor=probe",
    }

    unknown = invoke(package, python=python, function="probe", params={"site": "nowhere"})
    assert unknown == Answer(status=404, body=b"no such site: nowhere")


@every_python
def test_what_several_apps_share(package_app: Callable[[str], Path], python: Path) -> None:
    package = package_app("orders")
    assert (package / "shared_rules" / "discounts.py").is_file()
    assert (package / ".python_packages/lib/site-packages/pricing/__init__.py").is_file()

    wanted = {"article": "bolt", "quantity": "100"}
    assert _json_of(invoke(package, python=python, function="quote", route=wanted)) == {
        "total": "10.80"
    }


@needs_linux
@every_python
def test_native_code_runs(package_app: Callable[[str], Path], python: Path) -> None:
    package = package_app("native-wheels")

    answer = invoke(
        package,
        python=python,
        function="measure",
        method="POST",
        body=b"[1, 2, 3, 4, 5]",
        settings={"SIGNING_KEY": "made up"},
    )
    report = {"mean": 3.0, "deviation": 2**0.5, "low": 1.2, "median": 3.0, "high": 4.8}
    signed = json.dumps({"report": report}, sort_keys=True).encode()
    signature = hmac.new(b"made up", signed, hashlib.sha256).hexdigest()
    assert _json_of(answer) == {"report": report, "signature": signature}


@every_python
def test_dependencies_extra_and_group_of_pyproject(
    package_app: Callable[[str], Path], python: Path
) -> None:
    package = package_app("pyproject-only")

    things = b"- {name: photos, bytes: 2500000}\n- {name: films, bytes: 7100000000}\n"
    answer = invoke(package, python=python, function="inventory", method="POST", body=things)
    assert answer.status == 200, answer
    assert answer.body.decode().splitlines() == [
        "name    size",
        "------  ------",
        "films   7.1 GB",
        "photos  2.5 MB",
    ]

    shipped = {path.name for path in (package / ".python_packages/lib/site-packages").iterdir()}
    assert not shipped & {"pytest", "openpyxl"}  # the dev group, and the extra not asked for


@every_python
def test_versions_and_extra_of_poetry_lock(
    package_app: Callable[[str], Path], python: Path, version: str
) -> None:
    package = package_app("poetry-lock")

    note = "# Größe".encode()
    page = invoke(package, python=python, function="page", method="POST", body=note)
    html = '<h1 id="grosse">Größe</h1>\n<!-- 9 Bytes -->'
    assert page == Answer(status=200, body=html.encode())

    site_packages = package / ".python_packages/lib/site-packages"
    shipped = {path.name.removesuffix(".dist-info") for path in site_packages.glob("*.dist-info")}
    newest = version == "3.13"  # the lock has other versions for it
    assert shipped == {
        "azure_functions-2.3.0" if newest else "azure_functions-1.26.0",
        "humanize-4.17.0" if newest else "humanize-4.16.0",
        "markdown-3.11.3" if newest else "markdown-3.10.3",
        "markupsafe-3.0.4",
        "python_slugify-8.0.4",
        "text_unidecode-1.3",
        "Unidecode-1.4.0",
        "werkzeug-3.1.9",
    }


@every_python
def test_awkward_names_links_and_modes(package_app: Callable[[str], Path], python: Path) -> None:
    package = package_app("awkward-tree")

    letter = invoke(package, python=python, function="welcome", params={"name": "Zoë"})
    assert _json_of(letter) == {
        "letter": "Welcome, Zoë! We open at 09:00.",
        "hours": {"夏": "09:00-21:00", "冬": "10:00-18:00"},
        "news": "Opening hours for winter.",
    }

    model = invoke(package, python=python, function="model")
    assert model.body.decode() == hashlib.sha256((package / LARGE_FILE).read_bytes()).hexdigest()
    assert (package / LARGE_FILE).stat().st_size == 20 * 1024 * 1024

    today = invoke(package, python=python, function="today")  # runs a script of the package
    assert today.status == 200
    assert len(today.body) == len("2026-10-01")

    assert (package / "hours/__init__.py").read_bytes() == b""
    assert (package / "logs/example.log").exists()
    assert not (package / "logs/debug.log").exists()
    assert (package / "drafts/draftA.txt").exists()
    assert not (package / "drafts/draft1.txt").exists()
