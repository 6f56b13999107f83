"""The rules of scripts/tidy.py that run a tool: clang-format, the compiler, clang-tidy. What passed
is remembered in the build folder by a hash of the file, all it includes, the flags and the tool, so
that a second run looks only at what changed."""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess

import unity

CLANG_TIDY_LINES_MAX = 6000
CHECKED = ("lib", "transports", "collectives", "kernels", "perf", "include")


class Tools:
    def __init__(self, tree, build):
        self.tree = tree
        self.build = build
        self.cache = os.path.join(build, "tidy-cache")
        os.makedirs(self.cache, exist_ok=True)
        self.commands = {}
        database = os.path.join(build, "compile_commands.json")
        if os.path.exists(database):
            with open(database, encoding="utf-8") as file:
                for entry in json.load(file):
                    path = os.path.relpath(entry["file"], tree.root)
                    self.commands[path] = entry["command"]

    def run_all(self, kind, jobs):
        """jobs: (path, key, command, input). Runs those that did not pass before; returns
        (path, output) of those that fail."""
        def run_one(job):
            path, key, command, text = job
            mark = os.path.join(self.cache, hashlib.sha256(
                "\0".join([kind, path, key, *command]).encode()).hexdigest())
            if os.path.exists(mark):
                return None
            done = subprocess.run(command, input=text, capture_output=True, text=True,
                                  cwd=self.tree.root, check=False)
            if done.returncode != 0:
                return path, done.stdout + done.stderr
            with open(mark, "w", encoding="utf-8"):
                pass
            return None

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return [failure for failure in pool.map(run_one, jobs) if failure]


def find_tool(name):
    """The version of Debian 12 first: others format and judge differently."""
    return shutil.which(name + "-14") or shutil.which(name)


def _version(tool):
    return subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout


def _read(tree, path):
    with open(os.path.join(tree.root, path), encoding="utf-8") as file:
        return file.read()


def format_rule(tools):
    """clang-format would change nothing"""
    tool = find_tool("clang-format")
    settings = _version(tool) + _read(tools.tree, ".clang-format")
    jobs = [(file.path, settings + file.text, [tool, "--dry-run", "-Werror", file.path], None)
            for file in tools.tree.code()]
    problems = []
    for path, output in tools.run_all("format", jobs):
        line = re.search(r":(\d+):\d+: error", output)
        problems.append((path, int(line.group(1)) if line else 1, f"run {tool} -i {path}"))
    return problems


def _first_included(tools):
    """Headers that some source includes first: whoever compiles that source alone, as
    scripts/quickstart.sh does, sees that they compile alone. Where several sources are compiled as
    one, the rule `reaches` looks at them. Sources with a precompiled header show nothing."""
    found = set()
    for path, command in tools.commands.items():
        file = tools.tree.files.get(path)
        if file and file.includes and "cmake_pch" not in command:
            found.add(file.includes[0][1])
    return found


def self_contained(tools):
    """each header compiles alone; unirack.h also as C99"""
    compiler = os.environ.get("CXX", "c++")
    flags = set()
    for command in tools.commands.values():
        words = shlex.split(command)
        flags.update(word for word in words if word.startswith(("-I", "-D")))
        flags.update("-isystem" + words[i + 1] for i, word in enumerate(words) if word == "-isystem")
    flags |= {"-I.", "-Iinclude"}
    strict = ["-fsyntax-only", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"]
    version = _version(compiler)
    proven = _first_included(tools)
    jobs = []
    for file in tools.tree.code():
        # A -inl.h is the body of one .cc for several instruction sets.
        if not file.is_header or file.path.endswith(("-inl.h", ".cuh")) or file.path in proven:
            continue
        source = f'#include "{file.path}"\n'
        key = version + tools.tree.digest(file.path)
        jobs.append((file.path, key,
                     [compiler, "-std=gnu++20", *strict, *sorted(flags), "-x", "c++", "-"], source))
        if file.path == "include/unirack/unirack.h":
            jobs.append((file.path, key, ["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra",
                                          "-Werror", "-fsyntax-only", "-x", "c", file.path], None))
    problems = []
    for path, output in tools.run_all("self_contained", jobs):
        first = re.search(r"(?m)^.*error.*$", output)
        problems.append((path, 1, "does not compile alone: " + (first.group(0) if first else output)))
    return problems


_FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", re.MULTILINE)


def _batches_by_flags(tools):
    """(flags, paths) of sources that are compiled alike and can be read as one."""
    alike = {}
    for path, command in sorted(tools.commands.items()):
        if path in tools.tree.files and path.startswith(CHECKED):
            words = [word for word in shlex.split(command) if word not in ("-fPIC", "-fPIE")]
            flags = words[1:words.index("-o")] if "-o" in words else words[1:words.index("-c")]
            alike.setdefault(tuple(flags), []).append(path)
    for flags, paths in alike.items():
        for batch in unity.batches({path: tools.tree.files[path].text for path in paths},
                                   CLANG_TIDY_LINES_MAX):
            yield flags, batch


def clang_tidy(tools):
    """clang-tidy has nothing to say, with the checks of .clang-tidy"""
    tool = find_tool("clang-tidy")
    settings = _version(tool) + _read(tools.tree, ".clang-tidy")
    folder = os.path.join(tools.build, "tidy-batches")
    os.makedirs(folder, exist_ok=True)
    jobs = []
    for flags, batch in _batches_by_flags(tools):
        # Most of the time goes into headers of others, once a batch.
        source = os.path.join(folder, batch[0].replace("/", "_"))
        with open(source, "w", encoding="utf-8") as file:
            for number, path in enumerate(batch):
                file.write(f'#define main main{number}  // several may be programs\n'
                           f'#include "{os.path.join(tools.tree.root, path)}"  // NOLINT\n'
                           "#undef main\n")
        # It looks for every function that takes a string by value, and CLI11 has hundreds.
        checks = ["--checks=-performance-unnecessary-value-param"] * batch[0].startswith("perf/")
        jobs.append((batch[0], settings + "".join(tools.tree.digest(path) for path in batch),
                     [tool, "--quiet", "--warnings-as-errors=*", *checks,
                      f"--config-file={os.path.join(tools.tree.root, '.clang-tidy')}", source, "--",
                      *flags, "-Wno-unknown-warning-option"], None))
    problems = set()
    for path, output in tools.run_all("clang_tidy", jobs):
        findings = _FINDING.findall(output)
        for where, line, message in findings:
            problems.add((os.path.relpath(os.path.join(tools.tree.root, where), tools.tree.root),
                          int(line), message))
        if not findings:
            other = re.search(r"error: .*", output)
            problems.add((path, 1, other.group(0) if other else output.strip()[-300:]))
    return sorted(problems)


format_rule.__name__ = "format"
