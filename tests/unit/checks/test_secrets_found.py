"""The secrets in here are made when the tests run: there is none in this file."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from azpack.checks import secrets_found
from tests.unit.checks.subjects import codes, found, package_of, project_of

if TYPE_CHECKING:
    from pathlib import Path

_RANDOM = b"".join(hashlib.sha512(bytes([i])).digest() for i in range(4))
_TEXT = base64.b64encode(_RANDOM).decode()
LETTERS = "".join(char for char in _TEXT if char.isalnum())
STORAGE_KEY = base64.b64encode(_RANDOM[:64]).decode()
BUS_KEY = base64.b64encode(_RANDOM[:32]).decode()
PEM = "-----BEGIN {}PRIVATE KEY-----\n" + _TEXT[:64] + "\n"
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey={};EndpointSuffix=core"

SECRETS = {
    "account key": CONNECTION.format(STORAGE_KEY),
    "shared access key": f"Endpoint=sb://mine/;SharedAccessKeyName=Root;SharedAccessKey={BUS_KEY}",
    "password": f"Server=tcp:mine.database.windows.net;User ID=me;Password={LETTERS[:16]};",
    "storage": f"KEY = '{STORAGE_KEY[:75]}++ASt{STORAGE_KEY[3:9]}=='",
    "Cosmos": f"KEY = '{STORAGE_KEY[:76]}ACDb{STORAGE_KEY[3:9]}=='",
    "function app": f"?code={LETTERS[:44]}AzFu{LETTERS[:5]}A==",
    "signature": f"https://x.blob.core.windows.net/a?sv=2024&se=2030&sig={LETTERS[:43]}%3D",
    "Entra": f"secret = 'abc8Q~{LETTERS[:32]}'",
    "DevOps": f"PAT={LETTERS[:76]}AZDO{LETTERS[:4]}",
    "GitHub": f"token: ghp_{LETTERS[:36]}",
    "GitHub ": f"token: github_pat_{LETTERS[:82]}",
    "private key": PEM.format("RSA "),
    "private key ": PEM.format(""),
    "private key  ": repr(PEM.format("OPENSSH ")),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets(kind: str) -> None:
    (finding,) = found(
        secrets_found.check, package_of({"settings.py": f"import os\n{SECRETS[kind]}\n"})
    )
    assert (finding.code, finding.severity, finding.path) == ("AZP602", "warning", "settings.py")
    assert finding.line == (3 if kind in ("private key", "private key ") else 2)
    assert kind.strip() in finding.message
    for part in (LETTERS[:16], STORAGE_KEY[:16], BUS_KEY[:16]):
        assert part not in f"{finding.message}{finding.hint}"


@pytest.mark.parametrize(
    "text",
    [
        CONNECTION.format("<your key>"),
        CONNECTION.format("x" * 86 + "=="),
        CONNECTION.format("A" * 43 + "B" * 43 + "=="),
        CONNECTION.format("your0key" + STORAGE_KEY[8:]),
        # Azurite's, which everybody has.
        CONNECTION.format(
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
            "K1SZFPTOtr/KBHBeksoGMGw=="
        ),
        "UseDevelopmentStorage=true",
        "AccountKey={key}",
        f"integrity: sha512-{STORAGE_KEY}",
        f"digest = '{LETTERS[:64]}'",
        "Server=x;Password={password};",
        "Server=x;Password=${DB_PASSWORD};",
        "Server=x;Password=<password>;",
        "the token begins with ghp_",
        "if text.startswith('-----BEGIN PRIVATE KEY-----'):",
        "-----BEGIN PUBLIC KEY-----\n" + _TEXT[:64],
        "?sv=2024&sig={signature}",
        f"# signature: {LETTERS[:60]}",
    ],
)
def test_what_only_looks_so(text: str) -> None:
    assert codes(secrets_found.check, package_of({"settings.py": text})) == []


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_app.py", "test_app.py", "conftest.py", "samples/a.py", ".env.example",
        "settings.sample.json", ".python_packages/lib/site-packages/a.py", "a/fixtures/b.txt",
    ],
)  # fmt: skip
def test_where_secrets_are_made_up(path: str) -> None:
    assert codes(secrets_found.check, package_of({path: SECRETS["GitHub"]})) == []


def test_binary_files_and_repetitions() -> None:
    secret = SECRETS["GitHub"]
    assert codes(secrets_found.check, package_of({"a.bin": f"\0{secret}"})) == []
    two_in_a_line = f"{secret} {SECRETS['account key']}\n{secret}\n"
    findings = found(secrets_found.check, package_of({".env": two_in_a_line}))
    assert [it.line for it in findings] == [1, 2]


def test_local_settings() -> None:
    for path in ("local.settings.json", "app/Local.Settings.json"):
        (finding,) = found(secrets_found.check, package_of({path: SECRETS["GitHub"]}))
        assert (finding.code, finding.severity, finding.path) == ("AZP601", "error", path)
    assert codes(secrets_found.check, package_of({"settings.json": "{}"})) == []


def test_ballast() -> None:
    files = {
        "a.py": "",
        "a.pyc": "",
        "venv/pyvenv.cfg": "",
        "venv/lib/x.py": "x" * 3_000_000,
        "venv/lib/__pycache__/x.pyc": "",
        ".git/config": "",
        "__pycache__/a.pyc": "",
        "b/__pycache__/b.pyc": "",
        ".gitkeep": "",
        ".python_packages/lib/site-packages/__pycache__/c.pyc": "",
    }
    findings = found(secrets_found.check, package_of(files))
    assert {(it.code, it.severity) for it in findings} == {("AZP603", "warning")}
    assert [it.message.partition(", which")[0] for it in findings] == [
        ".git/ is in the package, with 1 file of 0.0 MB",
        "__pycache__/ is in the package, with 2 files of 0.0 MB",
        "a virtual environment is in the package, with 3 files of 3.0 MB",
    ]


def test_bytecode_that_an_import_takes_unseen_is_no_ballast() -> None:
    made, kept, left = "abcd\1\0\0\0", "abcd\3\0\0\0", "abcd\0\0\0\0"
    files = {f"__pycache__/{name}.pyc": name for name in (made, kept, left)}
    (finding,) = found(secrets_found.check, package_of(files))
    assert "with 2 files" in finding.message


def test_ballast_that_is_wanted(tmp_path: Path) -> None:
    files = {".funcignore": "!node_modules/\n", "node_modules/a.js": "", "b.py": ""}
    assert codes(secrets_found.check, project_of(tmp_path, files)) == []


def test_what_is_masked() -> None:
    server = f"Server=x;User ID=me;Password={LETTERS[:16]};"
    of_none = f"Password={LETTERS[:16]}; é"
    assert secrets_found.masked(of_none) == of_none
    assert secrets_found.masked(server * 2) == "Server=x;User ID=me;Password=****;" * 2
