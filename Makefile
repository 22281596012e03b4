# Everything starts here: `make demo` shows what degradekit does, `make test` proves that it works.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-wheel check clean

demo: $(VENV)/.demo
	$(BIN)/degradekit build recipes/real_esrgan.yaml --source sample --out demo/real_esrgan --variants 4 --force
	$(BIN)/degradekit verify demo/real_esrgan
	$(BIN)/degradekit replay demo/real_esrgan --sample 16
	$(BIN)/degradekit sheet demo/real_esrgan --out demo/contact_sheet.png

# Tests of Ray clusters need the machine for themselves; all others share its cores, a file at a time.
test: check
	$(BIN)/python -m pytest -q -m "not ray" -n $(JOBS) --dist loadfile
	$(BIN)/python -m pytest -q -m ray tests

# What packaging can break: data files, entry points, templates, whole builds. All other tests ran on the same code.
WHEEL_TESTS := $(addprefix tests/,degradekit/cli degradekit/page degradekit/preview degradekit/audit/report \
	degradekit/interop degradekit/test_recipes.py degradekit/test_schema.py degradekit/test_sheet.py \
	degradekit/test_job.py models/cli models/test_checkpoints.py models/test_zoo.py)

test-wheel: $(VENV)/.dev
	$(BIN)/python tests/wheel.py -m "not ray" -n $(JOBS) --dist loadfile $(WHEEL_TESTS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	$(INSTALL) --no-deps spandrel mosaicml-streaming  # their own requirements would bring torchvision with CUDA
	touch $@ $(VENV)/.demo
