# Two commands from nothing: `make play` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: play test lint python

play: .venv/game
	$(BIN)/snakemake --cores 1 results/cow/round5.png

test: .venv/tests lint
	$(BIN)/python -m pytest

lint: .venv/tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules

.venv/game: requirements.txt | python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/tests: requirements-dev.txt requirements.txt | python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@ .venv/game

python:
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 is needed.')"
