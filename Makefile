# Every habit of the project is a target. `make demo` and `make test` need Python >= 3.11 and cargo, nothing else: they
# make a virtual environment in .venv, build the extension into it, and repeat only what has changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python that is new enough; override with `make PYTHON=...`.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
PYTEST := $(PY) -m pytest

# maturin and PyO3's build script take the interpreter from here, whatever environment is active outside.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYO3_PYTHON := $(CURDIR)/$(PY)
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

RUST_SOURCES := $(shell find rust/tokmill/src rust/tokmill-py/src -name '*.rs') \
	Cargo.toml Cargo.lock rust/tokmill/Cargo.toml rust/tokmill-py/Cargo.toml

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- the environment ------------------------------------------------------------------------------------------------

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; set PYTHON=..." >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "cargo is needed and was not found: see https://rustup.rs" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

# A stamp for each dependency group of pyproject.toml.
$(VENV)/.group-%: pyproject.toml | $(VENV)/.created
	$(PIP) install --group $*
	@touch $@

# The demo says which peer is missing where one cannot be installed, so their absence is no failure.
$(VENV)/.peers: pyproject.toml | $(VENV)/.created
	$(PIP) install --group peers || echo "not every peer library could be installed; the demo goes on without"
	@touch $@

$(VENV)/.extension: $(RUST_SOURCES) $(VENV)/.group-build
	$(PY) -m maturin develop --release --locked --quiet --group build
	@touch $@

# -- everyday -------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.extension $(VENV)/.peers ## Train on Python's standard library, encode it, decode it, beside the peers
	$(PY) examples/demo.py

.PHONY: dev
dev: $(VENV)/.extension $(VENV)/.group-dev ## Build everything for development into .venv

.PHONY: fmt
fmt: $(VENV)/.group-lint ## Format Rust and Python
	cargo fmt --all
	$(PY) -m ruff check --fix --quiet
	$(PY) -m ruff format

.PHONY: lint
lint: $(VENV)/.extension $(VENV)/.group-test $(VENV)/.group-lint ## Check format, lints and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test
test: $(VENV)/.extension $(VENV)/.group-test ## Run all tests, then the lints
	cargo test --locked --quiet
	$(PYTEST)
	$(MAKE) lint

# Environments of their own: torch is large, and there are two releases of transformers to run on.
.cache/integrations%/.created: pyproject.toml | $(VENV)/.created
	$(PYTHON) -m venv --clear $(@D)
	$(subst $(VENV),$(@D),$(PIP)) install --upgrade 'pip>=25.1'
	$(subst $(VENV),$(@D),$(PIP)) install --group $(notdir $(@D)) numpy
	@touch $@

INTEGRATIONS := .cache/integrations-5 .cache/integrations-4

.PHONY: test-integrations
test-integrations: $(VENV)/.extension $(INTEGRATIONS:%=%/.created) ## Run the tests that need transformers, torch and datasets
	for environment in $(INTEGRATIONS); do \
		PYTHONPATH=python $(subst $(VENV),$$environment,$(PYTEST)) tests_integrations || exit 1; done

PARITY_SECONDS ?= 100000

.PHONY: parity
parity: $(VENV)/.extension $(VENV)/.group-test ## Compare whole texts with the owners of files and write the matrix; PARITY_SECONDS=400 at a time
	PYTHONPATH=tests $(PY) -m parity --seconds $(PARITY_SECONDS) --write

.PHONY: test-owners
test-owners: $(VENV)/.extension $(VENV)/.group-test ## Run the tests of LIBRARY=tiktoken, unpacked at SOURCE=..., on our face of it
	$(PY) tests/owners.py $(LIBRARY) $(SOURCE)

.PHONY: soak
soak: $(VENV)/.extension $(VENV)/.group-test ## Run the property tests a hundred times longer
	TOKMILL_SOAK=10000 PROPTEST_CASES=25600 cargo test --locked --release
	$(PYTEST) --hypothesis-profile=soak

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZ_SECONDS=60 (needs nightly Rust and cargo-fuzz)
	for target in $$(cargo +nightly fuzz list --fuzz-dir rust/fuzz); do \
		cargo +nightly fuzz run --fuzz-dir rust/fuzz $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

# -- measuring ------------------------------------------------------------------------------------------------------

# Environments of the libraries that tokmill is measured beside. One that cannot be installed is shown as absent.
.cache/peers-%/.created: bench/peers/requirements-%.txt | $(VENV)/.created
	$(PYTHON) -m venv --clear $(@D)
	sed -e '/^#/d' $< | while read -r requirement; do \
		$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --prefer-binary "$$requirement" \
		|| echo "$$requirement cannot be installed here and is left out"; done
	@touch $@

.PHONY: peers
peers: .cache/peers-stable/.created .cache/peers-next/.created ## Make the environments of the libraries to compare with

.PHONY: corpora
corpora: $(VENV)/.created ## Make the corpora that benchmarks read, in .cache/corpora
	$(PY) -m bench.corpora

MEASURE := $(VENV)/.extension $(VENV)/.group-bench peers

.PHONY: bench
bench: $(MEASURE) ## Measure the core and the Python face, beside the peers, within 15 minutes
	cargo bench --locked -p tokmill-bench
	$(PYTEST) bench --benchmark-disable-gc --benchmark-columns=min,median,rounds
	$(PY) -m bench.harness.own
	$(PY) -m bench.harness.compare --seconds 480
	$(PY) -m bench.training.compare

.PHONY: bench-full
bench-full: $(MEASURE) corpora .cache/peers-bytes/.created ## Measure every case whole, train on 100 MB, and keep the record in bench/record
	cargo bench --locked -p tokmill-bench
	$(PY) -m bench.harness.own --full
	$(PY) -m bench.harness.compare --full
	$(PY) -m bench.training.compare --full
	$(PY) -m bench.training.growth --full
	$(PY) -m bench.training.superbpe --full
	$(PY) -m bench.training.binary --full
	$(PY) -m bench.byte_level.compare --full

# -- documents and releases -----------------------------------------------------------------------------------------

.PHONY: docs
docs: $(VENV)/.extension $(VENV)/.group-test ## Build the Rust reference and run every code block of the guides
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps -p tokmill
	$(PYTEST) tests/test_docs.py tests/test_examples.py

.PHONY: wheel
wheel: $(VENV)/.group-build ## Build the wheel and try it, with its command line, in a clean environment
	rm -rf dist .cache/wheel
	$(PY) -m maturin build --release --locked --out dist
	$(PYTHON) -m venv --clear .cache/wheel
	$(subst $(VENV),.cache/wheel,$(PIP)) install dist/*.whl
	$(subst $(VENV),.cache/wheel,$(PY)) -I tests/check_wheel.py

.PHONY: clean
clean: ## Remove everything that the targets above made
	cargo clean
	rm -rf $(VENV) .cache dist .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache bench/record/local
	rm -f python/tokmill/*.so python/tokmill/*.pyd
	find python tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +
