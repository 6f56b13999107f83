"""The rule that every file reaches a header which declares what it uses. Builds that compile several
sources as one (UNIRACK_UNITY) do not notice when a source leans on what its neighbour includes; this
rule does, for names of ours and for those of the standard library that are not declared everywhere."""
import re

# Headers that declare a name; any one will do.
STANDARD = {
    ("algorithm",): "sort find count stable_sort nth_element partial_sort find_if find_if_not count_if any_of "
                    "all_of none_of max_element min_element minmax_element lower_bound upper_bound "
                    "equal_range binary_search reverse unique remove_if rotate transform is_sorted "
                    "partition next_permutation clamp includes set_difference set_union "
                    "set_intersection merge",
    ("numeric",): "accumulate iota gcd lcm reduce partial_sum inner_product",
    ("array",): "array",
    ("atomic",): "atomic atomic_ref atomic_thread_fence",
    ("bit",): "rotl rotr bit_cast bit_floor bit_ceil bit_width popcount countr_zero countl_zero has_single_bit",
    ("charconv",): "from_chars to_chars",
    ("chrono",): "chrono",
    ("cmath",): "sqrt pow ceil floor isnan isinf isfinite log2 llround nextafter ldexp fabs",
    ("condition_variable",): "condition_variable",
    ("cstring",): "memcpy memmove memset memcmp memchr strerror strlen",
    ("deque",): "deque",
    ("filesystem",): "filesystem",
    ("fstream",): "ifstream ofstream",
    ("functional",): "function ref cref",
    ("limits",): "numeric_limits",
    ("list",): "list",
    ("map",): "map multimap",
    ("memory",): "unique_ptr make_unique shared_ptr make_shared weak_ptr",
    ("mutex", "shared_mutex"): "mutex lock_guard unique_lock scoped_lock",
    ("optional",): "optional nullopt make_optional",
    ("queue",): "queue priority_queue",
    ("random",): "mt19937 mt19937_64 uniform_int_distribution",
    ("regex",): "regex",
    ("set",): "set multiset",
    ("span",): "span as_bytes as_writable_bytes",
    ("sstream",): "stringstream istringstream ostringstream",
    ("thread",): "thread jthread this_thread",
    ("tuple",): "tuple make_tuple tie",
    ("type_traits", "concepts"): "is_same_v conditional_t decay_t remove_cvref_t is_trivially_copyable_v",
    ("unordered_map",): "unordered_map",
    ("unordered_set",): "unordered_set",
    ("variant",): "variant visit holds_alternative get_if monostate",
    ("vector",): "vector",
}
# Some headers are known to bring others.
BRINGS = {"map": {"tuple"}, "functional": {"tuple", "type_traits"}, "regex": {"map"},
          "gtest/gtest.h": {"atomic", "memory", "set", "tuple", "vector", "type_traits", "map", "limits"},
          "gmock/gmock.h": {"functional", "gtest/gtest.h"},
          "nlohmann/json.hpp": {"map", "memory", "vector", "algorithm"},
          "CLI/CLI.hpp": {"functional", "memory", "vector", "map", "set"}}
OWN_SCOPES = ("", "unirack", "unirack::testing", "testing", "perf", "topo")
LIBRARIES = {"fmt": "fmt/", "nlohmann": "nlohmann/", "CLI": "CLI/", "spdlog": "spdlog/", "lemon": "lemon/"}

_STD = re.compile(r"\bstd::(?:ranges::|pmr::)?(\w+)")
_LIBRARY = re.compile(r"(?<![\w:])(" + "|".join(LIBRARIES) + r")::")
# Names of ours that stand in the first column of a header: types, aliases, constants, functions.
_DECLARED = re.compile(
    r"^(?:(?:struct|class|union|enum class|enum)\s+(?:\[\[\w+\]\]\s*)?(\w+)[^;\n]*\{|using (\w+) ="
    r"|(?:(?:inline|static|constexpr|extern|const)\s)+[^=({\n]*?\b(k[A-Z]\w+)\b"
    r"|(?!using|template|typedef|return|namespace|struct|class)[A-Za-z_][\w:<>,&*\s]*?[\s&*](\w+)\("
    r"|#define (UNIRACK_\w+))", re.MULTILINE)
_TEST = re.compile(r"^TEST(?:_F|_P)?\([^)]*\)", re.MULTILINE)
_FORWARD = re.compile(r"^ *(?:struct|class|enum class)\s+\w+;", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_]\w+")
_USED = re.compile(r"(?<![\w.])(?<!->)(?<!::)((?:\w+::)*)([A-Za-z_]\w+)(?=(\()?)")


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def _declared(file):
    return {next(filter(None, match.groups())) for match in _DECLARED.finditer(file.code)}


def _reached(tree, file):
    """(headers of ours, headers of others) that the file includes, directly or not."""
    ours, others, todo = set(), set(), [file.path]
    while todo:
        path = todo.pop()
        if path in ours:
            continue
        ours.add(path)
        for _, target, name, _ in tree.files[path].includes:
            if target:
                todo.append(target)
            else:
                others.add(name)
    todo = list(others)
    while todo:
        for more in BRINGS.get(todo.pop(), ()):
            if more not in others:
                others.add(more)
                todo.append(more)
    return ours, others


def reaches(tree):
    """a file includes, directly or not, a header that declares what it uses"""
    standard = {name: headers for headers, names in STANDARD.items() for name in names.split()}
    homes = {}  # name: headers that declare it
    for file in tree.code():
        if file.is_header and not file.path.endswith("-inl.h"):
            for name in _declared(file):
                homes.setdefault(name, set()).add(file.path)
    # What a header mentions, it has a declaration of: a member, or what it reaches itself.
    mentioned = {file.path: set(_NAME.findall(_FORWARD.sub("", file.code)))
                 for file in tree.code() if file.is_header}
    problems = []
    for file in tree.code():
        if not file.path.endswith((".cc", ".h")) or file.path.endswith("-inl.h"):
            continue
        ours, others = _reached(tree, file)
        known = set().union(*(mentioned.get(path, ()) for path in ours - {file.path}))
        missing = {}
        for match in _STD.finditer(file.code):
            headers = standard.get(match.group(1))
            if headers and not others & set(headers):
                missing.setdefault("std::" + match.group(1), (match.start(), f"<{headers[0]}>"))
        for match in _LIBRARY.finditer(file.code):
            start = LIBRARIES[match.group(1)]
            is_declared = match.group(1) in known or f"namespace {match.group(1)} " in file.code
            if not is_declared and not any(name.startswith(start) for name in others):
                missing.setdefault(match.group(1), (match.start(), f"<{start}...>"))
        for match in _USED.finditer(_TEST.sub(_blank, file.code)):
            scope, name, call = match.groups()
            if scope.rstrip(":") not in OWN_SCOPES or not (name[0].isupper() or name[0] == "k" or call):
                continue
            if name in homes and name not in known and not homes[name] & ours \
                    and not _is_own(file, name):
                missing.setdefault(name, (match.start(), " or ".join(sorted(homes[name]))))
        for name, (position, header) in missing.items():
            line = file.code.count("\n", 0, position) + 1
            problems.append((file.path, line, f"uses {name} and includes no {header}"))
    return problems


def _is_own(file, name):
    """Declared by the file itself, as whatever it may be."""
    return re.search(rf"(?:\b(?:struct|class|enum|union|typename|using)(?:\.\.\.)?\s+{name}\b"
                     rf"|[\w>&*\]]\s+[&*]*{name}\s*[(={{;,)]|\b{name}\s*=[^=])", file.code) is not None
