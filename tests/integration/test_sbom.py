"""`build --sbom`: the bill of materials of packages made in each mode."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.commands import Azpack, make_app
from tests.distributions import make_sdist, make_wheel
from tests.servers import IndexServer
from tests.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

LICENSED = """\
Metadata-Version: 2.4
Name: Lib.One
Version: 1.0
License-Expression: Apache-2.0 OR MIT
Requires-Dist: two[fast]>=1
Requires-Dist: windows-only; sys_platform == "win32"
Requires-Dist: tests-only; extra == "test"
"""
TWO = """\
Metadata-Version: 2.1
Name: two
Version: 1.0
Classifier: License :: OSI Approved :: ISC License (ISCL)
Requires-Dist: three; extra == "fast"
"""
TOKEN = "hush-BILL-hush"
EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "Lib.One", "1.0", {"lib_one.py": b""}, metadata=LICENSED)
    write_wheel(wheels, "two", "1.0", {"two.py": b""}, metadata=TWO)
    make_wheel(wheels, "three")
    requirements = f"--no-index\n--find-links {wheels}\nlib.one\n"
    return make_app(tmp_path / "app", requirements)


def read(path: Path) -> Any:
    text = path.read_text()
    fault = JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)
    assert fault is None, fault
    return json.loads(text)


def graph(bill: Any) -> dict[str, list[str]]:
    return {row["ref"]: row.get("dependsOn", []) for row in bill["dependencies"]}


def properties(bill: Any) -> dict[str, str]:
    return {row["name"]: row["value"] for row in bill["metadata"]["properties"]}


def test_wheels_licences_and_the_graph(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    place = tmp_path / "bills" / "app.cdx.json"
    data = azpack.run("build", app, "--python", "3.11", "--sbom", place, "--json").data()
    assert data["sbom"] == str(place)
    bill = read(place)
    assert {row["bom-ref"]: row["licenses"] for row in bill["components"] if "licenses" in row} == {
        "lib-one@1.0": [{"expression": "Apache-2.0 OR MIT", "acknowledgement": "declared"}],
        "two@1.0": [{"license": {"id": "ISC", "acknowledgement": "declared"}}],
    }
    for row in bill["components"]:
        wheel = next((tmp_path / "wheels").glob(f"{row['name'].replace('.', '_')}-*.whl"), None)
        wheel = wheel or next((tmp_path / "wheels").glob(f"{row['name']}-*.whl"))
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert row["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert {row["purl"] for row in bill["components"]} == {
        "pkg:pypi/lib-one@1.0", "pkg:pypi/three@1.0", "pkg:pypi/two@1.0",
    }  # fmt: skip
    assert graph(bill) == {
        "app": ["lib-one@1.0"],
        "lib-one@1.0": ["two@1.0"],
        "two@1.0": ["three@1.0"],
        "three@1.0": [],
    }
    assert properties(bill) == {
        **{f"azpack:{name}": value for name, value in data["target"].items()},
        "azpack:mode": data["mode"],
        "azpack:content_digest": data["package"]["content_digest"],
    }
    assert bill["metadata"]["component"]["name"] == "app"
    assert "timestamp" not in bill["metadata"]


def test_the_same_bytes_cold_warm_and_elsewhere(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    assert azpack.run("lock", app, "--python", "3.11").code == 0
    bills = []
    for number in range(3):
        if number == 2:
            azpack.forget()
        place = tmp_path / str(number) / "bill.json"
        built = azpack.run(
            "build", app, "--python", "3.11", "--locked", "--sbom", place, environment=EPOCH
        )
        assert built.code == 0, built.stderr
        bills.append(place.read_bytes())
    assert bills[0] == bills[1] == bills[2]
    assert json.loads(bills[0])["metadata"]["timestamp"] == "2026-01-01T00:00:00+00:00"


def test_what_the_platform_is_to_install(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    place = tmp_path / "bill.json"
    data = azpack.run(
        "build",
        app,
        "--mode",
        "remote",
        "--python",
        "3.11",
        "--sbom",
        place,
        "--no-check",
        "--json",
    ).data()
    bill = read(place)
    assert {row["bom-ref"]: row["hashes"][0]["content"] for row in bill["components"]} == {
        f"{row['name']}@{row['version']}": row["sha256"] for row in data["distributions"]
    }
    assert properties(bill)["azpack:mode"] == "remote"
    # Its requirements.txt has all pins.
    assert graph(bill)["app"] == ["lib-one@1.0", "three@1.0", "two@1.0"]


@pytest.mark.parametrize("mode", ["local", "remote"])
def test_where_it_came_from_is_told_without_the_password(
    azpack: Azpack, tmp_path: Path, mode: str
) -> None:
    make_wheel(tmp_path / "private", "mine")
    app = make_app(tmp_path / "app", "mine\n./ours-1.0\n")
    with tarfile.open(make_sdist(tmp_path, "ours")) as sdist:
        sdist.extractall(app, filter="data")
    place = tmp_path / "bill.json"
    with IndexServer(tmp_path / "private", user="me", password=TOKEN) as index:
        done = azpack.run(
            "build", app, "--mode", mode, "--no-check", "--python", "3.11", "--sbom", place,
            "--index-url", index.url_as("me", TOKEN),
        )  # fmt: skip
    assert done.code == 0, done.stderr
    purls = {row["name"]: row.get("purl") for row in read(place)["components"]}
    # There is another "ours" on PyPI, or may be one day.
    assert purls == {"mine": f"pkg:pypi/mine@1.0?repository_url={index.url}", "ours": None}
    assert TOKEN not in place.read_text()


def test_what_is_found_in_python_packages(azpack: Azpack, tmp_path: Path) -> None:
    site = ".python_packages/lib/site-packages/"
    app = make_app(
        tmp_path / "app",
        "lib.one\n",
        files={
            f"{site}Lib.One-1.0.dist-info/METADATA": LICENSED,
            f"{site}two-1.0.dist-info/METADATA": TWO,
            f"{site}broken-3.dist-info/RECORD": "",
        },
    )
    place = tmp_path / "bill.json"
    done = azpack.run(
        "build", app, "--mode", "none", "--python", "3.11", "--no-check", "--sbom", place
    )
    assert done.code == 0, done.stderr
    bill = read(place)
    assert [row["bom-ref"] for row in bill["components"]] == [
        "lib-one@1.0", "broken@3", "two@1.0",
    ]  # fmt: skip
    assert all("hashes" not in row for row in bill["components"])
    assert graph(bill)["app"] == ["broken@3", "lib-one@1.0"]


def test_an_app_without_dependencies(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    place = tmp_path / "bill.json"
    assert azpack.run("build", app, "--python", "3.11", "--sbom", place).code == 0
    bill = read(place)
    assert "components" not in bill
    assert graph(bill) == {"app": []}


def test_beside_a_zip_on_standard_output(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    place = tmp_path / "bill.json"
    done = azpack.run("build", app, "--python", "3.11", "-o", "-", "--sbom", place)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith(b"PK")
    assert read(place)["metadata"]["component"]["name"] == "app"


def test_it_is_configured_and_not_packed(azpack: Azpack, app: Path) -> None:
    app.joinpath("azpack.toml").write_text('python = "3.11"\nsbom = "bill.json"\n')
    digests = []
    for _ in range(2):
        data = azpack.run("build", app, "--json").data()
        digests.append(data["package"]["content_digest"])
        assert data["sbom"] == str(app / "bill.json")
        with zipfile.ZipFile(data["package"]["path"]) as package:
            assert "bill.json" not in package.namelist()
    assert digests[0] == digests[1]
    listed = azpack.run("files", app).stdout.decode().split()
    assert listed == ["azpack.toml", "host.json", "requirements.txt"]


def test_one_left_by_another_build_is_not_packed(azpack: Azpack, app: Path) -> None:
    place = app / "dist" / "other.cdx.json"
    first = azpack.run("build", app, "--python", "3.11", "--sbom", place, "--json").data()
    second = azpack.run("build", app, "--python", "3.11", "--json").data()
    assert first["package"]["content_digest"] == second["package"]["content_digest"]


def test_a_dry_run_writes_none(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    place = tmp_path / "bill.json"
    assert azpack.run("build", app, "--python", "3.11", "--sbom", place, "--dry-run").code == 0
    assert not place.exists()


def test_what_would_be_lost_is_not_overwritten(azpack: Azpack, app: Path) -> None:
    host = app / "host.json"
    before = host.read_bytes()
    azpack.run("build", app, "--sbom", host, "--json").error(2, "sbom-is-another-file")
    assert host.read_bytes() == before
    assert not (app / "dist").exists()


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("-", "two-results"),
        ("dist/app.zip", "sbom-is-the-output"),
        ("dist/app.manifest.json", "sbom-is-the-output"),
        (".", "sbom-is-a-folder"),
        ("/dev/null", "sbom-not-a-file"),
        ("pipe", "sbom-not-a-file"),
    ],
)
def test_where_none_can_go(azpack: Azpack, app: Path, named: str, code: str) -> None:
    os.mkfifo(app / "pipe")
    done = azpack.run("build", "--python", "3.11", "--sbom", named, "--json", cwd=app)
    done.error(2, code)
    assert not (app / "dist").exists()


def test_an_empty_file_and_an_older_bill_are_replaced(azpack: Azpack, app: Path) -> None:
    place = app / "dist" / "app.cdx.json"
    place.parent.mkdir()
    place.touch()
    for _ in range(2):
        assert azpack.run("build", app, "--python", "3.11", "--sbom", place).code == 0
        read(place)


def test_a_file_in_the_place_of_its_folder(azpack: Azpack, app: Path) -> None:
    done = azpack.run("build", app, "--python", "3.11", "--sbom", app / "host.json" / "x", "--json")
    done.error(6, "not-writable")
