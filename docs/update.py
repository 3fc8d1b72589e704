"""Commit a full run at tiny scale: `python docs/update.py results`, after `tox -e reproduce`.

Copies what the report is made of into `docs/results`, but for the page, which is large, and puts
the report's tables where documents ask for them by their titles:

    <!-- table: Claims of the paper -->
    <!-- end -->
"""

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
RESULTS = DOCS / "results"
GUIDES = (DOCS / "reproduce.md", DOCS / "sensitivity.md")
PLACE = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
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
    """The guide with the report's tables in their places."""
    return PLACE.sub(lambda place: f"{place[1]}\n{table_of(report, place[2])}\n{place[3]}", guide)


def main(results: Path) -> None:
    """Replace what is committed by a run's results."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    shutil.copytree(results / PICTURES, RESULTS / PICTURES)
    for path in (results / "report.md", *results.glob("*.csv"), *results.glob("*.tex")):
        shutil.copy(path, RESULTS)
    report = (RESULTS / "report.md").read_text(encoding="utf-8")
    for guide in GUIDES:
        text = filled(guide.read_text(encoding="utf-8"), report)
        guide.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
