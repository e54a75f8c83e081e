PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60

.PHONY: setup demo test lint format docs fuzz bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --group docs
	touch $@

demo: setup
	$(BIN)/azpack build fixtures/apps/v2-blueprint --mode local --output dist/demo.zip

test: setup
	$(BIN)/python -m pytest -n 2 $(TESTFLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python -m tools.generated_pages
	$(BIN)/zensical build --clean --strict

fuzz: setup
	$(BIN)/python -m tests.fuzz_inspect --seconds $(FUZZ_SECONDS)

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/cold_start.py

clean:
	rm -rf $(VENV) .cache build dist site benchmarks/work .mypy_cache .pytest_cache .ruff_cache
