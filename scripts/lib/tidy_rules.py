"""The rules of scripts/tidy.py that read text. Each is a function (tree) -> [(path, line, message)];
its name is the rule's name and its docstring is what --list prints."""
import re

FILE_LINES = 500
FUNCTION_LINES = 70
LIBRARY = ("lib", "transports", "collectives", "kernels")
PRODUCT = LIBRARY + ("include", "perf")

# Who may include whom. The first prefix that fits a file decides. An include of the tree that fits
# none of the prefixes is a climb.
MIDDLE = ("lib/net/", "lib/memory/", "lib/topology/", "lib/cuda/")
LAYERS = (
    ("include/unirack/", ("include/unirack/",)),
    ("lib/base/", ("include/unirack/", "lib/base/")),
    *((folder, ("include/unirack/", "lib/base/") + MIDDLE) for folder in MIDDLE),
    ("lib/", ("include/unirack/", "lib/")),
    ("transports/registry.cc", ("include/unirack/", "lib/", "transports/")),
    ("transports/", ("include/unirack/", "lib/")),
    ("kernels/", ("lib/base/", "kernels/")),
    ("collectives/", ("include/unirack/", "lib/", "kernels/", "collectives/",
                      "transports/transport.h", "transports/registry.h")),
    ("perf/topo/", ("include/unirack/", "lib/base/", "lib/topology/", "kernels/program.h",
                     "collectives/", "perf/")),
    ("perf/racks/predict.cc", ("include/unirack/", "lib/base/", "lib/topology/", "collectives/")),
    ("perf/", ("include/unirack/", "perf/")),
    ("examples/", ("include/unirack/",)),
)

# (what is found in code, the folders where it is banned, files where it may stand, why)
BANNED = (
    (r"\bthrow\b", PRODUCT + ("tests",), (), "errors are values"),
    (r"\b(system_clock|gettimeofday|CLOCK_REALTIME)\b", PRODUCT + ("tests",), (),
     "time is steady: lib/base/clock.h"),
    (r"\b(s?rand|random_device)\b\s*[({]", PRODUCT + ("tests",), (), "use lib/base/random.h"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b", LIBRARY, (),
     "wait for an event with a deadline"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|ato[ifl]l?)\s*\(", PRODUCT + ("tests",), (),
     "unbounded or unchecked"),
    (r"\bassert\s*\(", ("lib/net", "lib/control", "transports"), (),
     "what comes from the wire is answered with an error"),
    (r"\bnew\s+[A-Za-z_:]", PRODUCT, (), "every object has an owner: make_unique"),
    (r"(?<!operator )\bdelete\b(?!\s*;)(?!\s*\()", PRODUCT, (),
     "every object has an owner: unique_ptr"),
    (r"\b(shared_ptr|make_shared)\b(?!<\s*(const\s+)?Schedule\b)", PRODUCT,
     ("lib/base/log.cc", "perf/racks/gloo_worker.cc"), "only the immutable Schedule is shared"),
    (r"\busing\s+namespace\b(?!\s+std::(\w+::)*(\w+_)?literals)", PRODUCT + ("tests", "examples"), (),
     "name what you use"),
    (r"\b(secure_)?getenv\b|\benviron\b", PRODUCT, ("lib/base/config.cc", "perf/common/environment.cc"),
     "the environment is read by lib/base/config.cc only"),
    (r"(?<![\w:>.])(std::)?((f?printf|f?puts)\s*\(|(cout|cerr)\b)", LIBRARY, (), "use lib/base/log.h"),
    (r"\.detach\s*\(\s*\)", PRODUCT + ("tests",), (), "a thread has an owner that joins it"),
    (r"\b(src|dst)(_\w*)?\b", PRODUCT, (), "say source and target"),
)

HEAVY = ("spdlog/", "nlohmann/", "CLI/")
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK|DISABLED_\w+|[Nn]ot (yet )?implemented|[Ff]or now)\b")


def _line(text, position):
    return text.count("\n", 0, position) + 1


def layering(tree):
    """an include may go down the layers, never up or sideways to another transport"""
    problems = []
    for file in tree.code():
        allowed = next((down for prefix, down in LAYERS if file.path.startswith(prefix)), None)
        for line, target, name, quoted in file.includes:
            if quoted and target is None:
                problems.append((file.path, line, f'"{name}" is not a path from the root'))
            if target is None or allowed is None or target.startswith(allowed):
                continue
            # A transport's own folder, and what all transports share beside transport.h.
            folder, target_folder = file.path.rpartition("/")[0], target.rpartition("/")[0]
            if file.under("transports") and target_folder in ("transports", folder):
                continue
            problems.append((file.path, line, f"may not include {target}"))
    return problems


def heavy_include(tree):
    """headers do not include spdlog, nlohmann/json or CLI11: they take seconds to compile"""
    return [(file.path, line, f"include <{name}> in the .cc instead")
            for file in tree.code() if file.is_header
            for line, _, name, _ in file.includes if name.startswith(HEAVY)]


def file_size(tree):
    """no file has more than 500 lines"""
    return [(path, FILE_LINES + 1, f"{file.text.count(chr(10))} lines; at most {FILE_LINES}")
            for path, file in tree.files.items() if file.text.count("\n") > FILE_LINES]


_NOT_FUNCTION = re.compile(r"^\s*(namespace|class|struct|union|enum|extern\s*\"|template\s*<[^()]*>\s*"
                           r"(class|struct|union))\b|=\s*$")


def functions(code):
    """(first line, last line) of each function body; a heuristic over braces, right for the
    formatting that clang-format leaves."""
    code = re.sub(r"^[ \t]*#(.*\\\n)*.*$", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code,
                  flags=re.MULTILINE)
    found, outer, depth, head = [], 0, 0, 0
    for match in re.finditer(r"[{};]", code):
        mark = match.group(0)
        if depth:
            depth += {"{": 1, "}": -1, ";": 0}[mark]
            if depth == 0:
                found.append((_line(code, start), _line(code, match.start())))
        elif mark == "{":
            before = code[head:match.start()]
            if ")" in before and not _NOT_FUNCTION.search(before.strip()):
                start, depth = match.start(), 1
            else:
                outer += 1
        head = match.end()
    return found


def function_size(tree):
    """no function body has more than 70 lines"""
    problems = []
    for file in tree.code():
        for first, last in functions(file.code):
            if last - first + 1 > FUNCTION_LINES:
                problems.append((file.path, first,
                                 f"function of {last - first + 1} lines; at most {FUNCTION_LINES}"))
    return problems


def header_opening(tree):
    """a header opens with a comment of at most 20 lines that says what it is, then #pragma once"""
    problems = []
    for file in tree.code():
        if not file.is_header or not file.under(*PRODUCT):
            continue
        opening = re.match(r"(//[^\n]*\n)+|/\*.*?\*/\n", file.text, re.DOTALL)
        count = opening.group(0).count("\n") if opening else 0
        if not 1 <= count <= 20:
            problems.append((file.path, 1, f"opens with {count} lines of comment"))
        # A -inl.h is included again for every instruction set; Highway's toggle guards it.
        guards = ("HWY_TARGET_TOGGLE",) if file.path.endswith("-inl.h") else (
            "#pragma once", "#ifndef UNIRACK_")
        if not any(guard in file.text for guard in guards):
            problems.append((file.path, 1, "has no #pragma once"))
    return problems


def _may_stand(file, match):
    """A deleted function, a new object that a unique_ptr takes on the spot (its constructor is
    private), a line that says `NOLINT: why`."""
    before = file.code[max(0, match.start() - 200):match.start()]
    if match.group(0) == "delete" and re.search(r"=\s*$", before):
        return True
    if match.group(0).startswith("new") and re.search(r"unique_ptr<[^;]*\(\s*$", before):
        return True
    end = file.text.find("\n", match.start())
    return re.search(r"//.*NOLINT: \w", file.text[match.start():end]) is not None


def banned(tree):
    """calls and words that do not belong here; `// NOLINT: why` lets one line pass"""
    problems = []
    for pattern, folders, exempt, why in BANNED:
        expression = re.compile(pattern)
        for file in tree.code():
            if not file.under(*folders) or file.path in exempt:
                continue
            for match in expression.finditer(file.code):
                if not _may_stand(file, match):
                    problems.append((file.path, _line(file.code, match.start()),
                                     f"{match.group(0).strip()}: {why}"))
    return problems


_UNNAMED = re.compile(r"^namespace \{\n.*?^\}  // namespace$", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^(?:struct|class|union|enum(?: class)?)\s+(\w+)[^;\n]*\{", re.MULTILINE)


def one_type(tree):
    """the library declares no two types of one name: the linker would mix their functions"""
    problems, seen = [], {}
    for file in tree.code():
        if not file.under(*LIBRARY):
            continue
        hidden = [match.span() for match in _UNNAMED.finditer(file.text)]
        for match in _TYPE.finditer(file.code):
            if any(begin <= match.start() < end for begin, end in hidden):
                continue
            first = seen.setdefault(match.group(1), file.path)
            if first != file.path:
                problems.append((file.path, _line(file.code, match.start()),
                                 f"{match.group(1)} is a type of {first} too"))
    return problems


def dead_file(tree):
    """every header is included, every .cc belongs to a header of its folder"""
    included = {target for file in tree.code() for _, target, _, _ in file.includes}
    problems = []
    for file in tree.code():
        if file.is_header and file.path not in included and not file.under("include"):
            problems.append((file.path, 1, "nobody includes this header"))
        if file.path.endswith(".cc") and file.under(*LIBRARY):
            folder = file.path.rpartition("/")[0]
            above = folder.rpartition("/")[0]
            near = {target.rpartition("/")[0] for _, target, _, _ in file.includes if target}
            if not near & {folder, above, "include/unirack"}:
                problems.append((file.path, 1, "includes no header of its folder: who calls it?"))
    return problems


def words(tree):
    """no TODO and its kin: what is not finished is not merged"""
    problems = []
    for path, file in tree.files.items():
        if path.startswith("scripts/lib/tidy_") or path == "tests/tidy_test.py":
            continue
        for match in WORDS.finditer(file.text):
            problems.append((path, _line(file.text, match.start()), match.group(0)))
    return problems


TEXT_RULES = (layering, heavy_include, file_size, function_size, header_opening, banned, one_type,
              dead_file, words)
