#!/usr/bin/env python3
"""For every rule of scripts/tidy.py: a sample that must fail, and its mended twin that must not."""
import json
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
import tidy_includes  # noqa: E402
import tidy_rules  # noqa: E402
import tidy_source  # noqa: E402
import tidy_tools  # noqa: E402

HEADER = "// What it is.\n#pragma once\n"


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def tree(self, files):
        for path, text in files.items():
            full = os.path.join(self.folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return tidy_source.Tree(self.folder.name)

    def found(self, rule, files):
        return [(path, line) for path, line, _ in rule(self.tree(files))]

    def tools(self, files):
        """A build folder that compiles every .cc of `files`."""
        for name in (".clang-format", ".clang-tidy"):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                files = {**files, name: file.read()}
        sources = [os.path.join(self.folder.name, path) for path in files if path.endswith(".cc")]
        root = self.folder.name
        files["build/compile_commands.json"] = json.dumps(
            [{"directory": root, "file": source, "command": f"c++ -std=c++20 -I{root} -c {source}"}
             for source in sources])
        tree = self.tree(files)
        return tidy_tools.Tools(tree, os.path.join(root, "build"))


class Layering(TidyTest):
    def check(self, path, include, is_legal):
        files = {path: f'#include "{include}"\n', include: HEADER}
        self.assertEqual(self.found(tidy_rules.layering, files), [] if is_legal else [(path, 1)],
                         f"{path} includes {include}")
        self.setUp()

    def test_down_is_legal_and_up_is_not(self):
        for path, include, is_legal in (
                ("lib/net/a.cc", "lib/base/b.h", True),
                ("lib/base/a.cc", "lib/net/b.h", False),
                ("lib/net/a.cc", "lib/memory/b.h", True),
                ("lib/net/a.cc", "lib/control/b.h", False),
                ("lib/control/a.cc", "lib/net/b.h", True),
                ("lib/control/a.cc", "transports/transport.h", False),
                ("lib/memory/a.cc", "kernels/b.h", False),
                ("kernels/a.cc", "lib/base/b.h", True),
                ("kernels/a.cc", "lib/net/b.h", False),
                ("transports/tcp/a.cc", "transports/transport.h", True),
                ("transports/tcp/a.cc", "transports/tcp/b.h", True),
                ("transports/tcp/a.cc", "transports/shm/b.h", False),
                ("transports/tcp/a.cc", "transports/shared.h", True),
                ("transports/shared.cc", "transports/tcp/b.h", False),
                ("transports/registry.cc", "transports/shm/b.h", True),
                ("transports/tcp/a.cc", "collectives/b.h", False),
                ("collectives/a.cc", "transports/registry.h", True),
                ("collectives/a.cc", "transports/tcp/b.h", False),
                ("collectives/a.cc", "kernels/b.h", True),
                ("perf/a.cc", "include/unirack/unirack.h", True),
                ("perf/a.cc", "lib/base/b.h", False),
                ("examples/a.cc", "lib/base/b.h", False),
                ("tests/a_test.cc", "collectives/b.h", True)):
            self.check(path, include, is_legal)

    def test_include_by_angle_brackets_counts(self):
        files = {"lib/base/a.cc": "#include <lib/net/b.h>\n", "lib/net/b.h": HEADER}
        self.assertEqual(self.found(tidy_rules.layering, files), [("lib/base/a.cc", 1)])

    def test_path_is_from_the_root(self):
        files = {"lib/base/a.cc": '\n#include "b.h"\n', "lib/base/b.h": HEADER}
        self.assertEqual(self.found(tidy_rules.layering, files), [("lib/base/a.cc", 2)])


class Sizes(TidyTest):
    def test_file(self):
        files = {"lib/base/long.cc": "//\n" * 501, "lib/base/fits.cc": "//\n" * 500,
                 "scripts/long.py": "#\n" * 501}
        self.assertEqual(self.found(tidy_rules.file_size, files),
                         [("lib/base/long.cc", 501), ("scripts/long.py", 501)])

    def test_function(self):
        def function(lines):
            return "namespace a {\nclass B {\n  int f(int x) const {\n" + "    x;\n" * (lines - 2) + \
                "  }\n};\n}  // namespace a\n"
        files = {"lib/base/long.cc": function(71), "lib/base/fits.cc": function(70)}
        self.assertEqual(self.found(tidy_rules.function_size, files), [("lib/base/long.cc", 3)])

    def test_braces_in_literals_and_tables_do_not_count(self):
        body = 'const char* a = "{";\nchar b = \'{\';\n#define C {\n// {\n'
        table = "constexpr int kTable[] = {\n" + "1,\n" * 100 + "};\n"
        files = {"lib/base/a.cc": body + table + "void f() {\n}\n"}
        self.assertEqual(self.found(tidy_rules.function_size, files), [])
        text = tidy_source.Tree(self.folder.name).files["lib/base/a.cc"].code
        self.assertEqual(tidy_rules.functions(text), [(107, 108)])


class Headers(TidyTest):
    def test_opening(self):
        files = {"lib/base/good.h": HEADER, "lib/base/mute.h": "#pragma once\n",
                 "lib/base/twice.h": "// What it is.\n", "lib/base/novel.h": "//\n" * 21 + "#pragma once\n"}
        self.assertEqual(self.found(tidy_rules.header_opening, files),
                         [("lib/base/mute.h", 1), ("lib/base/novel.h", 1), ("lib/base/twice.h", 1)])

    def test_heavy_include(self):
        files = {"lib/base/a.h": "#include <spdlog/spdlog.h>\n#include <nlohmann/json.hpp>\n",
                 "lib/base/a.cc": "#include <spdlog/spdlog.h>\n", "perf/a.h": "#include <CLI/CLI.hpp>\n"}
        self.assertEqual(self.found(tidy_rules.heavy_include, files),
                         [("lib/base/a.h", 1), ("lib/base/a.h", 2), ("perf/a.h", 1)])


class Reaches(TidyTest):
    HEADERS = {"lib/a.h": HEADER + "struct Apple {\n  int weight = 0;\n};\nint weigh(Apple apple);\n",
               "lib/b.h": HEADER + '#include "lib/a.h"\n', "lib/c.h": HEADER + "struct Apple;\n"}

    def check(self, code, includes, is_found):
        text = "".join(f"#include {include}\n" for include in includes)
        files = {**self.HEADERS, "lib/z.cc": text + code}
        self.assertEqual(self.found(tidy_includes.reaches, files),
                         [("lib/z.cc", len(includes) + 1)] if is_found else [], (code, includes))
        self.setUp()

    def test_ours(self):
        for code in ("const Apple apple;\n", "int x = weigh({});\n", "int x = unirack::weigh({});\n"):
            self.check(code, [], True)
            self.check(code, ['"lib/a.h"'], False)
            self.check(code, ['"lib/b.h"'], False)
        self.check("const Apple apple;\n", ['"lib/c.h"'], True)

    def test_names_of_others_are_not_ours(self):
        for code in ("int x = other::weigh(1);\n", "int x = y.weigh(1);\n", "int x = y->weigh(1);\n",
                     "// Apple\n", "struct Apple {};\nApple apple;\n", "TEST(Apple, IsRed) {\n}\n"):
            self.check(code, [], False)

    def test_standard_library(self):
        self.check("std::vector<int> x;\n", [], True)
        self.check("std::vector<int> x;\n", ["<vector>"], False)
        self.check("auto x = std::tie(a, b);\n", ["<map>"], False)
        self.check("void f(fmt::memory_buffer&);\n", [], True)
        self.check("void f(fmt::memory_buffer&);\n", ["<fmt/format.h>"], False)


class Banned(TidyTest):
    BAD = ("throw 1;", "std::chrono::system_clock::now();", "clock_gettime(CLOCK_REALTIME, &t);",
           "int x = rand();", "std::random_device{};", "std::this_thread::sleep_for(d);", "usleep(5);",
           "strcpy(a, b);", "sprintf(a, b);", "int x = atoi(a);", "auto* a = new Thing;",
           "delete a;", "std::shared_ptr<Thing> a;", "auto a = std::make_shared<Thing>();",
           "using namespace std;", 'auto a = getenv("HOME");', 'printf("a");', "std::cout << a;",
           "fprintf(stderr, a);", "delete a;  // NOLINT", "std::unique_ptr<T> a; auto* b = new T;",
           "thread.detach();", "void f(int src, int dst_rank);")
    GOOD = ("// throw", 'auto a = "throw";', "Thing(const Thing&) = delete;", "int renew = 1;",
            "int operand = 3;", "std::shared_ptr<const Schedule> a;", "snprintf(a, n, b);",
            "new (place) Thing;", "void* operator new(size_t);", "void operator delete(void*);",
            "using namespace std::chrono_literals;", "int source = 1;", "auto a = 1'000 + 'x';",
            'auto a = R"(throw )"; // "', "std::unique_ptr<Thing> a(\n    new Thing(1));",
            "return std::unique_ptr<Thing>(new Thing);", "delete handle;  // NOLINT: it is ours",
            "int puts = 0;")

    def test_bad(self):
        for text in self.BAD:
            with self.subTest(text):
                found = self.found(tidy_rules.banned, {"lib/net/a.cc": "\n" + text + "\n"})
                self.assertIn(("lib/net/a.cc", 2), found)

    def test_good(self):
        for text in self.GOOD:
            with self.subTest(text):
                self.assertEqual(self.found(tidy_rules.banned, {"lib/net/a.cc": text + "\n"}), [])

    def test_assert_only_where_no_wire_is(self):
        files = {"lib/net/a.cc": "assert(x);\n", "collectives/a.cc": "assert(x);\nstatic_assert(1);\n",
                 "transports/tcp/a.cc": "static_assert(1);\n"}
        self.assertEqual(self.found(tidy_rules.banned, files), [("lib/net/a.cc", 1)])

    def test_exempt_files(self):
        files = {"lib/base/config.cc": 'getenv("A");\n', "tests/support/a.cc": 'getenv("A");\n'}
        self.assertEqual(self.found(tidy_rules.banned, files), [])


class DeadFiles(TidyTest):
    def test_header_nobody_includes(self):
        files = {"lib/base/a.h": HEADER, "lib/base/a.cc": '#include "lib/base/a.h"\n',
                 "lib/base/b.h": HEADER, "include/unirack/unirack.h": HEADER}
        self.assertEqual(self.found(tidy_rules.dead_file, files), [("lib/base/b.h", 1)])

    def test_source_without_header(self):
        files = {"collectives/c_api.cc": '#include "include/unirack/unirack.h"\n',
                 "include/unirack/unirack.h": HEADER, "lib/net/a.cc": '#include "lib/base/a.h"\n',
                 "lib/base/a.h": HEADER}
        self.assertEqual(self.found(tidy_rules.dead_file, files), [("lib/net/a.cc", 1)])


class Words(TidyTest):
    def test_unfinished(self):
        files = {"lib/base/a.cc": "// TODO: later\n", "scripts/a.sh": "# FIXME\n",
                 "lib/base/b.cc": "// not yet implemented\n", "tests/a_test.cc": "TEST(A, DISABLED_b)\n",
                 "lib/base/c.cc": 'mkstemp("XXXXXX");\n'}
        self.assertEqual(self.found(tidy_rules.words, files),
                         [("lib/base/a.cc", 1), ("lib/base/b.cc", 1), ("scripts/a.sh", 1),
                          ("tests/a_test.cc", 1)])


class OneType(TidyTest):
    def test_one_type(self):
        hidden = "namespace {\nstruct Cell {\n};\n}  // namespace\n"
        files = {"lib/base/a.h": HEADER + "struct Cell {\n};\nclass Later;\n",
                 "lib/base/b.h": HEADER + "\nclass Cell final {\n};\n",
                 "lib/base/c.h": HEADER + "class Later {\n};\n",
                 "lib/base/d.cc": hidden, "perf/e.h": HEADER + "struct Cell {\n};\n"}
        found = self.found(tidy_rules.one_type, files)
        self.assertEqual([path for path, _ in found], ["lib/base/b.h"])


class WithTools(TidyTest):
    def test_self_contained(self):
        tools = self.tools({"lib/base/a.h": HEADER + "inline std::string f();\n",
                            "lib/base/b.h": HEADER + "#include <string>\nstd::string f();\n",
                            "lib/base/c.h": HEADER + "inline std::string g();\n",
                            "lib/base/c.cc": '#include "lib/base/c.h"\n'})  # the build shows it
        self.assertEqual([path for path, _, _ in tidy_tools.self_contained(tools)], ["lib/base/a.h"])

    @unittest.skipUnless(tidy_tools.find_tool("clang-format"), "clang-format is not installed")
    def test_format(self):
        tools = self.tools({"lib/base/a.cc": "int  a;\n", "lib/base/b.cc": "int a;\n"})
        found = tidy_tools.format_rule(tools)
        self.assertEqual([(path, line) for path, line, _ in found], [("lib/base/a.cc", 1)])

    @unittest.skipUnless(tidy_tools.find_tool("clang-tidy"), "clang-tidy is not installed")
    def test_clang_tidy_and_its_memory(self):
        text = ("namespace unirack {\nnamespace {\nint hidden() { return 1; }\n}  // namespace\n"
                "int NAME() { return hidden(); }\n}  // namespace unirack\n")
        # The first two are read as one, the third hides a name of the first.
        tools = self.tools({"lib/base/a.cc": text.replace("NAME", "right"),
                            "lib/base/b.cc": "int main() { return 0; }\n",
                            "lib/base/c.cc": text.replace("NAME", "Wrong"),
                            "lib/base/d.cc": "int main() { return 1; }\n"})
        found = [(path, line) for path, line, _ in tidy_tools.clang_tidy(tools)]
        self.assertEqual(found, [("lib/base/c.cc", 5)])
        self.assertEqual(len(os.listdir(tools.cache)), 1)  # the clean batch is remembered
        found = [(path, line) for path, line, _ in tidy_tools.clang_tidy(tools)]
        self.assertEqual(found, [("lib/base/c.cc", 5)])


class EveryRule(unittest.TestCase):
    def test_has_a_sample(self):
        with open(__file__, encoding="utf-8") as file:
            text = file.read()
        for rule in tidy_rules.TEXT_RULES:
            self.assertIn(f"tidy_rules.{rule.__name__}", text)


if __name__ == "__main__":
    unittest.main()
