#!/usr/bin/env python3
"""Which sources can be compiled as one: most of a small file's compilation goes into headers that its
neighbours include too. Kept apart are files of which one hides a name in an unnamed namespace that the
other uses, and files that Highway compiles once for each instruction set. `unity.py FILE...` prints
a line `GROUP FILE` for each file that shares its compilation; CMake asks for it where UNIRACK_UNITY
is on."""
import functools
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy_source  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
_UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.MULTILINE | re.DOTALL)
# What stands in the first column of an unnamed namespace, as clang-format leaves it.
_NAME = re.compile(
    r"^(?:(?:struct|class|enum class|enum|union)\s+(\w+)|using (\w+) ="
    r"|(?:(?:inline|static|constexpr|const|thread_local)\s)+[^=({]*?\b(\w+)(?:\[[^=]*\])?\s*(?:=|\{)"
    r"|(?!using|template|typedef|return|TEST)[A-Za-z_][\w:<>,&*\s]*?[\s&*](\w+)\()", re.MULTILINE)
# Types, constants, and functions that are not members.
_USED = re.compile(r"(?<![\w.>:])(?:[A-Z]\w+|k[A-Z]\w+|\w+(?=\())")


def hidden_names(text, code):
    """Names that the unnamed namespaces of a file declare."""
    return {next(filter(None, name.groups())) for part in _UNNAMED.finditer(text)
            for name in _NAME.finditer(code[part.start(1):part.end(1)])}


@functools.cache
def _header(path):
    """(names it uses, headers of ours that it includes)"""
    with open(path, encoding="utf-8") as file:
        code = tidy_source.without_comments(text := file.read())
    return set(_USED.findall(code)), _ours(text)


def _ours(text):
    paths = (os.path.join(ROOT, name) for name in _INCLUDE.findall(text))
    return [path for path in paths if os.path.exists(path)]


def _used_names(text, code):
    """Names that a file or a header below it uses."""
    used, seen, todo = set(_USED.findall(code)), set(), _ours(text)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            names, below = _header(path)
            used |= names
            todo += below
    return used


def batches(texts, lines_max=2500):
    """texts: {path: text}. Lists of paths; each path stands in one of them."""
    found = []  # of [paths, hidden names, used names, lines]
    for path, text in texts.items():
        if "foreach_target.h" in text:
            found.append([[path], set(), set(), lines_max])
            continue
        code = tidy_source.without_comments(text)
        hidden, used = hidden_names(text, code), _used_names(text, code)
        lines = text.count("\n")
        for batch in found:
            if batch[3] + lines <= lines_max and not hidden & batch[2] and not used & batch[1]:
                batch[0].append(path)
                batch[1] |= hidden
                batch[2] |= used
                batch[3] += lines
                break
        else:
            found.append([[path], hidden, used, lines])
    return [batch[0] for batch in found]


def main():
    texts = {}
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    for number, batch in enumerate(batches(texts)):
        for path in batch if len(batch) > 1 else ():
            print(f"group{number:03} {path}")


if __name__ == "__main__":
    main()
