"""The tree as scripts/tidy.py sees it: its files, their text, their code without comments and
literals, and what they include."""
import functools
import hashlib
import os
import re
import subprocess

CODE_FOLDERS = ("include", "lib", "transports", "collectives", "kernels", "tests", "perf", "examples")
CODE_SUFFIXES = (".h", ".hpp", ".cc", ".c", ".cu", ".cuh")
SCRIPT_SUFFIXES = (".py", ".sh", ".cmake", ".txt")

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'", re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def _blank(match):
    """Keeps the length and the line ends, and the quotes of a literal."""
    text = match.group(0)
    blank = re.sub(r"[^\n]", " ", text)
    return blank if text[0] == "/" else '"' + blank[1:-1] + '"'


def without_comments(text):
    """The text with comments and literals blanked out, line for line."""
    return _TOKEN.sub(_blank, text)


class SourceFile:
    """One file; `path` is relative to the root, with forward slashes."""

    def __init__(self, tree, path):
        self.tree = tree
        self.path = path
        with open(os.path.join(tree.root, path), encoding="utf-8") as file:
            self.text = file.read()

    @functools.cached_property
    def is_code(self):
        return self.path.endswith(CODE_SUFFIXES)

    @functools.cached_property
    def is_header(self):
        return self.path.endswith((".h", ".hpp", ".cuh"))

    @functools.cached_property
    def code(self):
        return without_comments(self.text)

    @functools.cached_property
    def includes(self):
        """(line, path in the tree or None, name as written, quoted?) for each include."""
        found = []
        for match in _INCLUDE.finditer(self.text):
            name = match.group(2)
            line = self.text.count("\n", 0, match.start()) + 1
            found.append((line, self.tree.resolve(name), name, match.group(1) == '"'))
        return found

    def under(self, *folders):
        return self.path.startswith(tuple(folder + "/" for folder in folders))


class Tree:
    """All files of the working tree that git knows or would add; all files where git is absent."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.files = {}
        for path in sorted(self._list()):
            if path.endswith(CODE_SUFFIXES) and path.startswith(CODE_FOLDERS) or \
                    path.endswith(SCRIPT_SUFFIXES):
                if os.path.isfile(os.path.join(self.root, path)):
                    self.files[path] = SourceFile(self, path)

    def _list(self):
        listing = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-co", "--exclude-standard"],
            capture_output=True, text=True, check=False)
        if listing.returncode == 0:
            return listing.stdout.splitlines()
        found = []
        for folder, _, names in os.walk(self.root):
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return found

    def code(self):
        return [file for file in self.files.values() if file.is_code]

    def resolve(self, name):
        for path in (name, "include/" + name):
            if path in self.files:
                return path
        return None

    def digest(self, path):
        """A hash over the file and all files of the tree that it includes, directly or not."""
        todo, closure = [path], set()
        while todo:
            current = todo.pop()
            if current in closure:
                continue
            closure.add(current)
            todo += [target for _, target, _, _ in self.files[current].includes if target]
        state = hashlib.sha256()
        for name in sorted(closure):
            state.update(name.encode() + b"\0" + self.files[name].text.encode() + b"\0")
        return state.hexdigest()
