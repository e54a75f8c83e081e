"""Packages that are made to take long, or to fill the memory, when somebody looks into them.

Each class is a function of a number, which says how large it becomes: that of `LARGEST` is what
such a package could be like at its worst, with at most 100 MB to publish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.objects import make_object
from tests.packages import APP, SITE, distribution, raw_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LARGEST", "write_hostile"]

_FUNCTION = b'{"bindings": [{"name": "t", "type": "timerTrigger", "direction": "in"%s}]}'
_MAIN = b"def main(t):\n    pass\n"
_APP = APP["function_app.py"]
_SECRET = b"AccountKey=" + b"aB3x9/+Qz7" * 8 + b"aB3x9/=="
_DIST = f"{SITE}one-1.0.dist-info/"

Files = dict[str, bytes]


def _script(text: bytes) -> Files:
    """The app's script, ended where more of it would not be read at all."""
    text = text[: (4 << 20) - 1000]
    return {"function_app.py": _APP + b"\n" + text}


def _function_json(count: int) -> Files:
    large = _FUNCTION % (b', "x": [' + b"0," * (1 << 20) + b"0]")
    return {f"F{at}/function.json": large for at in range(count)}


def _function_json_of_text(count: int) -> Files:
    large = _FUNCTION % (b', "x": "' + b"0" * (4 << 20) + b'"')
    return {f"F{at}/function.json": large for at in range(count)}


def _functions(count: int) -> Files:
    files = {f"F{at}/function.json": _FUNCTION % b"" for at in range(count)}
    return files | {f"F{at}/__init__.py": _MAIN for at in range(count)}


def _functions_of_one_script(count: int) -> Files:
    table = _FUNCTION % b', "scriptFile": "../shared/run.py"'
    table = table.replace(b"]}", b'], "scriptFile": "../shared/run.py"}')
    files = {f"F{at}/function.json": table for at in range(count)}
    return files | {"shared/run.py": b"x = 1\n" * 40_000 + _MAIN}


def _functions_with_large_scripts(count: int) -> Files:
    files = _functions(count)
    script = b"import nowhere\n" + b"f(a, b.c)\n" * 20_000 + _MAIN
    return files | {f"F{at}/__init__.py": script for at in range(count)}


def _modules_in_a_circle(count: int) -> Files:
    everything = b"".join(b"import m%d\n" % at for at in range(count))
    return _script(b"import m0\n") | {f"m{at}.py": everything for at in range(count)}


def _chain_of_modules(count: int) -> Files:
    files = {f"m{at}.py": b"import m%d\nimport azure.functions\n" % (at + 1) for at in range(count)}
    return _script(b"import m0\n") | files | {f"m{count}.py": b"x = FunctionApp\n"}


def _blueprints_that_nobody_imports(count: int) -> Files:
    text = b"from shared import x\nbp = func.Blueprint()\n"
    files = {f"b{at}.py": text for at in range(count)}
    return _script(b"") | files | {"shared.py": b"x = 1  # Blueprint()\n" * 20_000}


def _long_expression(size: int) -> Files:
    return _script(b"import nowhere\nx = " + b"a+" * (size // 2) + b"a\n")


def _lambdas(size: int) -> Files:
    return _script(b"import nowhere\nx = [" + b"lambda:0," * (size // 9) + b"]\n")


def _nested_expression(size: int) -> Files:
    return _script(b"import nowhere\nx = " + b"-" * size + b"1\n")


def _many_large_modules(count: int) -> Files:
    text = b"import nowhere, azure.functions\nx = [" + b"a+b," * 40_000 + b"]\n"
    names = b"".join(b"import m%d\n" % at for at in range(count))
    return _script(names) | {f"m{at}.py": text for at in range(count)}


def _import_lines(size: int) -> Files:
    return _script(b"import a.b.c.d.e.f.g.h\n" * (size // 23))


def _one_import_of_many(size: int) -> Files:
    return _script(b"import " + b"a." * size + b"a\n" + b"from " + b"." * size + b" import a\n")


def _doubling(kind: str) -> Callable[[int], Files]:
    lines = {
        "list": b"x = [1]\n", "text": b"x = 'ab'\n", "format": b"x = 'ab'\n",
        "graph": b"x = [app]\n",
        "app": b"", "extend": b"x = [app]\n", "doubts": b"x.append(app)\n",
    }  # fmt: skip
    step = {
        "list": b"x = x + x\n", "text": b"x = x + x\n", "format": b"x = f'{x}{x}'\n",
        "graph": b"x = [x, x]\n", "app": b"app.register_functions(app)\n",
        "extend": b"x.extend(x)\n", "doubts": b"g(app)\napp.register_functions(app)\n",
    }  # fmt: skip
    end = {"graph": b"f(x)\n"}
    return lambda count: _script(lines[kind] + step[kind] * count + end.get(kind, b""))


def _loops(count: int) -> Files:
    text = b"many = [" + b"1," * 200 + b"]\n"
    for at in range(count):
        text += b" " * at + b"for x%d in many:\n" % at
    return _script(text + b" " * count + b"app.route(x0)\n")


def _circle_of_lists(count: int) -> Files:
    return _script(b"a = []\nb = [a]\na.append(b)\nf(a)\n" * count)


def _branches(count: int) -> Files:
    names = b"".join(b"a%d = 1\n" % at for at in range(count))
    return _script(names + b"if x: y = 1\n" * count)


def _decorators(count: int) -> Files:
    text = b"def d(f):\n def g(): pass\n " + b"a;" * 20_000 + b"\n return g\n"
    return _script(text + b"@d\ndef h(): pass\n" * count)


def _finally_in_finally(depth: int) -> Files:
    text = b""
    for at in range(depth):
        text += b" " * at + b"try: pass\n" + b" " * at + b"finally:\n"
    return _script(text + b" " * depth + b"pass;" * 1000 + b"\n")


def _ways_to_finally(count: int) -> Files:
    text = b"def f():\n try:\n" + b"  if a: return\n" * count + b" finally:\n"
    return _script(text + b"  a\n" * count)


def _list_without_end(count: int) -> Files:
    return _script(b"from a import (\n" * count)


def _package_id(size: int) -> Files:
    bundle = b'{"id": "%s!", "version": "[%sx"}' % (b"_" * size, b" " * size)
    return {"host.json": b'{"version": "2.0", "extensionBundle": %s}' % bundle}


def _range(size: int) -> Files:
    bundle = b'{"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[%sx"}'
    return {"host.json": b'{"version": "2.0", "extensionBundle": %s}' % (bundle % (b" " * size))}


def _numbers(size: int) -> Files:
    digits = b"9" * size
    return {
        "host.json": b'{"version": 0x%s, "functionTimeout": "%s.00:00:00"}' % (digits, digits),
        "F/function.json": b'{"bindings": [{"direction": 0x%s}]}' % digits,
        f"{SITE}one-1.0.dist-info/METADATA": b"Name: one\nVersion: %s\n" % digits,
        f"{SITE}one-1.0.dist-info/WHEEL": b"Tag: cp3%s-cp3%s-linux_x86_64\n" % (digits, digits),
        f"{SITE}one-1.0.dist-info/RECORD": b"one.py,,%s\n" % digits,
        f"{SITE}two-1.0.dist-info/METADATA": b"Name: two\nVersion: 1\nRequires-Python: >%s\n"
        b"Requires-Dist: one<%s\n" % (digits, digits),
        f"{SITE}three-1.0.dist-info/METADATA": b"Name: grpcio\nVersion: %s\n" % digits,
        "requirements.txt": b"azure-functions==%s\ngrpcio==%s\nprotobuf<%s\n" % ((digits,) * 3),
        f"{SITE}x.cpython-3{'9' * 200}-x.so": b"",
        f"{SITE}y.so": make_object(versions=[("libc.so.6", "GLIBC_2..5")]),
    }


def _fields(size: int) -> Files:
    lines = b"".join(b"%x:\n" % at for at in range(size // 6))
    return {f"{_DIST}METADATA": b"Name: one\nVersion: 1\n" + lines, f"{_DIST}RECORD": b""}


def _functions_within(count: int) -> Files:
    text = b"def f():\n  " + b"app;" * 50_000 + b"\n  app.register_functions(g)\n"
    return _script(b"many = [" + b"1," * 200 + b"]\nfor x in many:\n " + text.replace(b"\n", b"\n ")
                   + b"\n") if count else {}  # fmt: skip


def _host_json(size: int) -> Files:
    return {"host.json": b'{"version": "2.0", "x": [' + b"0," * (size // 2) + b"0]}"}


def _host_json_keys(count: int) -> Files:
    keys = b"".join(b'"extensionBundel%d": 0,' % at for at in range(count))
    return {"host.json": b'{"version": "2.0",' + keys + b'"x": 0}'}


def _comment(size: int) -> Files:
    return {"host.json": b"/*" * size + b"{"}


def _texts(count: int) -> Files:
    text = b"some text of no interest AccountKey=\n" * 100_000
    return {f"t{at}.txt": text for at in range(count)}


def _near_secrets(size: int) -> Files:
    parts = {
        "server": b"server=" * (size // 7) + b"Password=",
        "sas": b"?sv=" * (size // 4) + b"sig=",
        "key": b"-----BEGIN PRIVATE KEY-----" + b"\\n" * (size // 2),
        "begin": b"-----BEGIN " + b"A" * size + b" PRIVATE KEY-----",
        "base64": b"A" * size + b"+ASt",
        "lines": b"AccountKey=" + b"aB3" * 28 + b"ab==\n" if size else b"",
    }
    return {f"{name}.txt": text for name, text in parts.items()}


def _many_secrets(size: int) -> Files:
    return {"secrets.txt": (_SECRET + b"\n") * (size // 100)}


def _requirements(count: int) -> Files:
    text = b"".join(b"one%d==1.0 ; python_version > '3'\n" % at for at in range(count))
    return {"requirements.txt": text}


def _requirement_of_extras(count: int) -> Files:
    return {"requirements.txt": b"one[" + b"a," * count + b"a]\n" + b"one" + b"-" * count + b"!\n"}


def _requirement_files(count: int) -> Files:
    names = b"".join(b"-r r%d.txt\n" % at for at in range(count))
    files = {f"r{at}.txt": names + b"one \\\n" * 10_000 for at in range(count)}
    return {"requirements.txt": names} | files


def _continued(size: int) -> Files:
    return {"requirements.txt": b"a\\\n" * (size // 3)}


def _markers(count: int) -> Files:
    marker = b" and ".join([b"python_version > '3'"] * count)
    return {"requirements.txt": b"one; " + marker + b"\n" + b"two; " + b"(" * count + b"\n"}


def _metadata(size: int) -> Files:
    lines = b"Name: one\nVersion: 1.0\n" + b"Requires-Dist: two\n" * 1000
    return {f"{_DIST}METADATA": lines + b"Classifier: x\n" * (size // 14), f"{_DIST}RECORD": b""}


def _record(rows: int) -> Files:
    text = b"".join(b"one/%d.py,,0\n" % at for at in range(rows))
    return distribution("one") | {f"{_DIST}RECORD": text}


def _record_of_quotes(size: int) -> Files:
    return distribution("one") | {f"{_DIST}RECORD": b'"' + b"a\n" * (size // 2) + b'",,'}


def _distributions(count: int) -> Files:
    files: Files = {}
    for at in range(count):
        info = f"{SITE}d{at}-1.0.dist-info/"
        files[f"{info}METADATA"] = b"Name: d%d\nVersion: 1.0\nRequires-Dist: d%d[a]\n" % (
            at,
            at + 1,
        )
        files[f"{info}RECORD"] = b""
    return files


def _roots(count: int) -> Files:
    files: Files = {}
    for at in range(count):
        files[f"r{at}/d{at}-1.0.dist-info/METADATA"] = b"Name: d\nVersion: 1.0\n"
        files[f"r{at}/d{at}-1.0.dist-info/RECORD"] = b""
        files[f"s{at}/x"] = b""
    return files


def _extras(count: int) -> Files:
    lines = [f"Requires-Dist: two[e{at}]; extra == 'e{at}'" for at in range(count)]
    back = [f"Requires-Dist: one[e{at + 1}]; extra == 'e{at}'" for at in range(count)]
    files = distribution("one") | distribution("two") | {"requirements.txt": b"one[e0]\n"}
    files[f"{_DIST}METADATA"] = "\n".join(["Name: one\nVersion: 1.0", *lines]).encode()
    two = f"{SITE}two-1.0.dist-info/METADATA"
    return files | {two: "\n".join(["Name: two\nVersion: 1.0", *back]).encode()}


def _same_distribution(count: int) -> Files:
    files: Files = {}
    for at in range(count):
        info = f"{SITE}d-{at}.dist-info/"
        files[f"{info}METADATA"] = b"Name: d\nVersion: %d\nRequires-Dist: e%d\n" % (at, at)
        files[f"{info}RECORD"] = b""
    return files


def _large_object(size: int) -> Files:
    return {f"{SITE}one.so": make_object(needed=("libc.so.6",)) + bytes(size)}


def _objects(count: int) -> Files:
    return {f"{SITE}m{at}.so": make_object(symbols=[f"PyInit_m{at}"]) for at in range(count)}


def _object_with_versions(count: int) -> Files:
    versions = [("libc.so.6", f"GLIBC_{'9' * 300}.{at}") for at in range(count)]
    return {f"{SITE}one.so": make_object(versions=versions)}


def _environments(count: int) -> Files:
    files = {f"v{at}/pyvenv.cfg": b"" for at in range(count)}
    return files | {f"v{at}/x": b"" for at in range(count)}


def _folders_of_modules(count: int) -> Files:
    names = "/".join(f"p{at}" for at in range(180))
    imports = names.replace("/", ".").encode()
    lines = b"".join(b"import %s.m%d\n" % (imports, at) for at in range(count))
    return _script(lines) | {f"{names}/m{at}.py": b"import nowhere\n" for at in range(count)}


def _entries(count: int) -> Files:
    return {f"data/{at:06}.bin": b"" for at in range(count)}


def _entries_with_long_names(count: int) -> Files:
    return {f"{'d' * 200}/{'e' * 200}/{at:06}.bin": b"" for at in range(count)}


def _deep_folders(count: int) -> Files:
    return {"/".join(f"{at}" for _ in range(190)): b"" for at in range(count)}


def _bare_files_with_heads(count: int) -> Files:
    return {f"d/{at}": b"\x7fELF" + bytes(200) for at in range(count)}


def _names_by_case(count: int) -> Files:
    return {f"d/{at}{letter}": b"" for at in range(count) for letter in "Aa"}


def _blueprints(count: int) -> Files:
    text = b"import azure.functions as func\nbp = func.Blueprint()\n@bp.route()\ndef f(req): pass\n"
    return {f"b{at}.py": text for at in range(count)}


def _missing_modules(count: int) -> Files:
    return _script(b"".join(b"import missing%d\n" % at for at in range(count)))


def _sparse_objects(count: int) -> Files:
    sparse = make_object(gaps=(100 << 20, 100 << 20, 100 << 20))
    return {f"{SITE}m{at}.so": sparse for at in range(count)}


def _comments_that_ignore(size: int) -> Files:
    return {"function_app.py": b"# azpack: ignore[AZP106]\n" * (size // 25) + b"def (:\n"}


def _imported(modules: Files) -> Files:
    """An app that is certain to import modules."""
    names = (path.removesuffix(".py").replace("/", ".") for path in modules)
    return _script(b"".join(b"import %s\n" % name.encode() for name in names)) | modules


def _modules_of_finally(count: int) -> Files:
    text = b""
    for at in range(15):
        text += b" " * at + b"try: pass\n" + b" " * at + b"finally:\n"
    return _imported({f"m{at}.py": text + b" " * 15 + b"pass;" * 1000 for at in range(count)})


def _broken_modules(count: int) -> Files:
    text = b"x = [" + b"a+b," * 40_000 + b"]\ndef (\n"
    nested = {f"n{at}.py": b"x = " + b"-" * 100_000 for at in range(count)}
    return _imported({f"m{at}.py": text for at in range(count)} | nested)


def _submodules(count: int) -> Files:
    names = b", ".join(b"m%d" % at for at in range(count))
    files = {f"p/m{at}.py": b"def (\n" if at % 100 == 0 else b"" for at in range(count)}
    text = b"# of m and of n\n" * 200_000
    return _script(b"from p import " + names + b"\n") | files | {"p/__init__.py": text}


def _annotations(count: int) -> Files:
    union = b"|".join([b"str", *[b"int"] * 90])
    text = b"".join(
        b"@app.route()\ndef f%d(req: %s, context: '%s'): pass\n" % (at, union, union)
        for at in range(count)
    )
    return _script(text)


def _long_annotations(size: int) -> Files:
    quoted = b"|".join([b"str"] * (size // 4))
    nested = b"list[" * 80 + b"str" + b"]" * 80
    text = b"@app.route()\ndef f(req: '%s'): pass\n@app.route()\ndef g(req: %s): pass\n"
    return _script(text % (quoted, nested))


def _missing_names(count: int) -> Files:
    line = b"@app.route()\ndef f%d(req: Nowhere): pass\n"
    return _script(b"".join(line % at for at in range(count)))


def _global_names(count: int) -> Files:
    names = b", ".join(b"a%d" % at for at in range(count))
    text = b"def f():\n  global " + names + b"\n  app.register_functions(g)\n"
    return _script(text + b"f()\n" * count)


def _entry_points_made_when_run(count: int) -> Files:
    files = _functions_of_one_script(count)
    return files | {"shared/run.py": b"x = 1\n" * 40_000}


def _parameters(count: int) -> Files:
    names = b", ".join(b"a%d" % at for at in range(count))
    bindings = b", ".join(
        b'{"name": "b%d", "type": "blob", "direction": "in"}' % at for at in range(count // 6)
    )
    table = b'{"scriptFile": "../shared/run.py", "bindings": [%s]}' % bindings
    files = {f"F{at}/function.json": table for at in range(3)}
    small = table.replace(bindings, b'{"name": "t", "type": "timerTrigger", "direction": "in"}')
    files |= {f"G{at}/function.json": small for at in range(count // 20)}
    return files | {"shared/run.py": b"def main(" + names + b"):\n    pass\n"}


def _ignored(size: int) -> Files:
    secret = b"key = '" + _SECRET + b"'  # azpack: ignore[AZP6]\n"
    text = b'x = f"""' + b"{a}\n" * (size // 4) + b'"""\ny = (' + b"\n" * size + b")\n"
    files = {f"m{at}.py": secret * 10 + text for at in range(20)}
    words = ("# é\nx = " + "é " * (size // 3)).encode()
    return files | {f"n{at}.py": secret * 10 + words for at in range(5)}


def _names_in_host_json(count: int) -> Files:
    keys = b", ".join(b'"a%d": 0' % at for at in range(count))
    return {"host.json": b'{"version": "2.0", "%s": {%s}}' % (b"k" * 250_000, keys)}


def _environments_with_objects(count: int) -> Files:
    files = {f"v{at}/pyvenv.cfg": b"" for at in range(count)}
    return files | {f"w{at}/m.so": make_object() for at in range(count)}


def _hashes(count: int) -> Files:
    files = {f"{SITE}one/m{at}.py": b"x = 1\n" for at in range(count)}
    rows = b"".join(b"one/m%d.py,sha512=AAAA,6\n" % at for at in range(count))
    return distribution("one") | files | {f"{_DIST}RECORD": rows}


LARGEST: dict[str, tuple[Callable[[int], Files], int]] = {
    "function.json": (_function_json, 300),
    "function.json of text": (_function_json_of_text, 300),
    "functions": (_functions, 50_000),
    "functions of one script": (_functions_of_one_script, 2_000),
    "functions with large scripts": (_functions_with_large_scripts, 300),
    "modules in a circle": (_modules_in_a_circle, 3_000),
    "chain of modules": (_chain_of_modules, 20_000),
    "blueprints that nobody imports": (_blueprints_that_nobody_imports, 3_000),
    "long expression": (_long_expression, 4 << 20),
    "lambdas": (_lambdas, 4 << 20),
    "nested expression": (_nested_expression, 4 << 20),
    "many large modules": (_many_large_modules, 300),
    "import lines": (_import_lines, 3 << 20),
    "one import of many": (_one_import_of_many, 1 << 20),
    "doubling of a list": (_doubling("list"), 60),
    "doubling of a text": (_doubling("text"), 60),
    "doubling of a format": (_doubling("format"), 60),
    "doubling of a graph": (_doubling("graph"), 60),
    "doubling of an app": (_doubling("app"), 60),
    "doubling by extend": (_doubling("extend"), 60),
    "doubling of doubts": (_doubling("doubts"), 60),
    "loops": (_loops, 12),
    "circle of lists": (_circle_of_lists, 1_000),
    "branches": (_branches, 15_000),
    "decorators": (_decorators, 10_000),
    "functions within": (_functions_within, 1),
    "finally in finally": (_finally_in_finally, 19),
    "ways to finally": (_ways_to_finally, 20_000),
    "list without end": (_list_without_end, 200_000),
    "package id": (_package_id, 200_000),
    "range": (_range, 200_000),
    "numbers": (_numbers, 5_000),
    "fields": (_fields, 16 << 20),
    "host.json": (_host_json, 4 << 20),
    "host.json of keys": (_host_json_keys, 100_000),
    "comment in host.json": (_comment, 2 << 20),
    "texts": (_texts, 1_500),
    "near secrets": (_near_secrets, (1 << 20) - 100),
    "many secrets": (_many_secrets, 1 << 20),
    "requirements": (_requirements, 1_000_000),
    "requirement of extras": (_requirement_of_extras, 1 << 20),
    "requirement files": (_requirement_files, 1_000),
    "continued requirement": (_continued, 4 << 20),
    "markers": (_markers, 50_000),
    "metadata": (_metadata, 100 << 20),
    "record": (_record, 3_000_000),
    "record of quotes": (_record_of_quotes, 4 << 20),
    "distributions": (_distributions, 50_000),
    "roots": (_roots, 20_000),
    "extras": (_extras, 3_000),
    "same distribution": (_same_distribution, 20_000),
    "large object": (_large_object, 500 << 20),
    "objects": (_objects, 50_000),
    "object with versions": (_object_with_versions, 40),
    "environments": (_environments, 20_000),
    "folders of modules": (_folders_of_modules, 20_000),
    "entries": (_entries, 100_000),
    "entries with long names": (_entries_with_long_names, 60_000),
    "deep folders": (_deep_folders, 20_000),
    "bare files with heads": (_bare_files_with_heads, 100_000),
    "names by case": (_names_by_case, 50_000),
    "blueprints": (_blueprints, 20_000),
    "missing modules": (_missing_modules, 60_000),
    "sparse objects": (_sparse_objects, 40),
    "comments that ignore": (_comments_that_ignore, (4 << 20) - 1000),
    "modules of finally": (_modules_of_finally, 100),
    "broken modules": (_broken_modules, 30),
    "submodules": (_submodules, 20_000),
    "annotations": (_annotations, 700),
    "long annotations": (_long_annotations, 3 << 20),
    "missing names": (_missing_names, 10_000),
    "global names": (_global_names, 10_000),
    "entry points made when run": (_entry_points_made_when_run, 2_000),
    "parameters": (_parameters, 40_000),
    "ignored": (_ignored, 120_000),
    "names in host.json": (_names_in_host_json, 20_000),
    "environments with objects": (_environments_with_objects, 20_000),
    "hashes": (_hashes, 50_000),
}


def write_hostile(path: Path, name: str, *, share: float = 1) -> Path:
    """Write the package of a class, at its largest or at a share of that; return its path."""
    make, largest = LARGEST[name]
    files = APP | make(max(round(largest * share), 1))
    if any(entry.endswith("/function.json") for entry in files):
        del files["function_app.py"]
    path.write_bytes(raw_zip((entry.encode(), content) for entry, content in files.items()))
    return path
