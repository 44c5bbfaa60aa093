# make demo   install into .venv/, make the quickstart dataset on the bundled model, say where to look
# make test   install into .venv/ with the development tools, lint, and run every test
#
# make weights        train the bundled model from nothing, or go on where it was stopped; hours on 2 CPU cores
# make weights-lcm    distil it into the few-step adapter phantom-lcm, or go on; a quarter of an hour on 2 CPU cores
# make model-report   judge both, and write docs/model.md and docs/few-step.md
#
# make faults         damage files and kill commands for half an hour, and write docs/reliability.md;
#                     FAULTS_ARGS="--damages 20000 --kills 7200 --seed 5" for longer
#
# make gpu            try the GPU that is here: about ten minutes, no network; writes gpu-report.md and .json
#                     (`make gpu DEVICE=cpu` runs the same with tiny networks)
#
# make docs           build the documentation into site/; a dead link fails
# make coverage       run every test, and say which lines and branches none of them reaches
# make wheel-test     build sdist and wheel into dist/, install the wheel elsewhere, make the smallest dataset with it
#
# make hashes         write constraints-hashes.txt: the pins of constraints.txt with the sha256 of each of their files
# make sbom           list what is installed in .venv/ as a software bill of materials: dist/sbom.json, in CycloneDX
#
# Where pip would fetch PyTorch with CUDA and you have no GPU, take the CPU build (about 200 MB instead of gigabytes):
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Tests run in two processes; `make test PYTEST_ARGS='-n 8'` in more, on a machine that has as many cores.
# Another interpreter:
#   make demo PYTHON=python3.12

PYTHON ?= python3.11
TORCH_INDEX ?=
DEMO ?= quickstart
PYTEST_ARGS ?=
DEVICE ?= auto

BIN := .venv/bin
# Each process takes its tests in their order, so that what a file of tests shares is seldom made in both. A thread each:
# tiny networks are no faster in two, and two processes of two threads wait for one another on two cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt

# Wherever PyTorch's and diffusers' modules may not be kept compiled, each process compiles them again: 10 seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint coverage docs dist wheel-test hashes sbom bench faults gpu golden weights weights-lcm model-report clean

demo: .venv/installed
	$(BIN)/synthgen run $(DEMO)

test: .venv/installed-dev lint
	$(PYTEST) $(PYTEST_ARGS)

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

coverage: .venv/installed-dev
	$(PYTEST) $(PYTEST_ARGS) --cov --cov-report=term --cov-report=html

docs: .venv/installed-docs
	$(BIN)/mkdocs build --strict --clean

dist: .venv/installed-build
	rm -rf dist
	$(BIN)/python -m build

# The sources are away: a fresh environment and an empty folder elsewhere, and Python without the current folder (-P).
wheel-test: dist
	set -e; unset PYTHONPATH; elsewhere=$$(mktemp -d); trap 'rm -rf "$$elsewhere"' EXIT; \
	$(PYTHON) -m venv "$$elsewhere/venv"; \
	install="$$elsewhere/venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt"; \
	$$install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch; \
	$$install dist/*.whl; \
	mkdir "$$elsewhere/empty"; cd "$$elsewhere/empty"; \
	../venv/bin/python -P -c 'import sys, synthgen; sys.exit(not synthgen.__file__.startswith(sys.prefix))'; \
	../venv/bin/synthgen run smallest --out "$$elsewhere/smallest"; \
	../venv/bin/synthgen verify "$$elsewhere/smallest/work"; \
	../venv/bin/synthgen verify "$$elsewhere/smallest/dataset"

# PyTorch is left out: its files are others for each kind of GPU, each with an index of its own.
hashes: .venv/installed-supply
	grep -v '^torch==' constraints.txt > .venv/pins.txt
	head -n 2 constraints-hashes.txt > .venv/hashes.txt
	$(BIN)/uv pip compile .venv/pins.txt --no-deps --generate-hashes --universal --python-version 3.11.7 \
		--no-header --no-annotate --quiet >> .venv/hashes.txt
	mv .venv/hashes.txt constraints-hashes.txt

sbom: .venv/installed .venv/installed-supply
	mkdir -p dist
	$(BIN)/cyclonedx-py environment $(BIN)/python --of JSON -o dist/sbom.json

bench: .venv/installed-dev
	$(BIN)/python benchmarks/loop.py --rounds 3

gpu: .venv/installed
	$(BIN)/synthgen doctor --benchmark --device $(DEVICE)

golden: .venv/installed-dev
	$(BIN)/python -m pytest tests/golden/test_golden.py tests/golden/test_readers.py --rewrite-golden

faults: .venv/installed-dev
	$(BIN)/python tests/faults --write $(FAULTS_ARGS)

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/torch: constraints.txt | .venv/bin/python
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	touch $@

.venv/installed: pyproject.toml constraints.txt .venv/torch
	$(PIP) -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e '.[dev,ray,efficientnet,faiss,notebook]'
	touch $@

.venv/installed-docs: .venv/installed
	$(PIP) -e '.[docs]'
	touch $@

.venv/installed-build: constraints.txt | .venv/bin/python
	$(PIP) build
	touch $@

.venv/installed-supply: | .venv/bin/python
	$(PIP) uv==0.13.9 cyclonedx-bom==7.5.0
	touch $@

weights: .venv/installed
	$(BIN)/python -m synthgen.phantom.training --out synthgen/phantom/weights $(WEIGHTS_ARGS)

weights-lcm: .venv/installed
	$(BIN)/python -m synthgen.phantom.training.consistency --model synthgen/phantom/weights \
		--out synthgen/phantom/adapters/phantom-lcm $(WEIGHTS_ARGS)

model-report: .venv/installed-dev
	$(BIN)/python benchmarks/model_report.py
	$(BIN)/python benchmarks/few_step.py

clean:
	rm -rf .venv dist site htmlcov .coverage
