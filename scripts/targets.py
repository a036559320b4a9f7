"""What somebody may have meant who asked for something that does not exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from scripts.chains import near

OF_CHAIN = ("strip.png", "film.gif", "drift.svg", "drift.tsv", "related.png", "index.html")
OF_ROUND = ("round{}.png", "round{}.txt", "round{}.json")
OF_FIGURE = ("candidates/round{}.png", "attention/round{}.png")


def unknown(target: str, images: Sequence[str], rules: Sequence[str], rounds: int) -> str:
    """A message for a target that nothing makes, with suggestions.

    `images` are the base files' names, `rules` the targets without a path, `rounds` the number of
    rounds that the config asks for.
    """
    start = f"{target}: no rule makes this."
    parts = PurePosixPath(target).parts
    example = images[0] if images else "cow"
    if len(parts) == 1:
        stem = re.split(r"[@+]", target)[0]
        if stem in images:
            files = f"results/{target}/round{rounds}.png, strip.png or index.html"
            return f"{start} {stem} is a base file: ask for {files} in the same folder."
        if close := near(target, rules):
            return f"{start} Did you mean {' or '.join(close)}?"
        if close := _files(target, rounds):
            return f"{start} Did you mean {_paths(example, close)}?"
        if close := near(target, images):
            return f"{start} Did you mean results/{close[0]}/round{rounds}.png?"
    elif parts[0] == "results" and len(parts) > 2:
        if close := _files("/".join(parts[2:]), rounds):
            return f"{start} Did you mean {_paths(parts[1], close)}?"
    elif parts[0] == "results" or near(parts[0], ["results"]):
        chain = parts[1]
        if len(parts) == 2 and parts[0] == "results":
            return (
                f"{start} Ask for results/{chain}/strip.png, or results/{chain}/round{rounds}.png."
            )
        return f"{start} Did you mean {'/'.join(('results', *parts[1:]))}?"
    elif parts[0] in images and (close := _files("/".join(parts[1:]), rounds)):
        return f"{start} Did you mean {_paths(parts[0], close)}?"
    known = f"results/{example}/round{rounds}.png, results/{example}/strip.png"
    return f"{start} Ask for files like {known}, or for {', '.join(rules)}."


def _files(name: str, rounds: int) -> list[str]:
    """Files of a chain whose names look like this one."""
    number = re.search(r"\d+", name)
    round_ = number[0] if number else rounds
    known = [*OF_CHAIN, *(file.format(round_) for file in (*OF_ROUND, *OF_FIGURE))]
    stem = name.rpartition(".")[0]
    same = [file for file in known if stem and file.rpartition(".")[0] == stem]
    return same or near(name, known)[:2]


def _paths(chain: str, files: Sequence[str]) -> str:
    return " or ".join(f"results/{chain}/{file}" for file in files[:2])
