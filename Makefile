# Every target sets up .venv by itself; nothing else has to be run before.
#   make check        while you work: lint, types and the fast tests of every folder
#   make test         before you push, and what CI runs: check's and all other tests, with coverage
#   make soak         now and then: make test with all seeds and examples of the tests that try spoilt or random input
#   make test-oldest  after a change of dependencies: the fast tests on the lower bounds of pyproject.toml
#   TORCH_INDEX=URL   take torch (and only torch) from that index, such as PyTorch's index of CPU builds
#   PYTHON=...        the interpreter that .venv is made with (3.11 or newer)
#   JOBS=N            test processes (default 2)
#   BACK_END=KIND     make model also learns that back-end, and packages it (lda, plda, ...)
#   EXTRAS=...        extras of pyproject.toml to install (default train,dev,docs; the image takes train)

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= 2
TORCH_INDEX ?=
EXTRAS ?= train,dev,docs
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
TORCH := $(VENV)/.stamp-torch
INSTALLED := $(VENV)/.stamp-installed
OLDEST ?= .venv-oldest
OLDEST_PIP := $(OLDEST)/bin/python -m pip --disable-pip-version-check
TESTS := python -m pytest -n $(JOBS) --dist worksteal -q
PYTEST := $(VENV)/bin/$(TESTS)
COVERED := --cov=face3d_data --cov=face3d_training --cov-report=term --cov-fail-under=90

# Tests start many processes: without bytecode on disk each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check test soak test-oldest lint bench model mutants docs images install clean
.DEFAULT_GOAL := demo

demo: install
	$(VENV)/bin/face3d run quickstart -w work
	$(VENV)/bin/face3d verify quickstart -w work
	$(VENV)/bin/face3d show --sheet quickstart -w work
	$(VENV)/bin/face3d train quickstart -w work --config demo_maps --restart
	$(VENV)/bin/face3d evaluate quickstart work/training/demo_maps-s0 -w work --baseline \
		--notice "demo: too short to mean anything"

check: lint
	$(PYTEST) -m "not slow"

test: lint
	$(PYTEST) $(COVERED)

soak: lint
	FACE3D_SOAK=1 $(PYTEST) $(COVERED)

test-oldest: $(OLDEST)/.stamp-installed
	$(OLDEST)/bin/$(TESTS) -m "not slow and not pins"

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: install
	$(PY) benchmarks/run_all.py

# The network that comes with the package and its model card: at most 90 minutes on two cores; steps already done are kept.
model: install
	$(PY) benchmarks/make_model.py --workspace work $(if $(BACK_END),--back-end $(BACK_END))

mutants: install
	$(PY) tests/mutants/run.py

# The documentation site, in site/; a broken link, or anything else that is warned of, fails.
docs: install
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

# The pictures of README and the gallery, in docs/images/.
images: install
	$(PY) docs/generate/images.py

install: $(INSTALLED)
	@cat $(TORCH)

# What cannot be installed by pip is looked for before anything long starts.
$(PY):
	@$(PYTHON) -m face3d_data.system_libraries
	$(PYTHON) -m venv $(VENV)

# torch goes first and alone, so that the index chosen for it serves nothing else; its dependencies follow below.
$(TORCH): constraints.txt | $(PY)
	$(PIP) install -q -c constraints.txt setuptools
	$(PIP) install -q -c constraints.txt --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) install -q -c constraints.txt torch
	@$(PY) -W ignore -c "import torch; print('torch', torch.__version__, 'CUDA ' + torch.version.cuda if torch.version.cuda else 'CPU build')" > $@.part
	@mv $@.part $@

$(INSTALLED): $(TORCH) pyproject.toml constraints.txt
	@$(PY) -m face3d_data.system_libraries
	@cat $(TORCH)
	$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[$(EXTRAS)]'
	@touch $@

# The environment of the lower bounds; tools and torch are those of constraints.txt.
$(OLDEST)/.stamp-installed: pyproject.toml constraints.txt tests/oldest/lower_bounds.py | $(INSTALLED)
	$(PYTHON) -m venv --clear $(OLDEST)
	$(PY) tests/oldest/lower_bounds.py train test > $(OLDEST)/pins.txt
	$(OLDEST_PIP) install -q -c constraints.txt setuptools
	$(OLDEST_PIP) install -q -c $(OLDEST)/pins.txt --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(OLDEST_PIP) install -q -c $(OLDEST)/pins.txt --no-build-isolation -e '.[train,test]'
	@touch $@

clean:
	rm -rf build dist site *.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
