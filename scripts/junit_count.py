"""Prints "PASSED FAILED SKIPPED" over the test cases of JUnit reports (gtest, pytest and Node write them)."""

import pathlib
import sys
import xml.etree.ElementTree as ET


def verdict(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def main() -> None:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for report in filter(pathlib.Path.exists, map(pathlib.Path, sys.argv[1:])):
        try:
            cases = list(ET.parse(report).iter("testcase"))
        except ET.ParseError as error:
            print(f"{report}: {error}", file=sys.stderr)
            counts["failed"] += 1
            continue
        for case in cases:
            counts[verdict(case)] += 1
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main()
