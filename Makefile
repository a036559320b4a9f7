# Two commands from nothing: `make play` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: play test lint lock python cluster

play: .venv/game
	$(BIN)/snakemake --cores 1 results/cow/round5.png

# Tests of the cluster profile start a SLURM of their own; where `make cluster` can install one, they
# must not be skipped.
test: .venv/tests lint cluster
	TELEPHONE_NEEDS_SLURM=$$(command -v slurmctld) $(BIN)/python -m pytest

# The packages of SLURM, on Debian and Ubuntu, for root; elsewhere its tests are skipped.
cluster:
	@if ! command -v slurmctld >/dev/null && command -v apt-get >/dev/null && [ $$(id -u) = 0 ]; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; \
	fi

lint: .venv/tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules

.venv/game: requirements.txt | python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/tests: requirements-dev.lock | python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	touch $@ .venv/game

# Every package that tests run with, dependencies of dependencies included, with the hashes of its
# files; to be made anew when a pin changes.
lock: .venv/tests
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile requirements-dev.txt --python-version 3.11 --universal \
		--generate-hashes --quiet --custom-compile-command "make lock" --output-file requirements-dev.lock

python:
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 is needed.')"
