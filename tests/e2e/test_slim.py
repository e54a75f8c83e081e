"""`--slim --compile` on distributions that everybody uses: they still do what they are for."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from tests.commands import Azpack, make_app

if TYPE_CHECKING:
    from pathlib import Path

SITE = ".python_packages/lib/site-packages/"
PYTHON = "{}.{}".format(*sys.version_info)
REQUIREMENTS = (
    "azure-identity", "azure-storage-blob", "cryptography", "lxml", "matplotlib", "numpy",
    "opentelemetry-sdk", "pandas", "pillow", "pyarrow", "pydantic", "scikit-learn", "scipy",
    "sqlalchemy", "jinja2",
)  # fmt: skip
# Each line of a use is one thing that would fail without files that are read for it.
USES = {
    "numpy": """
        import numpy, numpy.testing
        assert numpy.allclose(numpy.linalg.inv([[2, 0], [0, 4]]), [[0.5, 0], [0, 0.25]])
        assert numpy.random.default_rng(1).normal(size=9).shape == (9,)
        numpy.testing.assert_array_equal(numpy.fft.ifft(numpy.fft.fft([1, 2])).real, [1, 2])
    """,
    "pandas": """
        import io, pandas, pandas.testing
        frame = pandas.read_csv(io.StringIO("k,v\\na,1\\na,2\\nb,3\\n"))
        assert frame.groupby("k").v.sum().to_dict() == {"a": 3, "b": 3}
        assert "<table" in frame.to_html() and frame.style.to_html()
        assert pandas.Timestamp("2026-03-29 12:00", tz="Europe/Vienna").utcoffset().seconds == 7200
    """,
    "pyarrow": """
        import io, pandas, pyarrow.parquet, pyarrow.compute
        file = io.BytesIO()
        pandas.DataFrame({"a": [1, 2]}).to_parquet(file)
        assert pyarrow.compute.sum(pyarrow.parquet.read_table(file)["a"]).as_py() == 3
    """,
    "scipy": """
        import scipy.optimize, scipy.stats, scipy.sparse.linalg, scipy.special, scipy.signal
        import scipy.integrate, scipy.interpolate, scipy.spatial, scipy.ndimage
        assert abs(scipy.optimize.brentq(lambda x: x * x - 2, 0, 2) - 2 ** 0.5) < 1e-9
        assert scipy.stats.ttest_ind([1, 2, 3], [4, 5, 6]).pvalue < 0.05
        assert scipy.special.gamma(5) == 24
    """,
    "scikit-learn": """
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.metrics import accuracy_score
        from sklearn.model_selection import cross_val_score
        from sklearn.utils.estimator_checks import check_estimator
        data = load_iris()
        forest = RandomForestClassifier(5, random_state=0)
        assert cross_val_score(forest, data.data, data.target).mean() > 0.8
        assert "<div" in forest._repr_html_()
    """,
    "matplotlib": """
        import io, matplotlib
        matplotlib.use("agg")
        import matplotlib.pyplot as plt
        for kind in ("png", "svg", "pdf"):
            figure, axes = plt.subplots()
            axes.plot([1, 2], label="$x^2$")
            axes.legend()
            file = io.BytesIO()
            figure.savefig(file, format=kind)
            assert len(file.getvalue()) > 1000
        plt.style.use("ggplot")
    """,
    "cryptography": """
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives import serialization
        box = Fernet(Fernet.generate_key())
        assert box.decrypt(box.encrypt(b"secret")) == b"secret"
        assert rsa.generate_private_key(65537, 2048).public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    """,
    "pydantic": """
        import pydantic
        class Model(pydantic.BaseModel):
            at: pydantic.AwareDatetime
            size: pydantic.PositiveInt = 1
        assert Model(at="2026-01-01T00:00:00Z").model_dump_json()
        assert Model.model_json_schema()["properties"]["size"]["exclusiveMinimum"] == 0
    """,
    "sqlalchemy": """
        from sqlalchemy import create_engine, select, func
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
        class Base(DeclarativeBase): pass
        class Row(Base):
            __tablename__ = "rows"
            id: Mapped[int] = mapped_column(primary_key=True)
        engine = create_engine("sqlite://")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(Row(id=7)); session.commit()
            assert session.scalar(select(func.count()).select_from(Row)) == 1
    """,
    "azure-storage-blob": """
        import datetime
        from azure.storage.blob import BlobServiceClient, generate_blob_sas
        from azure.storage.blob.aio import BlobServiceClient as Async
        client = BlobServiceClient("https://a.blob.core.windows.net", credential="a2V5")
        assert client.get_blob_client("c", "b").url.endswith("/c/b")
        assert "sig=" in generate_blob_sas("a", "c", "b", account_key="a2V5", permission="r",
            expiry=datetime.datetime(2030, 1, 1))
    """,
    "azure-identity": """
        from azure.identity import ClientSecretCredential, DefaultAzureCredential
        DefaultAzureCredential(), ClientSecretCredential("t" * 36, "c", "s")
    """,
    "opentelemetry-sdk": """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exporter = InMemorySpanExporter()
        trace.set_tracer_provider(TracerProvider())
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
        with trace.get_tracer("t").start_as_current_span("s"): pass
        assert exporter.get_finished_spans()[0].name == "s"
    """,
    "lxml": """
        from lxml import etree, html, isoschematron, objectify
        assert html.fromstring("<p>a<br>b").text_content() == "ab"
        sheet = etree.XML('<xsl:stylesheet version="1.0" '
            'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
            '<x><xsl:value-of select="/a"/></x></xsl:template></xsl:stylesheet>')
        assert b"<x>1</x>" in bytes(etree.XSLT(sheet)(etree.XML("<a>1</a>")))
    """,
    "pillow": """
        import io
        from PIL import Image, ImageDraw, ImageFont, features
        image = Image.new("RGB", (40, 20))
        ImageDraw.Draw(image).text((0, 0), "x", font=ImageFont.load_default())
        for kind in ("PNG", "JPEG", "GIF", "WEBP"):
            image.resize((4, 2)).save(file := io.BytesIO(), kind)
            assert Image.open(file).size == (4, 2)
    """,
}  # fmt: skip
METADATA = """
import importlib.metadata as metadata, json, os, sys
missing, licences = [], 0
for found in metadata.distributions(path=[sys.argv[1]]):
    licences += sum("licen" in str(file).lower() for file in found.files)
    missing += [str(file) for file in found.files if not os.path.exists(found.locate_file(file))]
    assert found.metadata["Name"] and found.version
    for point in found.entry_points:
        if point.group.startswith("opentelemetry"):
            point.load()
print(json.dumps([missing, licences]))
"""
# The modules of the package that an import compiled: with their bytecode none is.
USE = """
import json, sys
exec(compile(sys.argv[2], sys.argv[1], "exec"))
loaded = {name: module for name, module in sys.modules.items()
          if (getattr(module, "__file__", None) or "").startswith(sys.argv[3])}
print(json.dumps([name for name, module in loaded.items() if module.__file__.endswith(".py")
                  and module.__spec__ and not __import__("os").path.exists(module.__cached__)]))
"""


@dataclass(frozen=True, kw_only=True)
class Built:
    """A package, unpacked, and what the command said of it."""

    folder: Path
    data: Any

    def run(self, script: str, *arguments: str) -> Any:
        """The JSON that a script prints, which sees the package alone."""
        done = subprocess.run(
            [sys.executable, "-S", "-B", "-W", "ignore", "-c", script, *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env={"PYTHONPATH": SITE, **dict.fromkeys(("HOME", "TMPDIR"), str(self.folder.parent))},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


def build(folder: Path, cache: Path) -> Built:
    app = make_app(folder / "app", "\n".join(REQUIREMENTS))
    azpack = Azpack(folder, AZPACK_CACHE_DIR=str(cache))
    command = ("build", app, "--json", "--slim", "--python", PYTHON)
    slim = azpack.run(*command).data()
    data = azpack.run(*command, "--compile").data()
    assert data["left_out"] == slim["left_out"]
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(data["package"]["path"]) as package:
        package.extractall(unpacked)
    return Built(folder=unpacked, data=data)


def test_distributions_still_do_what_they_are_for(tmp_path: Path, shared_cache: Path) -> None:
    """One test, since they are 200 MB: pytest-xdist would have each worker build its own."""
    built = build(tmp_path, shared_cache)
    check_left_out(built)
    check_metadata(built)
    site = str(built.folder / SITE)
    for name, use in USES.items():
        assert built.run(USE, name, dedent(use), site) == [], f"{name}: modules were compiled"


def check_left_out(built: Built) -> None:
    rows = {row["distribution"]: row for row in built.data["left_out"]["distributions"]}
    assert rows.keys() >= {"cryptography", "lxml", "matplotlib", "numpy", "pandas", "scipy"}
    assert "pandas/tests/" in rows["pandas"]["paths"]
    folders = {path.split("/")[-2] for path in rows["scipy"]["paths"] if path.endswith("/")}
    assert folders == {"tests"}
    assert built.data["left_out"]["size"] > 40_000_000
    assert (built.folder / SITE / "numpy" / "testing" / "__init__.py").exists()
    for row in rows.values():
        assert not any((built.folder / SITE / path).exists() for path in row["paths"])


def check_metadata(built: Built) -> None:
    missing, licences = built.run(METADATA, str(built.folder / SITE))
    assert missing == []
    assert licences > len(REQUIREMENTS)
