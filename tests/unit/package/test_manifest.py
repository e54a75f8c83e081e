from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.distribution import Distribution
from azpack.errors import FileError
from azpack.package.assemble import Package, PackedFile
from azpack.package.manifest import companions_of, make_manifest, write_companions
from azpack.remote import RemoteBuild
from azpack.target.plans import find_publishing
from azpack.target.target import find_target
from tests.manifests import check_manifest

if TYPE_CHECKING:
    from pathlib import Path


def package_at(path: Path, *, sha256: str | None = None) -> Package:
    return Package(
        path=path,
        content_digest="c" * 64,
        sha256=sha256,
        size=10,
        uncompressed_size=20,
        entries=1,
        files=(PackedFile(path="é/run.sh", mode=0o755, size=20, sha256="f" * 64),),
    )


def manifest_of(
    package: Package, *, plan: str = "flex", mode: str = "local", remote: RemoteBuild | None = None
) -> dict[str, Any]:
    return make_manifest(
        package,
        version="1.2",
        mode=mode,
        mode_reason="asked for",
        target=find_target(package.path.parent, python="3.12", functions="4", plan=plan),
        distributions=[
            Distribution(
                name="one",
                version="1.0",
                filename="one-1.0-py3-none-any.whl",
                sha256="a" * 64,
                index="https://pypi.org/simple",
                source="wheel",
                tag="py3-none-any",
            )
        ],
        publishing=find_publishing(
            plan, mode=mode, package=package.path.name, settings_file="app.settings.json",
            python="3.12", more_settings=remote.app_settings if remote else {},
        ),
        remote=remote,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("app.zip", ["app.manifest.json", "app.settings.json", "app.zip.sha256"]),
        ("a.b.zip", ["a.b.manifest.json", "a.b.settings.json", "a.b.zip.sha256"]),
        ("app", ["app.manifest.json", "app.settings.json", "app.zip.sha256"]),
    ],
)
def test_names(output: str, names: list[str], tmp_path: Path) -> None:
    found = companions_of(tmp_path / output)
    assert [found.manifest, found.settings, found.checksum] == [tmp_path / name for name in names]


def test_manifest(tmp_path: Path) -> None:
    package = package_at(tmp_path / "app.zip")
    manifest = manifest_of(package)
    assert manifest == manifest_of(package)
    assert manifest["schema_version"] == 1
    assert manifest["created_by"] == "azpack 1.2"
    assert manifest["package"] == {
        "name": "app.zip",
        "content_digest": "c" * 64,
        "sha256": None,
        "size": 10,
        "uncompressed_size": 20,
        "entries": 1,
    }
    assert (manifest["mode"], manifest["mode_reason"]) == ("local", "asked for")
    assert manifest["target"] == {
        "functions": "4", "python": "3.12", "platform": "manylinux_2_36_x86_64", "glibc": "2.36",
        "plan": "flex",
    }  # fmt: skip
    assert manifest["files"] == [
        {"path": "é/run.sh", "mode": "755", "size": 20, "sha256": "f" * 64}
    ]
    assert manifest["distributions"] == [
        {
            "name": "one",
            "version": "1.0",
            "filename": "one-1.0-py3-none-any.whl",
            "sha256": "a" * 64,
            "index": "https://pypi.org/simple",
            "source": "wheel",
            "tag": "py3-none-any",
        }
    ]
    assert manifest["remote_build"] is None
    assert all("app.zip" in command for command in manifest["publish"].values())
    assert str(tmp_path) not in json.dumps(manifest)


REMOTE = RemoteBuild(
    written={"requirements.txt": b"a==1\n"},
    hashed=True,
    indexes=("https://me:${TOKEN}@feed.example/simple", "https://pypi.org/simple"),
    app_settings={"PIP_EXTRA_INDEX_URL": "https://me:${TOKEN}@feed.example/simple"},
    source="pyproject.toml",
)


@pytest.mark.parametrize("plan", ["flex", "consumption", "premium", "dedicated"])
@pytest.mark.parametrize("mode", ["local", "none", "docker", "remote"])
def test_every_manifest_is_as_its_schema_has_it(plan: str, mode: str, tmp_path: Path) -> None:
    remote = REMOTE if mode == "remote" else None
    manifest = manifest_of(package_at(tmp_path / "app.zip"), plan=plan, mode=mode, remote=remote)
    check_manifest(json.loads(json.dumps(manifest)))
    names = {row["name"]: row["value"] for row in manifest["app_settings"]["set"]}
    if remote is None:
        assert not any(name.startswith("PIP_") for name in names)
    else:
        assert manifest["remote_build"]["indexes"][0] == names["PIP_EXTRA_INDEX_URL"]
        assert "${TOKEN}" in names["PIP_EXTRA_INDEX_URL"]


@pytest.mark.parametrize(
    "change",
    [
        {"remote_build": None}, {"mode": "auto"}, {"more": 1}, {"publish": {"az": "az"}},
        {"app_settings": {"set": [{"name": "A", "value": 1}], "unset": []}},
    ],
)  # fmt: skip
def test_the_schema_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    manifest = manifest_of(package_at(tmp_path / "app.zip"), mode="remote", remote=REMOTE)
    with pytest.raises(AssertionError):
        check_manifest(json.loads(json.dumps({**manifest, **change})))


@pytest.mark.parametrize("plan", ["flex", "consumption", "premium", "dedicated"])
def test_settings_are_what_az_reads(plan: str, tmp_path: Path) -> None:
    package = package_at(tmp_path / "app.zip")
    companions = companions_of(package.path)
    manifest = manifest_of(package, plan=plan)
    write_companions(companions, manifest, package)
    settings = json.loads(companions.settings.read_bytes())
    assert settings == manifest["app_settings"]["set"]
    for setting in settings:
        assert set(setting) == {"name", "value"}
        assert isinstance(setting["value"], str)
    assert not {setting["name"] for setting in settings} & set(manifest["app_settings"]["unset"])


def test_written_manifest_is_utf8(tmp_path: Path) -> None:
    package = package_at(tmp_path / "äpp.zip")
    companions = companions_of(package.path)
    write_companions(companions, manifest_of(package), package)
    content = companions.manifest.read_bytes()
    assert json.loads(content) == manifest_of(package)
    assert "é/run.sh".encode() in content
    assert content.endswith(b"}\n")
    assert sorted(os.listdir(tmp_path)) == ["äpp.manifest.json", "äpp.settings.json"]


def test_zip_whose_name_is_not_utf8(tmp_path: Path) -> None:
    package = package_at(tmp_path / os.fsdecode(b"caf\xe9.zip"), sha256="1" * 64)
    companions = companions_of(package.path)
    write_companions(companions, manifest_of(package), package)
    manifest = json.loads(companions.manifest.read_bytes())
    assert os.fsencode(manifest["package"]["name"]) == b"caf\xe9.zip"
    assert companions.checksum.read_bytes() == b"1" * 64 + b"  caf\xe9.zip\n"


def test_checksum(tmp_path: Path) -> None:
    path = tmp_path / "app.zip"
    path.write_bytes(b"zip")
    package = package_at(path, sha256=hashlib.sha256(b"zip").hexdigest())
    companions = companions_of(path)
    write_companions(companions, manifest_of(package), package)
    assert companions.checksum.read_text() == f"{package.sha256}  app.zip\n"
    assert json.loads(companions.manifest.read_bytes())["package"]["sha256"] == package.sha256
    # The next build without a checksum takes away the one that would be of another zip.
    write_companions(companions, manifest_of(package_at(path)), package_at(path))
    assert not companions.checksum.exists()


def test_companion_that_can_not_be_written(tmp_path: Path) -> None:
    package = package_at(tmp_path / "app.zip")
    companions = companions_of(package.path)
    companions.manifest.mkdir()
    with pytest.raises(FileError, match=r"app\.manifest\.json can't be written"):
        write_companions(companions, manifest_of(package), package)
