from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.distribution import NativeCode
from azpack.deps.needs import check_code, find_faults, read_code, survey
from azpack.errors import WheelError
from azpack.target.target import Target
from tests.objects import EM_386, EM_AARCH64, EM_X86_64, make_object, reading

if TYPE_CHECKING:
    from collections.abc import Collection

X86 = "x86_64-linux-gnu"


def target(python: str = "3.11", glibc: str = "2.31") -> Target:
    return Target(
        functions="4", python=python, full_version=f"{python}.1", glibc=glibc, plan="flex",
        end_of_support="2027-10-31", reason="asked for",
    )  # fmt: skip


def facts(
    objects: dict[str, bytes], *, others: Collection[str] = (), pure: bool = False
) -> NativeCode:
    codes = [
        code
        for name, content in objects.items()
        if (code := read_code(name, reading(content))) is not None
    ]
    return survey(codes, {*objects, *others}, pure=pure)


def needing(*versions: str, library: str = "libc.so.6", **more: Any) -> bytes:
    return make_object(versions=[(library, version) for version in versions], **more)


def module(name: str, **more: Any) -> bytes:
    return make_object(symbols=[f"PyInit_{name}"], **more)


# ---- versions


@pytest.mark.parametrize(
    ("library", "versions", "glibc", "fault"),
    [
        ("libc.so.6", ["GLIBC_2.31", "GLIBC_2.4"], "2.31", ""),
        ("libc.so.6", ["GLIBC_2.4", "GLIBC_2.34"], "2.31", "GLIBC_2.34, the target has GLIBC_2.31"),
        ("libc.so.6", ["GLIBC_2.34"], "2.36", ""),
        ("libm.so.6", ["GLIBC_2.38"], "2.36", "GLIBC_2.38, the target has GLIBC_2.36"),
        ("libc.so.6", ["GLIBC_ABI_DT_RELR"], "2.31", "GLIBC_ABI_DT_RELR, the target has"),
        ("libc.so.6", ["GLIBC_ABI_DT_RELR"], "2.36", ""),
        ("libc.so.6", ["GLIBC_PRIVATE", "GLIBC_2.31.x", "GLIBC"], "2.31", ""),
        ("libstdc++.so.6", ["GLIBCXX_3.4.28", "CXXABI_1.3.12"], "2.31", ""),
        ("libstdc++.so.6", ["GLIBCXX_3.4.29"], "2.31", "3.4.29, the target has GLIBCXX_3.4.28"),
        ("libstdc++.so.6", ["GLIBCXX_3.4.30"], "2.36", ""),
        ("libstdc++.so.6", ["CXXABI_1.3.13"], "2.31", "1.3.13, the target has CXXABI_1.3.12"),
        ("libstdc++.so.6", ["CXXABI_TM_1", "CXXABI_FLOAT128"], "2.31", ""),
        ("libgcc_s.so.1", ["GCC_12.0.0"], "2.31", "GCC_12.0.0, the target has GCC_7.0.0"),
        ("libgcc_s.so.1", ["GCC_14.0.0"], "2.39", ""),
        ("libz.so.1", ["ZLIB_9.9", "OPENSSL_9", "LIBX"], "2.31", ""),
        # Of a glibc that no image is known with, its own version is all that is known.
        ("libstdc++.so.6", ["GLIBCXX_9.9"], "2.28", ""),
    ],
)
def test_versions(library: str, versions: list[str], glibc: str, fault: str) -> None:
    found = facts({"x/y.so": needing(*versions, library=library)})
    faults = find_faults(found, target(glibc=glibc))
    assert len(faults) == bool(fault)
    assert all(it.startswith("x/y.so needs ") and fault in it for it in faults)


def test_the_newest_of_each_family_is_noted_with_its_file() -> None:
    found = facts(
        {
            "a.so": needing("GLIBC_2.9", "GLIBC_2.17"),
            "b.so": needing("GLIBC_2.14", "GLIBC_2.28"),
            "c.so": needing("GLIBCXX_3.4.9", "CXXABI_1.3.2", library="libstdc++.so.6"),
            "d.so": needing("GLIBC_2.28"),
            "arm.so": needing("GLIBC_2.99", machine=EM_AARCH64),
        }
    )
    assert found.versions == (
        ("GLIBC_2.28", "b.so"), ("GLIBCXX_3.4.9", "c.so"), ("CXXABI_1.3.2", "c.so"),
    )  # fmt: skip
    assert find_faults(found, target("3.10", "2.27")) == [
        "b.so needs GLIBC_2.28, the target has GLIBC_2.27"
    ]


@pytest.mark.parametrize(
    ("name", "soname", "brought"),
    [
        ("demo.libs/libgcc_s-0a1b2c.so.1", "libgcc_s-0a1b2c.so.1", True),
        ("demo/lib/libgcc_s-0a1b2c.so.1", "", True),
        ("demo/lib/other.so", "libgcc_s-0a1b2c.so.1", True),
        ("demo/lib/libgcc_s.so.1", "libgcc_s.so.1", False),
    ],
)
def test_libraries_that_the_wheel_brings(name: str, soname: str, brought: bool) -> None:
    needs = needing("GCC_99.0.0", library="libgcc_s-0a1b2c.so.1")
    found = facts({"demo/x.so": needs, name: make_object(soname=soname)})
    assert ("GCC_99.0.0", "demo/x.so") not in found.versions or not brought
    assert bool(find_faults(found, target())) is not brought


# ---- machines


@pytest.mark.parametrize("pure", [True, False])
def test_all_is_for_another_machine(pure: bool) -> None:
    found = facts({"x/liba.so": make_object(machine=EM_AARCH64)}, pure=pure)
    assert find_faults(found, target()) == ["x/liba.so is for aarch64, Azure runs x86_64 (glibc)"]
    musl = make_object(needed=["libc.musl-x86_64.so.1"], versions=[])
    found = facts({"x/liba.so": musl, "x/libb.so": musl}, pure=pure)
    assert found.machines == (("x86_64 with musl", "x/liba.so"),)


def test_what_is_not_for_linux_is_data_of_a_pure_wheel() -> None:
    phone = make_object(machine=EM_AARCH64, needed=["libc.so"], versions=[])
    board = make_object(machine=EM_386, wide=False, kind=2, static=True)
    for name, content in (("x/liba.so", phone), ("x/a", phone), ("x/a.elf", board)):
        assert facts({name: content}, pure=True).machines == ()
        assert facts({name: content}, pure=False).machines != ()
        assert facts({f"x/a.cpython-311-{X86}.so": content}, pure=True).machines != ()
    for name in ("x/liba.so", "x/liba.so.1.2"):
        lonely = make_object(machine=EM_AARCH64, needed=[], versions=[])
        assert facts({name: lonely}, pure=True).machines == (("aarch64", name),)


def test_a_library_for_each_machine() -> None:
    libraries = {
        "x/linux/liba.so": make_object(),
        "x/linux-arm/liba.so": make_object(machine=EM_AARCH64),
        "x/linux-i386/liba.so": make_object(machine=EM_386, wide=False),
        "x/alpine/liba.so": make_object(needed=["ld-musl-x86_64.so.1"]),
    }
    assert facts(libraries) == ((), (("GLIBC_2.2.5", "x/linux/liba.so"),), ())


@pytest.mark.parametrize("name", [f"x/a.cpython-311-{X86}.so", "x/a.abi3.so", "x/a.so"])
def test_a_module_for_another_machine(name: str) -> None:
    content = module("a", machine=EM_AARCH64)
    found = facts({"x/liba.so.1": make_object(), name: content})
    assert found.machines == (("aarch64", name),)
    # One for each machine, where something chooses among the folders.
    found = facts({"x/arm/" + name: content, "x/pc/" + name: module("a")})
    assert found.machines == ()
    # By its name Python passes over it.
    found = facts({"x/a.cpython-311-aarch64-linux-gnu.so": content, "x/b.abi3.so": module("b")})
    assert (found.machines, find_faults(found, target())) == ((), [])


# ---- modules


@pytest.mark.parametrize(
    ("tags", "fault"),
    [
        ([f".cpython-311-{X86}"], ""),
        ([".abi3"], ""),
        ([""], ""),
        ([f".cpython-310-{X86}", f".cpython-311-{X86}", f".cpython-312-{X86}"], ""),
        ([f".cpython-312-{X86}", ".abi3"], ""),
        ([f".cpython-312-{X86}"], "is for CPython 3.12, the target is CPython 3.11"),
        ([f".cpython-311d-{X86}"], "is for CPython 3.11d, the target"),
        ([f".cpython-313t-{X86}"], "is for CPython 3.13t, the target"),
        ([".cpython-311-x86_64-linux-musl"], "is for cpython-311-x86_64-linux-musl, the target"),
        ([f".pypy311-pp73-{X86}"], f"is for pypy311-pp73-{X86}, the target"),
        ([".cpython-311-aarch64-linux-gnu"], "is for cpython-311-aarch64-linux-gnu, the target"),
        ([".1.2"], ""),  # a library with its version in its name
    ],
)
def test_modules_by_their_names(tags: list[str], fault: str) -> None:
    found = facts({f"x/a{tag}.so": module("a") for tag in tags})
    faults = find_faults(found, target())
    assert len(faults) == bool(fault)
    assert all(it.startswith("x/a.") and fault in it for it in faults)


def test_one_of_several_modules_is_enough() -> None:
    old = {f"x/b.cpython-38-{X86}.so": module("b"), f"x/a.cpython-39-{X86}.so": module("a")}
    faults = find_faults(facts(old), target())
    assert [fault.partition(", ")[0] for fault in faults] == [
        f"x/b.cpython-38-{X86}.so is for CPython 3.8",
        f"x/a.cpython-39-{X86}.so is for CPython 3.9",
    ]
    # Libraries do not stand in for it, whatever their names; a module without a tag does.
    assert find_faults(facts({**old, "x/libc.so": make_object()}), target()) == faults
    assert find_faults(facts({**old, "x/c.so": module("c")}), target()) == []
    assert find_faults(facts({**old, f"x/c.cpython-311-{X86}.so": module("c")}), target()) == []


def test_a_module_that_python_finds_as_source() -> None:
    name = f"x/a.cpython-312-{X86}.so"
    assert find_faults(facts({name: module("a")}, others={"x/a.py"}), target()) == []
    assert find_faults(facts({name: module("a")}, others={"a.py", "x/b.py"}), target()) != []
    top = f"a.cpython-312-{X86}.so"
    assert find_faults(facts({top: module("a")}, others={"a.py"}), target()) == []


def test_a_library_of_which_it_is_not_known_whether_it_is_a_module() -> None:
    large = make_object(symbols=[f"{'x' * 1000}{number}" for number in range(5000)])
    found = facts({"x/a.so": large, f"x/b.cpython-38-{X86}.so": module("b")})
    assert find_faults(found, target()) == []


# ---- the error


def test_the_error_names_it_all() -> None:
    found = NativeCode(
        machines=tuple((f"m{n}", f"f{n}") for n in range(3)),
        versions=(("GLIBC_2.34", "a.so"), ("GCC_12.0.0", "b.so")),
        abis=((f"cpython-38-{X86}", "c.so"),),
    )
    with pytest.raises(WheelError) as caught:
        check_code("demo-1.0-py3-none-any.whl", found, target())
    error = caught.value
    assert (error.code, error.exit_code) == ("does-not-fit", 4)
    assert error.message.startswith("demo-1.0-py3-none-any.whl does not run on the target: f0 is ")
    assert error.message.endswith("b.so needs GCC_12.0.0, the target has GCC_7.0.0; and 1 more")
    assert len(error.context["faults"]) == 6  # type: ignore[arg-type]
    assert "another version" in error.hint
    check_code("demo-1.0-py3-none-any.whl", NativeCode((), (), ()), target())


NAMES = st.sampled_from([
    "a.so", "x/a.so", "x/liba.so.1", "x/a.abi3.so", f"x/a.cpython-311-{X86}.so", "bin/run",
    f"y/b.cpython-312-{X86}.so", "x/a.cpython-311-aarch64-linux-gnu.so", "x/.so", "x/é.so",
    "x/..so", "a\n.so",
])  # fmt: skip
VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["libc.so.6", "liba.so.1"]),
        st.sampled_from(["GLIBC_2.31", "GLIBC_2.99", "GLIBCXX_3.4", "GLIBC_", "_", "GCC_1.²"])
        | st.text(max_size=5).filter(lambda text: "\0" not in text),
    ),
    max_size=4,
)
OBJECTS = st.builds(
    make_object,
    machine=st.sampled_from([EM_X86_64, EM_AARCH64]),
    versions=VERSIONS,
    symbols=st.sampled_from([[], ["PyInit_a"]]),
)


@given(objects=st.dictionaries(NAMES, OBJECTS, max_size=4), pure=st.booleans())
def test_any_wheel_has_an_answer(objects: dict[str, bytes], pure: bool) -> None:
    found = facts(objects, pure=pure)
    for rows in found:
        assert all(name in objects for _, name in rows)
    faults = find_faults(found, target())
    assert all(isinstance(fault, str) for fault in faults)
    # What fits the older glibc, fits the newer one.
    newer = find_faults(found, target("3.11", "2.36"))
    assert len(newer) <= len(faults)
