from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from azpack import dependencies as module
from azpack import resolving
from azpack.dependencies import (
    LockRecord,
    find_dependencies,
    locate_distributions,
    renew_lock,
)
from azpack.deps import pip_tools, uv
from azpack.deps.lock import Lock, LockedDistribution, lock_text
from azpack.deps.requirements import find_requirements
from azpack.errors import AzpackError, ResolutionError, UsageError
from azpack.options import Options
from azpack.progress import Progress
from azpack.request import Request
from azpack.stopwatch import Stopwatch
from azpack.target.target import find_target

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.deps.resolver import Freedom

SHA = "ab" * 32
URL = "https://files.pythonhosted.org/a-1.0-py3-none-any.whl"
ENTRY = LockedDistribution(
    name="a", version="1.0", kind="wheel", url=URL, filename="a-1.0-py3-none-any.whl", sha256=SHA,
    tag="py3-none-any", reason="the only wheel that fits",
)  # fmt: skip


class Warnings(Progress):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is not the working folder."""
    # In a thread of its own, which pytest would take for one that a test left behind.
    monkeypatch.setattr(resolving, "_import_what_follows", lambda: None)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    root = tmp_path / "app"
    root.mkdir()
    return root


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the resolver was asked for; its answer is one wheel of `a`."""
    calls: list[dict[str, Any]] = []

    def resolve(
        requirements: Any, target: Any, indexes: Any, freedom: Freedom, **more: Any
    ) -> Lock:
        calls.append({"requirements": requirements, "indexes": indexes, **asdict(freedom), **more})
        return Lock(
            distributions=(ENTRY,), target=target.record(),
            requirements_digest=requirements.digest, files=requirements.files,
        )  # fmt: skip

    monkeypatch.setattr(uv, "resolve", resolve)
    return calls


def request(root: Path, python: str = "3.11", **options: Any) -> Request:
    return Request(
        root=root,
        target=find_target(root, python=python),
        options=Options(cache_dir=root.parent / "cache", **options),
        environ={"PIP_CONFIG_FILE": os.devnull},
        progress=Warnings(),
        clock=Stopwatch(),
    )


def warnings(asked: Request) -> list[str]:
    assert isinstance(asked.progress, Warnings)
    return asked.progress.messages


def write_lock(root: Path, requirements: str = "a\n", python: str = "3.11") -> Path:
    """Requirements, and the lock that `azpack lock` makes of them."""
    (root / "requirements.txt").write_text(requirements)
    found = find_requirements(root)
    assert found is not None
    lock = Lock(
        distributions=(ENTRY,),
        target=find_target(root, python=python).record(),
        requirements_digest=found.digest,
        files=found.files,
    )
    (root / "pylock.toml").write_text(lock_text(lock, root=root))
    return root / "pylock.toml"


def located(asked: Request) -> list[str]:
    found = locate_distributions(asked)
    entries = found.lock.distributions if found is not None else ()
    return [f"{entry.name} {entry.version}" for entry in entries]


def code_of(asked: Request) -> str:
    with pytest.raises(AzpackError) as caught:
        locate_distributions(asked)
    return caught.value.code


def test_the_resolver_that_is_chosen(
    root: Path, resolved: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "requirements.txt").write_text("a\n")
    stores = []

    def resolve(*arguments: Any, store: Any, **more: Any) -> Lock:
        stores.append(store.folder)
        return uv.resolve(*arguments, **more)

    monkeypatch.setattr(pip_tools, "resolve", resolve)
    assert located(request(root, resolver="pip-tools")) == ["a 1.0"]
    assert stores == [root.parent / "cache"]
    assert located(request(root)) == ["a 1.0"]
    assert (len(stores), len(resolved)) == (1, 2)
    # With a lock that fits there is nothing to choose.
    write_lock(root)
    assert located(request(root, resolver="pip-tools")) == ["a 1.0"]
    assert (len(stores), len(resolved)) == (1, 2)


def test_a_lock_that_fits_is_not_resolved_again(root: Path, resolved: list[Any]) -> None:
    write_lock(root)
    for locked in (False, True):
        asked = request(root, locked=locked)
        assert located(asked) == ["a 1.0"]
        assert warnings(asked) == []
    (root / "requirements.txt").write_text("# why\na   # because\n")
    assert located(request(root, locked=True)) == ["a 1.0"]
    (root / "requirements.txt").unlink()
    assert located(request(root, locked=True)) == ["a 1.0"]
    assert resolved == []


def test_a_lock_that_does_not_answer_the_requirements(root: Path, resolved: list[Any]) -> None:
    write_lock(root)
    (root / "requirements.txt").write_text("a\nb\n")
    asked = request(root)
    assert located(asked) == ["a 1.0"]
    (warning,) = warnings(asked)
    assert "pylock.toml does not fit: requirements.txt asks for something else now" in warning
    assert len(resolved) == 1
    assert code_of(request(root, locked=True)) == "lock-does-not-fit"
    assert len(resolved) == 1


def test_a_lock_for_another_target(root: Path, resolved: list[Any]) -> None:
    write_lock(root)
    asked = request(root, python="3.12")
    assert located(asked) == ["a 1.0"]
    assert "it is for Python 3.11." in warnings(asked)[0]
    assert "manylinux_2_36" in warnings(asked)[0]
    assert code_of(request(root, python="3.12", locked=True)) == "lock-does-not-fit"
    assert len(resolved) == 1
    # The plan changes no wheel.
    assert located(request(root, locked=True)) == ["a 1.0"]


def test_a_lock_of_another_tool_is_taken_as_it_is(root: Path, resolved: list[Any]) -> None:
    path = write_lock(root)
    path.write_text(path.read_text().partition("[tool.azpack]")[0])
    (root / "requirements.txt").write_text("something-else\n")
    for locked in (False, True):
        assert located(request(root, locked=locked)) == ["a 1.0"]
    assert resolved == []


@pytest.mark.parametrize(
    "table", ["[tool]\nazpack = 'x'\n", "[tool.azpack]\ntarget = 'x'\n", "[tool.other]\n", ""]
)
def test_records_of_other_types_are_none(root: Path, resolved: list[Any], table: str) -> None:
    path = write_lock(root)
    path.write_text(path.read_text().partition("[tool.azpack]")[0] + table)
    assert located(request(root)) == ["a 1.0"]
    assert resolved == []


def test_what_is_no_lock(root: Path, resolved: list[Any]) -> None:
    (root / "requirements.txt").write_text("a\n")
    for content, code in (
        ("<<<<<<<\n", "bad-toml"),
        ("x = 1\n", "bad-lock"),
        ("tool = 3\n", "bad-lock"),
    ):
        (root / "pylock.toml").write_text(content)
        assert code_of(request(root)) == code
    assert resolved == []


def test_locked_without_a_lock(root: Path, resolved: list[Any]) -> None:
    (root / "requirements.txt").write_text("a\n")
    with pytest.raises(ResolutionError) as caught:
        locate_distributions(request(root, locked=True))
    assert (caught.value.code, caught.value.exit_code) == ("no-lock", 3)
    assert "azpack lock" in caught.value.hint
    assert resolved == []


def test_locked_with_a_uv_lock(root: Path, resolved: list[Any]) -> None:
    (root / "uv.lock").touch()
    assert located(request(root, locked=True)) == ["a 1.0"]
    assert resolved[0]["locked"] is True


def test_without_any_requirements(root: Path, resolved: list[Any]) -> None:
    asked = request(root)
    assert located(asked) == []
    assert find_dependencies(asked, timestamp=0) is None
    assert "lists no dependencies" in warnings(asked)[0]
    (root / "requirements.txt").write_text("# none yet\n-c limits.txt\n")
    (root / "limits.txt").write_text("a<2\n")
    assert located(request(root)) == []
    assert resolved == []


def test_a_lock_that_is_named(root: Path, resolved: list[Any]) -> None:
    path = write_lock(root)
    path.rename(root / "pylock.prod.toml")
    (root / "requirements.txt").write_text("b\n")
    asked = request(root, requirements=("pylock.prod.toml",))
    assert located(asked) == ["a 1.0"]
    assert asked.lock_path() == root / "pylock.prod.toml"
    assert request(root).lock_path() == root / "pylock.toml"
    assert code_of(request(root, requirements=("pylock.none.toml",))) == "no-requirements-file"
    both = request(root, requirements=("pylock.prod.toml", "requirements.txt"))
    assert code_of(both) == "mixed-requirements"
    assert resolved == []


def test_where_distributions_come_from(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "requirements.txt").write_text("a\n")
    kinds: list[Any] = ["wheel", "sdist", "archive", "vcs", "directory"]
    entries = tuple(
        LockedDistribution(
            name=kind, version="1", kind=kind, url="https://files.pythonhosted.org/packages/x"
        )
        for kind in kinds
    )

    def resolve(*_: Any, **__: Any) -> Lock:
        return Lock(distributions=entries, target={})

    monkeypatch.setattr(uv, "resolve", resolve)
    located = locate_distributions(request(root))
    assert located is not None
    found = {entry.name: index for entry, index in located.with_indexes()}
    # No index lists what a requirement names by its address.
    pypi = "https://pypi.org/simple"
    assert found == dict.fromkeys(kinds) | {"wheel": pypi, "sdist": pypi}


def test_indexes_of_options_then_of_requirements(root: Path) -> None:
    (root / "wheels").mkdir()
    (root / "requirements.txt").write_text(
        "-i https://file.example\n--extra-index-url https://extra.file.example\n--no-index\n"
        "-f https://links.file.example\n"
    )
    found = find_requirements(root)
    asked = request(
        root,
        index_url="https://option.example",
        extra_index_url=("https://extra.option.example",),
        find_links=("wheels",),
    )
    settings = asked.indexes(found)
    assert settings.index_url == "https://option.example"
    assert settings.extra_index_urls == (
        "https://extra.option.example",
        "https://extra.file.example",
    )
    assert settings.find_links == ((root / "wheels").as_uri(), "https://links.file.example")
    assert settings.no_index
    assert request(root).indexes(found).index_url == "https://file.example"
    assert request(root).indexes(None).index_url == "https://pypi.org/simple"


def test_renewing_keeps_versions_unless_told(root: Path, resolved: list[Any]) -> None:
    path = write_lock(root)
    lock = renew_lock(request(root), upgrade_packages=["b"])
    assert lock.distributions == (ENTRY,)
    assert resolved[0]["preferred"] == path
    assert resolved[0]["upgrade_packages"] == ("b",)
    renew_lock(request(root), upgrade=True)
    assert resolved[1]["preferred"] is None


def test_renewing_with_locked_resolves_nothing(root: Path, resolved: list[Any]) -> None:
    write_lock(root)
    assert renew_lock(request(root, locked=True)).distributions == (ENTRY,)
    (root / "requirements.txt").write_text("b\n")
    with pytest.raises(ResolutionError):
        renew_lock(request(root, locked=True))
    assert resolved == []


def test_what_cannot_be_locked(root: Path, resolved: list[Any]) -> None:
    with pytest.raises(UsageError) as caught:
        renew_lock(request(root))
    assert caught.value.code == "nothing-to-lock"
    (root / "uv.lock").touch()
    for options in ({"upgrade": True}, {"upgrade_packages": ["a"]}):
        arguments: dict[str, Any] = dict(options)
        with pytest.raises(UsageError, match=r"uv\.lock") as caught:
            renew_lock(request(root), **arguments)
        assert "uv lock --upgrade" in caught.value.hint
    assert resolved == []


@pytest.mark.parametrize(
    "entry",
    [
        LockedDistribution(name="a", version="1", kind="wheel", url="", reason="of other files"),
        LockedDistribution(
            name="a", version="1", kind="archive", url="https://x", filename="a-1-py2-none-any.whl",
            reason="of other files",
        ),
    ],
)  # fmt: skip
def test_a_lock_never_holds_what_cannot_be_had(
    root: Path, monkeypatch: pytest.MonkeyPatch, entry: LockedDistribution
) -> None:
    def resolve(*_: Any, **__: Any) -> Lock:
        return Lock(distributions=(entry,), target={})

    monkeypatch.setattr(uv, "resolve", resolve)
    (root / "requirements.txt").write_text("a\n")
    with pytest.raises(ResolutionError, match="a 1 can't be locked: of other files"):
        renew_lock(request(root))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"record": {}, "distributions": [{"new": 1}], "segment": ""}']
)
def test_a_plan_that_cannot_be_read_is_none(root: Path, content: str) -> None:
    store = request(root).store
    store.record_plan("key", content)
    assert module._Plan.find(store, "key") is None


def test_a_plan_is_read_as_it_was_kept(root: Path) -> None:
    store = request(root).store
    record = LockRecord(requirements_digest="d", target={"python": "3.11.14"})
    built = module.InContainer(distributions=("a",), image="i", digest="sha256:0", before=("true",))
    for in_container in (None, built):
        plan = module._Plan(record=record, distributions=(), segment="s", in_container=in_container)
        plan.keep(store, "key")
        assert module._Plan.find(store, "key") == plan
    assert store.find_plan("key") == json.dumps(
        {"record": {"requirements_digest": "d", "target": {"python": "3.11.14"}},
         "distributions": [], "segment": "s",
         "in_container": {"distributions": ["a"], "image": "i", "digest": "sha256:0",
                          "before": ["true"]}}
    ).encode()  # fmt: skip


def test_plans_are_kept_apart(root: Path) -> None:
    keys = [
        module._plan_key(content, request(root, **options), timestamp)
        for content in (b"one", b"two")
        for timestamp in (0, 1)
        for options in (
            {}, {"python": "3.12"}, {"extras": ("a",)}, {"groups": ("a",)}, {"extras": ("a", "b")},
            {"mode": "local"}, {"mode": "docker"}, {"docker_image": "i"}, {"docker_before": ("i",)},
        )
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_distribution_without_a_hash_among_hashed_ones(root: Path, resolved: list[Any]) -> None:
    (root / "requirements.txt").write_text(f"b==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ResolutionError, match="has none for a") as caught:
        renew_lock(request(root))
    assert caught.value.code == "hash-missing"
    assert len(resolved) == 1
    (root / "requirements.txt").write_text(f"a==1 --hash=sha256:{'0' * 64}\n")
    assert renew_lock(request(root)).distributions == (ENTRY,)


def test_a_password_in_a_requirements_file_is_warned_of(root: Path, resolved: list[Any]) -> None:
    (root / "requirements.txt").write_text("--index-url https://me:secret@x.example/simple\na\n")
    asked = request(root)
    renew_lock(asked)
    assert len(resolved) == 1
    (warning,) = warnings(asked)
    assert "a password stands in an index's URL" in warning
    assert "secret" not in warning
