# Two commands, each doing all its own set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
# Small networks are faster on one thread than on two.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test generate clean

demo: $(READY)
	$(BIN)/python tools/demo.py

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2

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
	rm -rf .venv work_dirs runs
