# Two commands from nothing: `make play` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: play models test releases lint lock python system

# make play                                       plays a cow that comes with the game
# make play PICTURE=dog.jpg                       plays a picture of your own
# make play TEXT="two red kites over a beach"     begins with a sentence
# With OPEN=yes, the page of the game is opened in a browser at the end.
PICTURE ?=
TEXT ?=
OPEN ?=
# As they were typed: a $ in them is not a variable of make.
override PICTURE := $(value PICTURE)
override TEXT := $(value TEXT)
export PICTURE TEXT

play: .venv/game
	@image=cow; \
	if [ -n "$$PICTURE" ]; then image=$$($(BIN)/python -m scripts.bring --picture "$$PICTURE"); \
	elif [ -n "$$TEXT" ]; then image=$$($(BIN)/python -m scripts.bring --text "$$TEXT"); fi && \
	$(BIN)/snakemake --cores 1 "results/$$image/round5.png" "results/$$image/strip.png" \
		"results/$$image/index.html" && \
	{ [ -z "$(OPEN)" ] || xdg-open "results/$$image/index.html"; }

# The cluster's tests start a SLURM of their own, the page's tests a browser. Where `make system` can
# install them, these tests must not be skipped.
test: .venv/tests lint system
	TELEPHONE_NEEDS_SLURM=$$(command -v slurmctld) TELEPHONE_NEEDS_BROWSER=$$(command -v chromium) \
		$(BIN)/python -m pytest -n 2 --dist loadfile

# Downloads the other releases of Snakemake that the engine room names, and plays with them.
releases: .venv/tests
	TELEPHONE_RELEASES="9.26.1 9.25.2" $(BIN)/python -m pytest tests/test_releases.py

# SLURM and Chromium from Debian's or Ubuntu's packages, for root; elsewhere their tests are skipped.
system:
	@if ! { command -v slurmctld && command -v chromium; } >/dev/null && command -v apt-get >/dev/null && [ $$(id -u) = 0 ]; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			slurm-wlm munge chromium fonts-dejavu-core; \
	fi

lint: .venv/tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules

.venv/game: requirements.txt | python
	$(PYTHON) -m venv .venv
	@echo "Installing the game's packages; pip shows how far it is."
	$(BIN)/pip install --requirement requirements.txt
	touch $@

# For bundles whose players come from a model hub.
models: .venv/game
	$(BIN)/pip install --requirement requirements-models.txt

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
