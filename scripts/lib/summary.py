#!/usr/bin/env python3
"""Counts what a stage ran. Usage: summary.py [--junit FILE] RECORD...

A record is a file of lines `planned N`, `start NAME`, `passed NAME [MS]`, `failed NAME [MS]`,
`skipped NAME [MS]`.
A test that started and did not end crashed; a planned test that never started was lost with it;
both count as failed. From ctest's JUnit file come the tests that write no record of their own.
Prints `passed failed skipped` as three numbers; failed and slow tests go to standard error.
"""
import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree

SLOW_MS = 5000


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def fail(self, name, why):
        self.failed += 1
        print(f"failed: {name}{why}", file=sys.stderr)


def count_record(path, count):
    planned, ended, running = 0, 0, None
    if not os.path.exists(path):
        return count.fail(path, " was not written")
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            word, name, elapsed_ms = (line.split() + ["0"])[:3]
            if int(elapsed_ms) >= SLOW_MS:
                print(f"slow: {name}: {int(elapsed_ms) / 1000:.1f} s", file=sys.stderr)
            if word == "planned":
                planned = int(name)
            elif word == "start":
                running = name
            elif word == "failed":
                ended, running = ended + 1, None
                count.fail(name, "")
            elif word in ("passed", "skipped"):
                ended, running = ended + 1, None
                setattr(count, word, getattr(count, word) + 1)
    if running is not None:
        ended += 1
        count.fail(running, " (did not end)")
    for _ in range(planned - ended):
        count.fail(os.path.basename(path), ": a test did not run")
    return None


def count_junit(path, recorded, count):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        if name in recorded:
            # Its cases are counted one by one; a crash outside of any test still counts.
            if status != "run" and count.failed == 0:
                count.fail(name, " (failed outside of its tests)")
        elif status == "run":
            count.passed += 1
        elif case.find("skipped") is not None or status == "disabled":
            count.skipped += 1
        else:
            count.fail(name, "")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junit", help="ctest --output-junit FILE")
    parser.add_argument("records", nargs="*")
    arguments = parser.parse_args()
    count = Count()
    for path in arguments.records:
        count_record(path, count)
    if arguments.junit:
        recorded = {os.path.splitext(os.path.basename(path))[0] for path in arguments.records}
        count_junit(arguments.junit, recorded, count)
    print(count.passed, count.failed, count.skipped)


if __name__ == "__main__":
    main()
