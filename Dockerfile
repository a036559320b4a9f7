# The game in a container:
#   docker build --tag telephonegan .
#   docker run --rm --volume "$PWD/results:/game/results" telephonegan results/cow/strip.png
FROM python:3.13-slim-trixie

# The user who plays; results/ must be writable for this id.
ARG UID=1000
RUN useradd --create-home --uid $UID player && mkdir /game && chown player /game
WORKDIR /game

# Pinned packages with the hashes of their files. They change less often than the code does, and are
# a layer of their own. The lock file also holds what the tests need.
COPY requirements-dev.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements-dev.lock
ENV PATH=/opt/venv/bin:$PATH

USER player
COPY --chown=player . .

# A game as a test of the build: it fails unless two rounds can be played.
RUN snakemake --cores 1 results/cow/round2.png && rm -r results .snakemake

ENTRYPOINT ["snakemake", "--cores", "1"]
