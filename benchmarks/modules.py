"""An app of 200 modules, such as one that grew over the years: for the timing of `azpack check`."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODULES = 200
_KINDS = (
    "__init__", "errors", "models", "settings", "storage", "rules", "service", "reports",
    "clients", "views",
)  # fmt: skip
_AREAS = (MODULES - 1) // len(_KINDS)
_RECORDS = 8  # in a module: makes it about 130 lines long

_HOST = {
    "version": "2.0",
    "extensionBundle": {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.*, 5.0.0)",
    },
}
_HEAD = '''\
"""The {kind} of {area}."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime

import requests
from azure.storage.blob import BlobServiceClient
{imports}
log = logging.getLogger(__name__)
'''
_RECORD = '''

@dataclass(frozen=True)
class Record{number}:
    """A row of {area}."""

    name: str
    amount: int
    at: datetime

    def total(self, rows: list[Record{number}]) -> int:
        """The amounts of all, those that are late twice."""
        return sum(row.amount * (2 if row.at > self.at else 1) for row in rows)

    def to_text(self) -> str:
        return json.dumps({{"name": self.name, "amount": self.amount, "at": str(self.at)}})
'''
_VIEWS = """

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name("{area}_list")
@blueprint.route("{area}/{{name}}", methods=["GET"])
def list_rows(req: func.HttpRequest) -> func.HttpResponse:
    log.info("asked for %s", req.route_params["name"])
    return func.HttpResponse(requests.get("https://example.com", timeout=9).text)


@blueprint.function_name("{area}_nightly")
@blueprint.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def nightly(timer: func.TimerRequest) -> None:
    BlobServiceClient.from_connection_string("UseDevelopmentStorage=true")
"""


def make_app(root: Path) -> None:
    """Write the app to the folder `root`, which is made anew."""
    shutil.rmtree(root, ignore_errors=True)
    areas = [f"area_{number}" for number in range(_AREAS)]
    for area in areas:
        (root / area).mkdir(parents=True)
        for place, kind in enumerate(_KINDS):
            (root / area / f"{kind}.py").write_text(_module(area, place), encoding="utf-8")
    for number in range(MODULES - 1 - _AREAS * len(_KINDS)):
        (root / f"common_{number}.py").write_text(_records("all", ""), encoding="utf-8")
    lines = ["import azure.functions as func", *(f"import {area}.views" for area in areas)]
    lines += ["", "app = func.FunctionApp()"]
    lines += [f"app.register_functions({area}.views.blueprint)" for area in areas]
    (root / "function_app.py").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (root / "host.json").write_text(json.dumps(_HOST), encoding="utf-8")
    listed = "azure-functions\nazure-storage-blob\nrequests\n"
    (root / "requirements.txt").write_text(listed, encoding="utf-8")


def _module(area: str, place: int) -> str:
    """A module, which imports those that come before it."""
    before = [f"from {area} import {kind}" for kind in _KINDS[1:place]]
    common = [] if place else ["import common_0"]
    text = _records(area, "\n".join([*before, *common, ""]), kind=_KINDS[place])
    return text + (_VIEWS.format(area=area) if _KINDS[place] == "views" else "")


def _records(area: str, imports: str, kind: str = "common") -> str:
    head = _HEAD.format(kind=kind, area=area, imports=imports)
    return head + "".join(_RECORD.format(number=n, area=area) for n in range(_RECORDS))
