"""Small function apps, good and broken ones, and what azpack is to say of each.

The unit tests compare azpack's reading with it, the integration tests with what Azure's own worker
libraries make of the same files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["V1_APPS", "V2_APPS", "V1App", "V2App", "function_json"]

HEAD = "import azure.functions as func\n"
APP = HEAD + "app = func.FunctionApp()\n"


@dataclass(frozen=True, kw_only=True)
class V2App:
    """Files, the codes that are found, the functions that are listed.

    `by_host`: what is found is the host's to refuse, or only a warning; the worker lists the
    functions. `unknown`: something in it can't be known, so Azure may list other functions than
    azpack does, or none.
    """

    files: dict[str, str]
    codes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    by_host: bool = False
    unknown: bool = False


def _app(text: str, *functions: str, codes: tuple[str, ...] = (), **more: Any) -> V2App:
    files = {"function_app.py": APP + text, **more.pop("files", {})}
    return V2App(files=files, functions=functions, codes=codes, **more)


def _script(text: str, *functions: str, codes: tuple[str, ...] = (), **more: Any) -> V2App:
    files = {"function_app.py": text, **more.pop("files", {})}
    return V2App(files=files, functions=functions, codes=codes, **more)


ROUTE = "@app.route()\ndef hello(req): ...\n"
OUTPUT = "@app.route()\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
PAGES = HEAD + "bp = func.Blueprint()\n@bp.route()\ndef page(req): ...\n"

V2_APPS = {
    "route without arguments": _app("@app.route()\ndef hello(req): ...\n", "hello"),
    "positional route": _app("@app.route('a/b')\ndef hello(req): ...\n", "hello"),
    "named": _app(
        "@app.function_name('a')\n@app.route()\ndef one(req): ...\n"
        "@app.function_name(name='b')\n@app.route()\ndef two(req): ...\n",
        "a", "b",
    ),
    "name below the trigger": _app(
        "@app.route()\n@app.function_name(name='b')\ndef two(req): ...\n", "b"
    ),
    "lowest name counts": _app(
        "@app.function_name('high')\n@app.route()\n@app.function_name('low')\ndef x(req): ...\n",
        "low",
    ),
    "inputs and outputs": _app(
        "@app.queue_trigger(arg_name='msg', queue_name='q', connection='C')\n"
        "@app.blob_input(arg_name='source', path='a/b', connection='C')\n"
        "@app.blob_output(arg_name='target', path='a/c', connection='C')\n"
        "async def copy(msg: func.QueueMessage, source: str, target: func.Out[bytes], context):"
        " ...\n",
        "copy",
    ),
    "generic": _app(
        "@app.generic_trigger(arg_name='req', type='httpTrigger')\n"
        "@app.generic_output_binding(arg_name='$return', type='http')\n"
        "@app.generic_input_binding('row', 'sql', commandText='select 1')\n"
        "def hello(req, row: str): ...\n",
        "hello",
    ),
    "schedule": _app("@app.schedule('0 * * * * *', 'tick')\ndef tick(tick): ...\n",
                     codes=("AZP205", "AZP307", "AZP307")),
    "schedule by name": _app(
        "@app.schedule(schedule='0 * * * * *', arg_name='tick')\ndef clock(tick): ...\n", "clock"
    ),
    "retry and http type": _app(
        "@app.retry(strategy='fixed_delay', max_retry_count='3', delay_interval='00:00:01')\n"
        "@app.timer_trigger(schedule='0 * * * * *', arg_name='t')\ndef clock(t): ...\n",
        "clock",
    ),
    "durable on a plain app": _app(
        "@app.orchestration_trigger(context_name='context')\ndef run(ctx): yield 1\n"
        "@app.activity_trigger(input_name='city')\ndef greet(city: str): ...\n"
        "@app.entity_trigger(context_name='context')\ndef count(c): ...\n"
        "@app.route(route='start')\n@app.durable_client_input(client_name='client')\n"
        "async def start(req: func.HttpRequest, client): ...\n",
        "run", "greet", "count", "start",
    ),
    "durable app": _script(
        "import azure.durable_functions as df\nimport azure.functions as func\n"
        "app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "bp = df.Blueprint()\n"
        "@bp.activity_trigger(input_name='city')\ndef greet(city): ...\n"
        "@app.orchestration_trigger(context_name='context')\ndef run(context): yield 1\n"
        "@app.function_name('starter')\n@app.route()\n"
        "@app.durable_client_input(client_name='client')\n"
        "async def start(req, client: df.DurableOrchestrationClient): ...\n"
        "app.register_functions(bp)\n",
        "run", "starter", "greet",
    ),
    "orchestrator's context by another name": _app(
        "@app.orchestration_trigger(context_name='ctx')\ndef run(ctx): yield 1\n",
        codes=("AZP307",),
    ),
    "site": _script(
        HEAD + "async def site(scope, receive, send): ...\n"
        "app = func.AsgiFunctionApp(app=site, http_auth_level=func.AuthLevel.ANONYMOUS)\n",
        "http_app_func",
    ),
    "site with a name": _script(
        HEAD + "def site(environ, start): ...\n"
        "app = func.WsgiFunctionApp(site, func.AuthLevel.ADMIN, 'web')\n"
        "@app.timer_trigger(schedule='0 * * * * *', arg_name='t')\ndef clock(t): ...\n",
        "web", "clock",
    ),
    "another name, from-import": _script(
        "from azure.functions import FunctionApp as Make, AuthLevel\n"
        "main = Make(AuthLevel.ADMIN)\n@main.route()\ndef hello(req): ...\n",
        "hello",
    ),
    "annotated": _script(
        HEAD + "app: func.FunctionApp = func.FunctionApp()\n" + ROUTE, "hello"
    ),
    "app of another module": _script(
        "from core import app\nimport pages\n",
        "hello",
        files={"core.py": APP, "pages.py": "from core import app\n" + ROUTE},
    ),
    "only the module is imported": _script(
        "import core\n", codes=("AZP302",), files={"core.py": APP + ROUTE}
    ),
    "app of a package, relative imports": _script(
        "from pkg import application as app\n",
        "hello",
        files={
            "pkg/__init__.py": "from .core import app as application\nfrom . import pages\n",
            "pkg/core.py": APP,
            "pkg/pages.py": "from .core import app\n" + ROUTE,
        },
    ),
    "made in try": _script(
        "try:\n    import azure.functions as func\nexcept ImportError:\n    func = None\n"
        "try:\n    app = func.FunctionApp()\nexcept Exception:\n    app = None\n" + ROUTE,
        "hello",
    ),
    "made in if": _script(
        HEAD + "import os\nif os.environ.get('OPEN'):\n"
        "    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "else:\n    app = func.FunctionApp()\n" + ROUTE,
        "hello",
    ),
    "by the version of Python": _app(
        ROUTE + "import sys\nif sys.version_info >= (3, 13):\n    @app.route()\n"
        "    def new(req): ...\nif (sys.version_info < (3, 13)):\n    @app.route()\n"
        "    def old(req): ...\n",
        "hello", "new",
    ),
    "conditional function": _app(
        ROUTE + "import os\nif os.environ.get('NO_SUCH'):\n"
        "    @app.route()\n    def maybe(req): ...\n",
        "hello", "maybe",
        unknown=True,
    ),
    "only when run as a program": _app(
        ROUTE + "if __name__ == '__main__':\n    other = func.FunctionApp()\n", "hello"
    ),
    "loop over names": _app(
        "for name in ('a', 'b'):\n    @app.function_name(f'get_{name}')\n"
        "    @app.route(route=name)\n    def get(req): ...\n",
        "get_a", "get_b",
    ),
    "loop over what is not known": _app(
        "import os\nfor name in os.environ.get('X', 'a').split():\n"
        "    @app.function_name(name)\n    @app.route()\n    def get(req): ...\n",
        unknown=True,
    ),
    "made by a function": _script(
        HEAD + "def make():\n    return func.FunctionApp()\napp = make()\n" + ROUTE,
        unknown=True,
    ),
    "filled by a function": _app(
        "def fill(a):\n    @a.route()\n    def hello(req): ...\nfill(app)\n", unknown=True
    ),
    "functional form": _app("def hello(req): ...\napp.route(route='x')(hello)\n", "hello"),
    "blueprints, every import": _app(
        "from pages import bp\nimport mail as m\nfrom areas import shop\n"
        "from areas.news import bp as news_bp\n"
        "for each in (bp, m.bp):\n    app.register_functions(each)\n"
        "app.register_blueprint(shop.bp)\napp.register_functions(news_bp)\n",
        "page", "letter", "buy", "read",
        files={
            "pages.py": PAGES,
            "mail.py": PAGES.replace("page", "letter"),
            "areas/__init__.py": "",
            "areas/shop.py": PAGES.replace("page", "buy"),
            "areas/news.py": PAGES.replace("page", "read"),
        },
    ),
    "list of blueprints": _app(
        "from pages import ALL\n[app.register_functions(it) for it in ALL]\n",
        "page", "other",
        files={
            "pages.py": PAGES + "ALL = [bp]\nfrom more import bp as x\nALL.append(x)\n",
            "more.py": PAGES.replace("page", "other"),
        },
    ),
    "blueprint never registered": _app(
        "import pages\n" + ROUTE, "hello",
        codes=("AZP306",), files={"pages.py": PAGES}, by_host=True,
    ),
    "blueprint never imported": _app(
        ROUTE, "hello", codes=("AZP306",), files={"pages.py": PAGES}, by_host=True
    ),
    "blueprint of flask": _app(
        ROUTE, "hello",
        files={"site.py": "import flask\nbp = flask.Blueprint('a', 'b')\n"
               "@bp.route('/')\ndef x(): ...\n"},
    ),
    "registered too early": _app(
        "bp = func.Blueprint()\n@bp.route()\ndef one(req): ...\napp.register_functions(bp)\n"
        "@bp.route()\ndef two(req): ...\n",
        "one",
        codes=("AZP306",), by_host=True,
    ),
    "blueprint registered twice": _app(
        "from pages import bp\napp.register_functions(bp)\napp.register_functions(bp)\n",
        codes=("AZP304",), files={"pages.py": PAGES},
    ),
    "same name in a blueprint": _app(
        "from pages import bp\napp.register_functions(bp)\n@app.route()\ndef page(req): ...\n",
        codes=("AZP304",), files={"pages.py": PAGES},
    ),
    "same name twice": _app(ROUTE + ROUTE, codes=("AZP304",)),
    "own decorator without wraps": _app(
        "def logged(f):\n    def wrapper(req):\n        return f(req)\n    return wrapper\n"
        "@app.route()\n@logged\ndef a(req): ...\n@app.route()\n@logged\ndef b(req): ...\n",
        codes=("AZP304",),
    ),
    "own decorator with wraps": _app(
        "import functools\ndef logged(level):\n    def deco(f):\n        @functools.wraps(f)\n"
        "        def wrapper(*a, **k):\n            return f(*a, **k)\n        return wrapper\n"
        "    return deco\n"
        "@app.route()\n@logged(3)\ndef a(req): ...\n@app.route()\n@logged(4)\ndef b(req): ...\n",
        "a", "b",
    ),
    "own decorator, parameters hidden": _app(
        "def logged(f):\n    def wrapper(*args, **kwargs):\n        return f(*args, **kwargs)\n"
        "    return wrapper\n@app.route()\n@logged\ndef a(req): ...\n",
        codes=("AZP307", "AZP307"),
    ),
    "own decorator above": _app(
        "def noted(f):\n    return f\n@noted\n@app.route()\ndef a(req): ...\n", "a"
    ),
    "decorator of a library": _app(
        "import functools\n@app.route()\n@functools.singledispatch\ndef a(req): ...\n",
        unknown=True,
    ),
    "two apps": _app("other = func.FunctionApp()\n" + ROUTE, codes=("AZP303",)),
    "two names of one app": _app(ROUTE + "main = app\n", codes=("AZP303",)),
    "app that was deleted": _script(
        HEAD + "old = func.FunctionApp()\ndel old\napp = func.FunctionApp()\n" + ROUTE, "hello"
    ),
    "no app": _script("def main(req): ...\n", codes=("AZP302",)),
    "another framework's app": _script(
        "import types\napp = types.SimpleNamespace()\n", codes=("AZP302",)
    ),
    "blueprint in the place of the app": _script(
        PAGES.replace("bp", "app"), codes=("AZP302",)
    ),
    "no functions": _app("", codes=("AZP104",), by_host=True),
    "no trigger": _app(
        "@app.blob_input(arg_name='a', path='p', connection='C')\ndef f(a): ...\n",
        codes=("AZP305",),
    ),
    "two triggers": _app(
        "@app.route()\n@app.timer_trigger(schedule='0 * * * * *', arg_name='t')\n"
        "def f(req, t): ...\n",
        codes=("AZP305",),
    ),
    "not called": _app(ROUTE + "@app.route\ndef f(req): ...\n", "hello",
                       codes=("AZP305",), by_host=True),
    "parameter without binding": _app("@app.route()\ndef f(req, name): ...\n", codes=("AZP307",)),
    "parameter with a default": _app("@app.route()\ndef f(req, n=1): ...\n", codes=("AZP307",)),
    "keyword parameters": _app("@app.route()\ndef f(req, **more): ...\n", codes=("AZP307",)),
    "another name of the request": _app(
        "@app.route()\ndef f(request: func.HttpRequest): ...\n", codes=("AZP307", "AZP307")
    ),
    "another name of the request, said": _app(
        "@app.route(trigger_arg_name='request')\ndef f(request): ...\n", "f"
    ),
    "binding without parameter": _app(
        "@app.route()\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
        "def f(req): ...\n",
        codes=("AZP307",),
    ),
    "output not annotated as Out": _app(
        "@app.route()\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
        "def f(req, out: str): ...\n",
        codes=("AZP307",),
    ),
    "input annotated as Out": _app(
        "@app.route()\n@app.blob_input(arg_name='b', path='q', connection='C')\n"
        "def f(req, b: func.Out[str]): ...\n",
        codes=("AZP307",),
    ),
    "Out without a type": _app(
        "@app.route()\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
        "def f(req, out: func.Out): ...\n",
        codes=("AZP307",),
    ),
    "context of another type": _app(
        "@app.route()\ndef f(req, context: int): ...\n", codes=("AZP307",)
    ),
    "annotation as text": _app(
        "@app.route()\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
        "def f(req: 'func.HttpRequest', out: 'func.Out[str]') -> 'func.HttpResponse': ...\n",
        "f",
    ),
    "list as output": _app(
        "import typing\n@app.route()\n"
        "@app.event_hub_output(arg_name='out', event_hub_name='q', connection='C')\n"
        "def f(req, out: func.Out[typing.List[str]]): ...\n",
        "f",
    ),
    "method of a class": _app(
        "class Site:\n    @app.route()\n    def get(self, req): ...\n", codes=("AZP307",)
    ),
    "nested and never called": _app(
        ROUTE + "def later():\n    @app.route()\n    def inner(req): ...\n", "hello", unknown=True
    ),
    "constant for a route": _app(
        "PREFIX = 'v1'\n@app.route(route=PREFIX + '/a', trigger_arg_name='r')\ndef f(r): ...\n", "f"
    ),
    "arguments hidden": _app(
        "OPTIONS = {'arg_name': 't', 'schedule': '0 * * * * *'}\n"
        "@app.timer_trigger(**OPTIONS)\ndef f(t): ...\n",
        "f",
        unknown=True,
    ),
    "tool": _app(
        "@app.mcp_tool()\n@app.mcp_tool_property(arg_name='a')\ndef add(a: int, b: int): ...\n",
        "add",
    ),
    "tool trigger": _app(
        "@app.mcp_tool_trigger(arg_name='context', tool_name='t', description='d',"
        " tool_properties='[]')\ndef f(context) -> str: ...\n",
        "f",
    ),
    "warm-up, service bus, cosmos": _app(
        "@app.warm_up_trigger('w')\ndef warm(w): ...\n"
        "@app.service_bus_queue_trigger(arg_name='m', queue_name='q', connection='C')\n"
        "@app.cosmos_db_output('d', connection='C', database_name='d', container_name='c')\n"
        "def bus(m: func.ServiceBusMessage, d: func.Out[func.Document]): ...\n",
        "warm", "bus",
    ),
    "name that the host refuses": _app(
        "@app.route()\ndef _hidden(req): ...\n", "_hidden", codes=("AZP202",), by_host=True
    ),
    "binding names with underscores": _app(
        "@app.timer_trigger(schedule='0 * * * * *', arg_name='my_timer')\ndef f(my_timer): ...\n",
        "f",
    ),
    "two bindings of one name": _app(
        "@app.timer_trigger(schedule='0 * * * * *', arg_name='t')\n"
        "@app.blob_input(arg_name='T', path='q', connection='C')\ndef f(t, T): ...\n",
        "f",
        codes=("AZP206",), by_host=True,
    ),
    "syntax error": _app("def f(:\n", codes=("AZP301",)),
    "error of the compiler": _app(ROUTE + "return 1\n", codes=("AZP301",)),
    "syntax error in a blueprint": _app(
        "from pages import bp\n", codes=("AZP301",), files={"pages.py": PAGES + "return +\n"}
    ),
    "syntax error in a helper": _app(
        "import helpers\n" + ROUTE, codes=("AZP301",), files={"helpers.py": "x = = 1\n"}
    ),
    "syntax error far away": _app(
        "from lib import a\n" + ROUTE,
        codes=("AZP301",),
        files={
            "lib/__init__.py": "", "lib/a.py": "from .b import *\n",
            "lib/b.py": "from . import c\n", "lib/c.py": "return 1\n",
        },
    ),
    "syntax error behind a try": _app(
        "try:\n    import helpers\nexcept Exception:\n    helpers = None\n" + ROUTE,
        "hello", files={"helpers.py": "x = = 1\n"},
    ),
    "syntax error behind a function": _app(
        "def late():\n    import helpers\n" + ROUTE,
        "hello", files={"helpers.py": "x = = 1\n"},
    ),
    "syntax error for type checkers": _app(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helpers\n" + ROUTE,
        "hello", files={"helpers.py": "x = = 1\n"},
    ),
    "syntax error in what is no module of the import": _app(
        "from lib import helpers\n" + ROUTE,
        "hello", files={"lib/__init__.py": "helpers = 1\n", "lib/helpers.py": "x = = 1\n"},
    ),
    "syntax error in a blueprint behind a try": _app(
        "try:\n    from pages import bp\nexcept Exception:\n    bp = func.Blueprint()\n"
        "app.register_functions(bp)\n" + ROUTE,
        files={"pages.py": PAGES + "return +\n"},
        unknown=True,
    ),
    "byte-order mark and cookie": _script("\ufeff# coding: utf-8\n" + APP + ROUTE, "hello"),
    "circular imports": _script(
        HEAD + "app = func.FunctionApp()\nimport pages\n",
        "page",
        files={
            "core.py": "from function_app import app\n",
            "pages.py": "from core import app\n@app.route()\ndef page(req): ...\n",
        },
    ),
    "blueprint star import": _app(
        "from pages import *\napp.register_functions(bp)\n", "page", files={"pages.py": PAGES}
    ),
    "imported by a name": _app(
        "import importlib\nfor name in ['pages']:\n"
        "    app.register_functions(importlib.import_module(name).bp)\n",
        "page",
        files={"pages.py": PAGES},
    ),
    "found by pkgutil": _app(
        "import importlib, os\nfor name in os.listdir('areas'):\n"
        "    if name.endswith('.py'):\n"
        "        app.register_functions(importlib.import_module('areas.' + name[:-3]).bp)\n",
        files={"areas/pages.py": PAGES},
        unknown=True,
    ),
    "other folder on the path": _app(
        "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'src'))\n"
        "from pages import bp\napp.register_functions(bp)\n",
        files={"src/pages.py": PAGES},
        unknown=True,
    ),
    "imported for its functions by a name": _script(
        APP + "def load(name):\n    __import__(name)\nload('pages')\n",
        files={"pages.py": "from function_app import app\n" + ROUTE},
        unknown=True,
    ),
    "handlers of other modules": _app(
        "from routes.index import index\nimport routes.news\n"
        "app.route(route='{*path}', auth_level='anonymous', methods=['GET'])(index)\n"
        "app.route(route='news')(routes.news.show)\n",
        "index", "show",
        files={
            "routes/index.py": "import azure.functions as func\n"
            "async def index(req: func.HttpRequest): ...\n",
            "routes/news.py": "def show(req): ...\n",
        },
    ),
    "type checking only": _app(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pages import bp as pages\n"
        "from pages import bp\napp.register_functions(bp)\n",
        "page",
        files={"pages.py": PAGES},
    ),
    "functions of handlers elsewhere": _app(
        "from handlers import hello as handler\n@app.route()\ndef hello(req):\n"
        "    return handler(req)\n",
        "hello",
        files={"handlers.py": "def hello(req): ...\n"},
    ),
    "subclass of the app": _script(
        HEAD + "class Mine(func.FunctionApp):\n    pass\napp = Mine()\n" + ROUTE,
        "hello",
        unknown=True,
    ),
    "returns nothing": _app("@app.route()\ndef f(req) -> None: ...\n", codes=("AZP307",)),
    "returns a union": _app(
        "@app.route()\nasync def f(req) -> func.HttpResponse | str: ...\n", codes=("AZP307",)
    ),
    "returns what may be none": _app(
        "from typing import Optional\n@app.route()\n"
        "def f(req) -> Optional['func.HttpResponse']: ...\n",
        codes=("AZP307",),
    ),
    "returns text, and nothing where nothing is bound": _app(
        "@app.route()\ndef f(req) -> str: ...\n"
        "@app.schedule(schedule='0 * * * * *', arg_name='t')\ndef g(t: str) -> None: ...\n",
        "f", "g",
    ),
    "returns a response of its own": _app(
        "class Page(func.HttpResponse): ...\n@app.route()\ndef f(req) -> Page: ...\n", "f"
    ),
    "returns a pair": _app(
        "@app.route()\ndef f(req) -> (str, int): ...\n", codes=("AZP307",)
    ),
    "returns a coroutine, it says": _app(
        "from typing import Awaitable\n@app.route()\n"
        "def f(req) -> Awaitable[func.HttpResponse]: ...\n",
        codes=("AZP307",),
    ),
    "input that may be none": _app(
        "@app.route()\ndef f(req: func.HttpRequest | None): ...\n", codes=("AZP307",)
    ),
    "input of another class": _app(
        "@app.queue_trigger(arg_name='m', queue_name='q', connection='C')\n"
        "def f(m: func.ServiceBusMessage): ...\n",
        codes=("AZP307",),
    ),
    "input of a builtin class": _app(
        "@app.schedule(schedule='0 * * * * *', arg_name='t')\ndef f(t: dict): ...\n",
        codes=("AZP307",),
    ),
    "events in a list": _app(
        "import typing as t\n"
        "@app.event_hub_message_trigger(arg_name='events', event_hub_name='e', connection='C',"
        " cardinality='many')\ndef f(events: t.List[func.EventHubEvent]): ...\n",
        "f",
    ),
    "events in a list that the worker does not know": _app(
        "@app.event_hub_message_trigger(arg_name='events', event_hub_name='e', connection='C',"
        " cardinality='many')\ndef f(events: list[func.EventHubEvent]): ...\n",
        codes=("AZP307",),
    ),
    "output of a list that the worker does not know": _app(
        OUTPUT + "def f(req, out: func.Out[list[str]]): ...\n", codes=("AZP307",)
    ),
    "output of a class that is none": _app(
        OUTPUT + "def f(req, out: func.Out[dict]): ...\n", codes=("AZP307",)
    ),
    "output that may be none": _app(
        OUTPUT + "def f(req, out: func.Out[str] | None = None): ...\n", codes=("AZP307",)
    ),
    "output by another name": _app(
        "from azure.functions import Out as Result\nShort = func.Out[str]\n"
        + OUTPUT + "def f(req, /, *, out: Result[str]): ...\n"
        + OUTPUT + "def g(req, out: Short): ...\n",
        "f", "g",
    ),
    "context that may be none": _app(
        "@app.route()\ndef f(req, context: func.Context | None = None): ...\n",
        codes=("AZP307",),
    ),
    "trace context": _app("@app.route()\ndef f(req, trace_context): ...\n", codes=("AZP307",)),
    "input of an activity": _script(
        "import typing\nimport azure.durable_functions as df\napp = df.DFApp()\n"
        "class Order(typing.TypedDict):\n    number: int\n"
        "@app.activity_trigger(input_name='x')\ndef a(x: dict) -> list[str]: ...\n"
        "@app.activity_trigger(input_name='x')\ndef b(x: typing.Dict[str, int]): ...\n"
        "@app.activity_trigger(input_name='x')\ndef c(x: 'Order') -> 'Order | None': ...\n"
        "@app.activity_trigger(input_name='x')\ndef d(x: typing.Annotated[str, 1]): ...\n",
        "a", "b", "c", "d",
    ),
    "input of an activity that the worker does not know": _script(
        "import azure.durable_functions as df\napp = df.DFApp()\n"
        "@app.activity_trigger(input_name='x')\ndef a(x: dict[str, int]): ...\n",
        codes=("AZP307",),
    ),
    "annotations from the future": _script(
        "from __future__ import annotations\n" + APP
        + OUTPUT + "def f(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse: ...\n",
        "f",
    ),
    "annotation for type checkers": _script(
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n" + APP
        + "if TYPE_CHECKING:\n    from decimal import Decimal\n"
        "@app.route()\ndef f(req: func.HttpRequest) -> Decimal: ...\n",
        codes=("AZP307",),
    ),
    "annotation with a name that nobody has": _app(
        "@app.schedule(schedule='0 * * * * *', arg_name='t')\n"
        "def f(t: 'func.TimerRequest') -> 'Nothing': ...\n",
        codes=("AZP307",),
    ),
    "annotation with a name of later": _app(
        "@app.activity_trigger(input_name='x')\ndef f(x: 'Later'): ...\nclass Later: ...\n", "f"
    ),
    "own decorator that renames": _app(
        "def logged(f):\n    def wrapper(req):\n        return f(req)\n"
        "    wrapper.__name__ = f.__name__\n    return wrapper\n"
        "@app.route()\n@logged\ndef a(req): ...\n@app.route()\n@logged\ndef b(req): ...\n",
        unknown=True,
    ),
    "own decorator with update_wrapper": _app(
        "import functools\ndef logged(f):\n    def wrapper(*a, **k):\n        return f(*a, **k)\n"
        "    functools.update_wrapper(wrapper, f)\n    return wrapper\n"
        "@app.route()\n@logged\ndef a(req): ...\n",
        unknown=True,
    ),
    "own decorator that hides parameters": _app(
        "import functools\ndef signed_in(f):\n    @functools.wraps(f)\n    def wrapper(req):\n"
        "        return f(req, 'me')\n    del wrapper.__wrapped__\n    return wrapper\n"
        "@app.route()\n@signed_in\ndef a(req, user): ...\n",
        unknown=True,
    ),
    "own decorator that collects": _app(
        "ALL = []\ndef noted(f):\n    ALL.append(f)\n    return f\n"
        "@app.route()\n@noted\ndef a(req): ...\n",
        "a",
    ),
    "class as a function": _app(
        "@app.route()\nclass page:\n    def __init__(self, req): ...\n", unknown=True
    ),
    "registered by a function": _app(
        "from pages import bp\ndef fill():\n    app.register_functions(bp)\nfill()\n",
        files={"pages.py": PAGES},
        unknown=True,
    ),
    "registered by map": _app(
        "from pages import bp\nlist(map(app.register_functions, [bp]))\n",
        files={"pages.py": PAGES},
        unknown=True,
    ),
    "blueprints inserted": _app(
        "from pages import bp\nall = []\nall.insert(0, bp)\n"
        "for it in all:\n    app.register_functions(it)\n",
        files={"pages.py": PAGES},
        unknown=True,
    ),
    "blueprints that a function collects": _app(
        "from pages import bp\nall = []\ndef collect(to):\n    to.append(bp)\ncollect(all)\n"
        "for it in all:\n    app.register_functions(it)\n",
        files={"pages.py": PAGES},
        unknown=True,
    ),
    "made by a function, as a global": _script(
        HEAD + "app = None\ndef make():\n    global app\n    app = func.FunctionApp()\nmake()\n"
        + ROUTE,
        unknown=True,
    ),
    "only where an import succeeds": _app(
        ROUTE + "try:\n    import no_such_module\nexcept ImportError:\n    pass\nelse:\n"
        "    @app.route()\n    def more(req): ...\n",
        "hello", "more",
        unknown=True,
    ),
    "decorated by what a lambda returns": _app(
        "get = lambda path: app.route(route=path)\n@get('x')\ndef f(req): ...\n", unknown=True
    ),
    "decorated by one of two": _app(
        "import os\n@(app.route(route='a') if os.sep == '/' else app.route(route='b'))\n"
        "def f(req): ...\n",
        unknown=True,
    ),
    "decorators in a list": _app(
        "import functools\ndef f(req): ...\n"
        "functools.reduce(lambda made, each: each(made), [app.route(route='x')], f)\n",
        unknown=True,
    ),
    "class made by type()": _script(
        HEAD + "App = type('App', (func.FunctionApp,), {})\napp = App()\n" + ROUTE, unknown=True
    ),
    "made by a partial": _script(
        HEAD + "import functools\nmake = functools.partial(func.FunctionApp)\napp = make()\n"
        + ROUTE,
        unknown=True,
    ),
    "given by a with statement": _script(
        HEAD + "import contextlib\nwith contextlib.nullcontext(func.FunctionApp()) as app:\n"
        "    pass\n" + ROUTE,
        unknown=True,
    ),
    "in a match statement": _app(
        "import sys\nmatch sys.platform:\n    case 'linux':\n"
        "        @app.route()\n        def f(req): ...\n",
        "f",
        unknown=True,
    ),
    "walrus and chained assignment": _script(
        HEAD + "if (app := func.FunctionApp()):\n    pass\n" + ROUTE, "hello"
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class V1App:
    """A folder `Hello` with a function; `by_worker` says that the worker refuses it too."""

    table: Any
    script: str | None = "def main(req): ...\n"
    codes: tuple[str, ...] = ()
    by_worker: bool = True
    files: dict[str, str] = field(default_factory=dict)
    folder: str = "Hello"


def function_json(*bindings: dict[str, str], **more: Any) -> dict[str, Any]:
    """A function.json with these bindings after an HTTP trigger."""
    return {"scriptFile": "__init__.py", **more, "bindings": [HTTP, *bindings]}


HTTP = {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"}
RETURN = {"type": "http", "direction": "out", "name": "$return"}
QUEUE = {"type": "queue", "direction": "out", "name": "msg", "queueName": "q", "connection": "C"}
BLOB = {"type": "blob", "direction": "in", "name": "doc", "path": "a/b", "connection": "C"}

V1_APPS = {
    "plain": V1App(table=function_json(RETURN)),
    "entry point": V1App(table=function_json(entryPoint="go"), script="def go(req): ...\n"),
    "context": V1App(
        table=function_json(), script=HEAD + "def main(req, context: func.Context): ...\n"
    ),
    "async with outputs": V1App(
        table=function_json(QUEUE, BLOB, RETURN),
        script=HEAD + "async def main(req: func.HttpRequest, msg: func.Out[str], doc: str): ...\n",
    ),
    "handler of another module": V1App(
        table=function_json(),
        script="from shared.handlers import main\n",
        files={"shared/__init__.py": "", "shared/handlers.py": "def main(req): ...\n"},
    ),
    "handler by __app__": V1App(
        table=function_json(),
        script="from __app__.shared.handlers import main\n",
        files={"shared/__init__.py": "", "shared/handlers.py": "def main(req): ...\n"},
    ),
    "script in another folder": V1App(
        table=function_json(scriptFile="../shared/code.py"),
        script=None,
        files={"shared/code.py": "def main(req): ...\n"},
    ),
    "relative import": V1App(
        table=function_json(),
        script="from .code import main\n",
        files={"Hello/code.py": "def main(req): ...\n"},
    ),
    "callable that is not known": V1App(
        table=function_json(),
        script="main = lambda req: None\n",
    ),
    "only script": V1App(table={"bindings": [HTTP]}),
    "script by name": V1App(
        table={"bindings": [HTTP]}, files={"Hello/more.py": "", "Hello/data.json": "{}"}
    ),
    "no script to be determined": V1App(
        table={"bindings": [HTTP]}, script=None, codes=("AZP210",),
        files={"Hello/a.py": "", "Hello/b.py": ""},
    ),
    "no script": V1App(table={"bindings": [HTTP]}, script=None, codes=("AZP210",)),
    "script missing": V1App(table=function_json(scriptFile="run.py"), codes=("AZP210",)),
    "script of another language": V1App(
        table=function_json(scriptFile="index.js"), codes=("AZP210",), files={"Hello/index.js": ""}
    ),
    "entry point missing": V1App(table=function_json(entryPoint="go"), codes=("AZP211",)),
    "entry point no function": V1App(
        table=function_json(), script="main = 3\n", codes=("AZP211",)
    ),
    "script with a syntax error": V1App(
        table=function_json(), script="def main(req:\n", codes=("AZP211",)
    ),
    "helper with a syntax error": V1App(
        table=function_json(), script="from . import code\ndef main(req): ...\n",
        files={"Hello/code.py": "x = = 1\n"}, codes=("AZP301",),
    ),
    "helper by __app__ with a syntax error": V1App(
        table=function_json(), script="from __app__.shared import code\ndef main(req): ...\n",
        files={"shared/__init__.py": "", "shared/code.py": "x = = 1\n"}, codes=("AZP301",),
    ),
    "no binding": V1App(table={"scriptFile": "__init__.py", "bindings": []}, codes=("AZP203",)),
    "no trigger": V1App(
        table={"scriptFile": "__init__.py", "bindings": [{**BLOB, "name": "req"}]},
        codes=("AZP204",), by_worker=False,
    ),
    "two triggers": V1App(
        table=function_json({"type": "timerTrigger", "direction": "in", "name": "t"}),
        script="def main(req, t): ...\n", codes=("AZP204",), by_worker=False,
    ),
    "binding name": V1App(
        table=function_json({**BLOB, "name": "my-doc"}), codes=("AZP205", "AZP212")
    ),
    "binding name with an underscore": V1App(
        table=function_json({**BLOB, "name": "my_doc"}), script="def main(req, my_doc): ...\n"
    ),
    "binding name with two underscores": V1App(
        table=function_json({**BLOB, "name": "my__doc"}), script="def main(req, my__doc): ...\n",
        codes=("AZP205",), by_worker=False,
    ),
    "binding twice": V1App(
        table=function_json({**BLOB, "name": "REQ"}), script="def main(req, REQ): ...\n",
        codes=("AZP206",), by_worker=False,
    ),
    "return is no output": V1App(
        table=function_json({**RETURN, "direction": "in"}), codes=("AZP207",)
    ),
    "no type": V1App(
        table=function_json({"direction": "in", "name": "doc"}), script="def main(req, doc): ...\n",
        codes=("AZP208",),
    ),
    "unknown direction": V1App(
        table=function_json({**BLOB, "direction": "sideways"}),
        script="def main(req, doc): ...\n", codes=("AZP209",),
    ),
    "inout": V1App(
        table=function_json({**BLOB, "direction": "inout"}),
        script="def main(req, doc): ...\n", codes=("AZP209",),
    ),
    "folder's name": V1App(
        table=function_json(), folder="1st", codes=("AZP202",), by_worker=False
    ),
    "parameter without binding": V1App(
        table=function_json(), script="def main(req, name): ...\n", codes=("AZP212",)
    ),
    "trace context": V1App(
        table=function_json(), script="def main(req, trace_context): ...\n", codes=("AZP212",)
    ),
    "binding without parameter": V1App(table=function_json(BLOB), codes=("AZP212",)),
    "output not annotated as Out": V1App(
        table=function_json(QUEUE), script="def main(req, msg: str): ...\n", codes=("AZP213",)
    ),
    "input annotated as Out": V1App(
        table=function_json(BLOB),
        script=HEAD + "def main(req, doc: func.Out[str]): ...\n", codes=("AZP213",),
    ),
    "Out without a type": V1App(
        table=function_json(QUEUE),
        script=HEAD + "def main(req, msg: func.Out): ...\n", codes=("AZP213",),
    ),
    "context of another type": V1App(
        table=function_json(), script="def main(req, context: str): ...\n", codes=("AZP213",)
    ),
    "orchestrator": V1App(
        table={"bindings": [
            {"type": "orchestrationTrigger", "direction": "in", "name": "context"}
        ]},
        script="import azure.durable_functions as df\ndef run(context): yield 1\n"
        "main = df.Orchestrator.create(run)\n",
    ),
    "orchestrator's context by another name": V1App(
        table={"bindings": [{"type": "orchestrationTrigger", "direction": "in", "name": "ctx"}]},
        script="import azure.durable_functions as df\ndef run(ctx): yield 1\n"
        "main = df.Orchestrator.create(run)\n",
        codes=("AZP212",),
    ),
    "returns nothing": V1App(
        table=function_json(RETURN), script="def main(req) -> None: ...\n", codes=("AZP213",)
    ),
    "returns nothing, and nothing is bound": V1App(
        table=function_json(), script="def main(req) -> None: ...\n"
    ),
    "returns a union": V1App(
        table=function_json(RETURN),
        script=HEAD + "def main(req) -> func.HttpResponse | str: ...\n", codes=("AZP213",),
    ),
    "returns a number, it says": V1App(
        table=function_json(RETURN), script="def main(req) -> 123: ...\n", codes=("AZP213",)
    ),
    "input of another class": V1App(
        table=function_json(), script=HEAD + "def main(req: func.HttpResponse): ...\n",
        codes=("AZP213",),
    ),
    "input that may be none": V1App(
        table=function_json(BLOB),
        script="from typing import Optional\ndef main(req, doc: Optional[str]): ...\n",
        codes=("AZP213",),
    ),
    "output of a class that is none": V1App(
        table=function_json(QUEUE), script=HEAD + "def main(req, msg: func.Out[int]): ...\n",
        codes=("AZP213",),
    ),
    "output of text": V1App(
        table=function_json(QUEUE), script=HEAD + "def main(req, msg: func.Out['str']): ...\n",
    ),
    "annotation for type checkers": V1App(
        table=function_json(RETURN),
        script="from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import azure.functions as func\n"
        "def main(req: func.HttpRequest) -> func.HttpResponse: ...\n",
        codes=("AZP213",),
    ),
    "entry point made by a function": V1App(
        table=function_json(),
        script="def make():\n    global main\n    def main(req): ...\nmake()\n",
    ),
    "entry point by __getattr__": V1App(
        table=function_json(), script="def __getattr__(name):\n    return lambda req: None\n"
    ),
    "entry point by match": V1App(
        table=function_json(), script="match (lambda req: None):\n    case main:\n        pass\n"
    ),
    "wrapped": V1App(
        table=function_json(),
        script="import functools\ndef logged(f):\n    @functools.wraps(f)\n"
        "    def wrapper(*a, **k):\n        return f(*a, **k)\n    return wrapper\n"
        "@logged\ndef main(req): ...\n",
    ),
}  # fmt: skip


def files_of(app: V1App) -> dict[str, str]:
    """The files of an app of the v1 model."""
    table = app.table if isinstance(app.table, str) else json.dumps(app.table, indent=1)
    files = {f"{app.folder}/function.json": table, **app.files}
    if app.script is not None:
        files[f"{app.folder}/__init__.py"] = app.script
    return files
