# make sweep: the main job.   make test: the tests.   make test-all: those that take minutes, too.   make check: lint and types.
# The first use makes .venv; later uses start at once.

SPACE ?= search_spaces/lr.yaml
ARGS  ?=
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo ok),$(p))))
VENV  := .venv
PIP   := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt

.PHONY: sweep test test-all check clean

sweep: $(VENV)/.core
	$(VENV)/bin/python -m sweeper run $(SPACE) $(ARGS)

test: $(VENV)/.dev
	$(call run_tests,-m "not slow")

test-all: $(VENV)/.dev
	$(call run_tests,)

# In parts beside one another, since they wait for processes much of the time; this screen shows the
# one with all that the others leave. All take about as much of the cores, so that they end together.
# With ARGS, as ARGS="tests/sweeper/spec -x", just what is asked for.
PYTEST := $(VENV)/bin/python -m pytest
RAY    := tests/sweeper/runtime/ray_tune
BESIDE := ray rays views record
ray    := $(wildcard $(RAY)/test_[a-l]*.py) tests/trainable
rays   := $(wildcard $(RAY)/test_[m-z]*.py) tests/sweeper/runtime/ray_jobs
views  := tests/sweeper/commands tests/sweeper/views tests/sweeper/docs
record := tests/sweeper/record tests/sweeper/engine tests/sweeper/strategy tests/sweeper/analysis
# Threads that wait for one another by spinning take the cores from the other parts.
test test-all: export OPENBLAS_NUM_THREADS := 1
test test-all: export OMP_WAIT_POLICY := PASSIVE
ifeq ($(strip $(ARGS)),)
define run_tests
@echo "Beside what you see, and shown after it: $(RAY) in two parts, tests/trainable $(views) $(record)"
@rm -f $(BESIDE:%=$(VENV)/%.rc)
@$(foreach part,$(BESIDE),{ $(PYTEST) $(1) $($(part)) >$(VENV)/$(part).log 2>&1; echo $$? >$(VENV)/$(part).rc; } & ) \
$(PYTEST) $(1) $(addprefix --ignore=,$(foreach part,$(BESIDE),$($(part)))); rest=$$?; \
wait; cat $(BESIDE:%=$(VENV)/%.log); test "$$rest $$(cat $(BESIDE:%=$(VENV)/%.rc) | xargs)" = "0 $(BESIDE:%=0)"
endef
else
define run_tests
$(PYTEST) $(1) $(ARGS)
endef
endif

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/.core: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "sweeper needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): torch, Ray and friends; a few minutes, once."
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "Adding the test tools (pytest, hypothesis, transformers, mypy, ruff) to $(VENV)."
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
