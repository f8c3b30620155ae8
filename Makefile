# Two commands, each doing all its own set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
SITE := import sysconfig; print(sysconfig.get_path('purelib'))
# Small networks are faster on one thread than on two.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test docs trust soak matrix audit test-compiled generate clean

demo: $(READY)
	$(BIN)/python tools/demo.py

test: $(READY)
	$(BIN)/ruff check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/mkdocs build --strict --quiet --site-dir .site
	$(BIN)/python -m pytest -n 2
	$(PYTHON) tools/matrix.py core-3.13

# The pages of docs/, with the reference made from the docstrings, into .site; a warning is an error.
docs: $(READY)
	$(BIN)/mkdocs build --strict --site-dir .site

# The detection tests on mmcv's compiled ops, in an environment over the first one: its own mmcv
# hides the mmcv-lite there. A wheel is taken from PIP_FIND_LINKS; without one pip compiles, which
# takes minutes.
test-compiled: $(READY)
	$(PYTHON) -m venv .venv-compiled
	under=$$($(BIN)/python -c "$(SITE)") && over=$$(.venv-compiled/bin/python -c "$(SITE)") && \
	    echo "import site; site.addsitedir('$$under')" > $$over/under.pth
	.venv-compiled/bin/python -m pip install -q 'setuptools<81' wheel ninja
	CFLAGS="-O1 -g0" MMCV_WITH_OPS=1 MAX_JOBS=2 .venv-compiled/bin/python -m pip install -q \
	    --no-deps --no-build-isolation mmcv==2.1.0
	.venv-compiled/bin/python -c "import torch, mmcv._ext; print(mmcv._ext.__file__)"
	.venv-compiled/bin/python -m pytest tests/detection tests/adapters/test_ops.py \
	    tests/adapters/test_ops_reference.py tests/configs/test_detection_files.py

# The tests that repeat themselves, in full: 100 kills, 1,000 damaged files, 10,000 edits.
trust: $(READY)
	NLZ_TRUST=full $(BIN)/python -m pytest -n 2 -m trust -rP

# Half an hour of training; the slope of its memory.
soak: $(READY)
	$(BIN)/python tools/soak.py

# Every Python and the versions that setup.cfg allows, each in an environment of its own under
# .venv-matrix: `make matrix`, or some of it, `make matrix ROWS="lowest onedl"`. What the rows are:
# tools/matrix.py. Python 3.11 with what constraints.txt says is `make test`.
matrix:
	$(PYTHON) tools/matrix.py --remove $(ROWS)

# Known vulnerabilities in the versions that are installed; asks pypi.org.
audit: $(READY)
	$(BIN)/pip install -q pip-audit
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' > .venv/frozen.txt
	$(BIN)/pip-audit --disable-pip --no-deps -r .venv/frozen.txt

# What is made from the registry and the tests: config files, the table in README.md, the errata,
# what can be compiled and exported, and what runs on a GPU.
generate: $(READY)
	$(BIN)/python tools/make_configs.py
	$(BIN)/python tools/make_cost.py
	$(BIN)/python tools/make_blocks.py
	$(BIN)/python tools/make_pairs.py
	$(BIN)/python tools/make_errata.py
	$(BIN)/python tools/make_deployment.py
	$(BIN)/python tools/make_devices.py

# yapf, which mmengine imports, writes a cache of its grammar; two processes at their first import
# would read it half written.
$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[seg,det,pyg,compare,dev,docs]'
	$(BIN)/python -c "import yapf"
	touch $@

clean:
	rm -rf .venv .venv-compiled .venv-matrix .site work_dirs runs
