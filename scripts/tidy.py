#!/usr/bin/env python3
"""Checks what the compiler does not: layers, sizes, names, banned calls, dead files, format."""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import tidy_includes  # noqa: E402
import tidy_rules  # noqa: E402
import tidy_source  # noqa: E402
import tidy_tools  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXT_RULES = tidy_rules.TEXT_RULES + (tidy_includes.reaches,)
TOOL_RULES = (tidy_tools.format_rule, tidy_tools.self_contained, tidy_tools.clang_tidy)
NEEDED = {"format": "clang-format", "clang_tidy": "clang-tidy"}
EXIT_SKIPPED = 77


def parse(names):
    parser = argparse.ArgumentParser(description=__doc__, epilog="exit status: 0 clean, 1 problems, "
                                     f"{EXIT_SKIPPED} a tool is not installed (and nothing else is wrong)")
    parser.add_argument("--root", default=ROOT, help="the tree to check (default: this one)")
    parser.add_argument("--build", help="a configured build folder (default ROOT/build/dev); its "
                        "compile commands are used, and what passed is remembered there")
    parser.add_argument("--rules", type=lambda text: text.split(","), default=names,
                        metavar="RULE,...", help="only these")
    parser.add_argument("--list", action="store_true", help="list the rules and stop")
    arguments = parser.parse_args()
    unknown = set(arguments.rules) - set(names)
    if unknown:
        parser.error("no such rule: " + ", ".join(sorted(unknown)))
    arguments.build = os.path.abspath(arguments.build or os.path.join(arguments.root, "build/dev"))
    return arguments


def main():
    rules = {rule.__name__: rule for rule in TEXT_RULES + TOOL_RULES}
    arguments = parse(list(rules))
    if arguments.list:
        for name, rule in rules.items():
            print(f"{name:15} {rule.__doc__}")
        return 0

    tree = tidy_source.Tree(arguments.root)
    tools = None
    problem_count, missing = 0, []
    for name in arguments.rules:
        begin = time.monotonic()
        if name in NEEDED and not tidy_tools.find_tool(NEEDED[name]):
            missing.append(NEEDED[name])
            continue
        if rules[name] in TOOL_RULES:
            tools = tools or tidy_tools.Tools(tree, arguments.build)
            problems = rules[name](tools)
        else:
            problems = rules[name](tree)
        for path, line, message in problems:
            print(f"{path}:{line}: {name}: {message}")
        problem_count += len(problems)
        print(f"{name}: {len(problems)} problems, {time.monotonic() - begin:.1f} s", flush=True)
    print(f"{len(tree.files)} files, {problem_count} problems")
    if problem_count:
        return 1
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        return EXIT_SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
