"""Commit a full run at tiny scale: `python docs/update.py results`, after `tox -e reproduce`.

Copies what the report is made of into `docs/results`, except the large HTML page, and fills
the places that documents leave for the report's tables, by title, and for the table of runners:

    <!-- table: Claims of the paper -->
    <!-- end -->
    <!-- runners -->
    <!-- end -->

Without a folder of results it fills the places again from what is committed.
"""

import re
import shutil
import sys
from pathlib import Path

from benchmarks.runners import runners_table

DOCS = Path(__file__).parent
RESULTS = DOCS / "results"
GUIDES = (DOCS / "reproduce.md", DOCS / "sensitivity.md", DOCS.parent / "README.md")
PLACE = re.compile(r"(<!-- (?:table: (.+?)|runners) -->\n).*?(<!-- end -->)", re.DOTALL)
PICTURES = "report-pictures"


def table_of(report: str, title: str) -> str:
    """The Markdown table under a title, without its notes.

    Raises:
        ValueError: the report has none.
    """
    found = re.search(rf"^\*\*{re.escape(title)}\.?\*\*.*?\n\n((?:\|.*\n)+)", report, re.MULTILINE)
    if found is None:
        raise ValueError(f"the report has no table {title!r}")
    return found[1]


def filled(guide: str, report: str) -> str:
    """The guide with the tables in their places."""

    def table(place: re.Match[str]) -> str:
        return table_of(report, place[2]) if place[2] else runners_table()

    return PLACE.sub(lambda place: f"{place[1]}\n{table(place)}\n{place[3]}", guide)


def copy_results(results: Path) -> None:
    """Replace what is committed by a run's results."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    shutil.copytree(results / PICTURES, RESULTS / PICTURES)
    for path in (results / "report.md", *results.glob("*.csv"), *results.glob("*.tex")):
        shutil.copy(path, RESULTS)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        copy_results(Path(sys.argv[1]))
    report = (RESULTS / "report.md").read_text(encoding="utf-8")
    for guide in GUIDES:
        text = filled(guide.read_text(encoding="utf-8"), report)
        guide.write_text(text, encoding="utf-8", newline="\n")
