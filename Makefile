# Two commands, each doing all its own set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
# Small networks are faster on one thread than on two.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test trust soak lowest audit generate clean

demo: $(READY)
	$(BIN)/python tools/demo.py

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2

# The tests that repeat themselves, in full: 100 kills, 1,000 damaged files, 10,000 edits.
trust: $(READY)
	NLZ_TRUST=full $(BIN)/python -m pytest -n 2 -m trust -rP

# Half an hour of training; the slope of its memory.
soak: $(READY)
	$(BIN)/python tools/soak.py

# The lowest versions that setup.cfg allows, in an environment of their own, and the tests of what
# touches them. On Linux pip gets a torch with CUDA here: 5 GB.
lowest:
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tools/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/pip install -q -c .venv-lowest/constraints.txt -e '.[seg,det,pyg,compare,convert]' \
	    pytest 'hypothesis>=6.170' 'setuptools<81'
	.venv-lowest/bin/python -m pytest tests/test_registry.py tests/blocks/test_build.py \
	    tests/blocks/test_edges.py tests/references tests/engine tests/adapters

# Known vulnerabilities in the versions that are installed; asks pypi.org.
audit: $(READY)
	$(BIN)/pip install -q pip-audit
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' > .venv/frozen.txt
	$(BIN)/pip-audit --disable-pip --no-deps -r .venv/frozen.txt

# What is made from the registry and the tests: config files, the table in README.md, the errata,
# what can be compiled and exported.
generate: $(READY)
	$(BIN)/python tools/make_configs.py
	$(BIN)/python tools/make_readme.py
	$(BIN)/python tools/make_errata.py
	$(BIN)/python tools/make_deployment.py

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[seg,det,pyg,compare,dev]'
	touch $@

clean:
	rm -rf .venv .venv-lowest work_dirs runs
