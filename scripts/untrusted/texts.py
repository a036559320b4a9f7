"""Texts of strangers: captions, JSON and YAML, of a size and a depth that cannot do harm."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import UserError
from scripts.untrusted.files import MIB, open_file
from scripts.words import tidy

MAX_TEXT = 10_000  # characters; a caption has about fifty
MAX_JSON_BYTES = 16 * MIB  # a record of a round has two thousand
MAX_YAML_BYTES = MIB
MAX_YAML_NODES = 20_000  # once what is named again is written out
MAX_DEPTH = 50
MAX_NUMBER = 1000  # characters of an unquoted value, which may be read as a number

JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_bytes(path: Path | str, most: int, *, empty: bool = False) -> bytes:
    """The content of a regular file of at most `most` bytes, and of more than none if not `empty`.

    Raises UserError.
    """
    with open_file(Path(path), most, empty=empty) as file:
        return file.read()


def read_text(path: Path | str) -> str:
    """The text in a file as one tidy line. Raises UserError if there is none, or no plain text."""
    text = decode(path, read_bytes(path, 4 * MAX_TEXT + 4))
    if not is_plain(text):
        raise UserError(f"{path}: this is not plain text; it holds control characters.")
    line = tidy(text)
    if not line:
        raise UserError(f"{path}: this text is empty; write a sentence into it.")
    if len(line) > MAX_TEXT:
        raise UserError(
            f"{path}: this text has {len(line):,} characters; at most {MAX_TEXT:,} are read."
        )
    return line


def is_plain(text: str) -> bool:
    """Whether a text holds no control characters but blanks, and no halves of characters."""
    kinds = ((letter, unicodedata.category(letter)) for letter in text)
    return not any(
        kind == "Cs" or (kind == "Cc" and not letter.isspace()) for letter, kind in kinds
    )


def decode(path: Path | str, content: bytes) -> str:
    """UTF-8 as text, without the byte order mark. Raises UserError, naming line and byte."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path}: this text is UTF-16; save it as UTF-8.")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = f"line {line}, byte" if line > 1 else "byte"
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1)
        raise UserError(
            f"{path}: {place} {column} is not UTF-8; save it as plain text in UTF-8."
        ) from None


# --- JSON


def read_json(path: Path | str, most: int = MAX_JSON_BYTES) -> Any:
    """What a JSON file holds. Raises UserError if it is no JSON, too large or nested too deeply."""
    try:
        return parse_json(decode(path, read_bytes(path, most)))
    except ValueError as error:
        raise UserError(f"{path}: this is not JSON ({error}).") from None


def parse_json(text: str) -> Any:
    """What a JSON text holds. Raises ValueError, also for NaN and infinities, which JSON lacks.

    Python's own reader follows brackets by recursion: where the limit of that is raised, as it is
    for long chains, a hundred thousand brackets would end the process.
    """
    brackets = JSON_STRING.sub(b"", text.encode("utf-8", "surrogatepass"))
    brackets = brackets.translate(None, NOT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each turn takes the innermost pairs away
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if brackets:
        raise ValueError("its brackets are not closed, or nested too deeply")
    return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


# --- YAML


def read_yaml(path: Path | str, loader: type = yaml.SafeLoader) -> Any:
    """What a YAML file holds: plain containers, texts, numbers; None if nothing. Raises UserError.

    A small file can name a list of lists of lists again and again: what it stands for is counted
    before it is built.
    """
    content = read_bytes(path, MAX_YAML_BYTES, empty=True)
    try:
        _check_yaml(content)
        _check_keys(yaml.compose(content, Loader=yaml.SafeLoader))
        return yaml.load(content, Loader=loader)
    # ValueError: a date that is none, a number of thousands of digits, bytes that are not UTF-8.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1} is wrong:" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{path}:{line} this is not YAML ({problem}).") from None


def _check_keys(root: yaml.Node | None) -> None:
    """Raises MarkedYAMLError if a mapping has a key twice, of which YAML would keep the last."""
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
            continue
        keys = set()
        for key, value in node.value:
            nodes += [key, value]
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    problem = f"{key.value!r} is there twice; leave one of them out"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                keys.add((key.tag, key.value))


def _check_yaml(content: bytes) -> None:
    """Raises MarkedYAMLError if the file stands for too much, or is nested too deeply."""
    sizes: dict[str, int] = {}  # nodes that each anchor stands for
    open_nodes: list[tuple[str | None, int]] = []  # anchor, nodes before it
    total = 0
    for event in yaml.parse(content, Loader=yaml.SafeLoader):
        wrong = ""
        if isinstance(event, yaml.AliasEvent):
            # An anchor that names itself has no size yet.
            total += sizes.get(event.anchor, MAX_YAML_NODES)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes |= {anchor: total - before} if anchor else {}
        elif isinstance(event, yaml.NodeEvent):
            open_nodes += [(event.anchor, total)] if not isinstance(event, yaml.ScalarEvent) else []
            total += 1
            if isinstance(event, yaml.ScalarEvent):
                sizes |= {event.anchor: 1} if event.anchor else {}
                if event.implicit[0] and len(event.value) > MAX_NUMBER:
                    wrong = f"an unquoted text of {len(event.value):,} characters"
        if total > MAX_YAML_NODES:
            wrong = f"it stands for more than {MAX_YAML_NODES:,} values"
        if len(open_nodes) > MAX_DEPTH:
            wrong = f"it is nested more than {MAX_DEPTH} deep"
        if wrong:
            raise yaml.MarkedYAMLError(problem=wrong, problem_mark=event.start_mark)
