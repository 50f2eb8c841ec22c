# make demo   the whole path on real photographs, from nothing
# make test   the tests, from nothing
# make test-portable   the numerical tests as an older processor computes them
# make fuzz   the property tests on new random examples, then 20 minutes of files for every parser
# make docs   the documentation as a site, in site/
# make check  ruff, mypy, import-linter
# make test-minimum   the tests with the least versions that pyproject.toml allows; wants Python 3.11
# make lock   requirements.lock anew, with hashes; make lock UPGRADE=--upgrade for newer versions
# make audit  known vulnerabilities of what is locked; needs the network

PYTHON ?= python3
VENV := .venv
MINIMUM := .venv-minimum
BIN := $(VENV)/bin
DEMO := demo
READY := $(VENV)/.ready
NUMERICAL := metric composition damage folds blending training networks jobs inference
OLDER := ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default NUMBA_CPU_NAME=generic

.PHONY: demo test test-portable test-minimum fuzz docs check lock audit clean

demo: $(READY)
	$(BIN)/ens --root $(DEMO) demo --force
	$(BIN)/ens --root $(DEMO) folds --groups $(DEMO)/data/groups.csv
	$(BIN)/ens --root $(DEMO) train --fold 0..1
	$(BIN)/ens --root $(DEMO) blend --trials 200
	$(BIN)/ens --root $(DEMO) submit --force

# One thread a worker: threads of torch that share a core wait for each other.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# A tolerance that holds by the luck of one processor's vectors fails here.
test-portable: $(READY)
	$(OLDER) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(NUMERICAL:%=tests/%)

# torch and torchvision stay the locked ones: older ones come with all of CUDA. Older packages warn of
# newer ones that they need, which is no failure here.
test-minimum: $(READY)
	$(PYTHON) -m venv $(MINIMUM)
	$(BIN)/uv pip install --quiet --python $(MINIMUM)/bin/python --no-deps \
		--requirement requirements-minimum.lock
	$(MINIMUM)/bin/python -m pip install --quiet --requirement requirements-torch.lock
	$(MINIMUM)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	OMP_NUM_THREADS=1 $(MINIMUM)/bin/python -m pytest -n 2 --dist worksteal -W default

# The property tests on examples that nobody has seen; a failure prints how to repeat it.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile fuzz
	$(BIN)/python -m tests.fuzz --minutes 20

# Strict: a link to nothing is an error.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Versions and hashes of every platform's files. What is locked stays unless UPGRADE says otherwise.
lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --extra dev --constraint requirements-torch.lock \
		--no-emit-package torch --universal --generate-hashes --quiet $(UPGRADE) \
		--custom-compile-command "make lock" --output-file requirements.lock
	echo torchvision==0.28.0 | $(BIN)/uv pip compile - pyproject.toml --extra dev \
		--override requirements-torch.lock --no-emit-package torch --resolution lowest-direct \
		--python-version 3.11 --no-annotate --quiet $(UPGRADE) \
		--custom-compile-command "make lock" --output-file requirements-minimum.lock

audit: $(READY)
	$(BIN)/uv tool run pip-audit --strict --no-deps --disable-pip \
		--requirement requirements.lock --requirement requirements-torch.lock

# A file whose hash is not in requirements.lock is refused, and nothing comes that is not listed.
$(READY): pyproject.toml requirements.lock requirements-torch.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --requirement requirements-torch.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

clean:
	rm -rf $(VENV) $(MINIMUM) $(DEMO) site
