"""Commit a run: `python docs/update.py results` after `tox -e reproduce`, at tiny scale; or
`python docs/update.py results/speed` after `tox -e speed`; so with `torture` and `kills`.

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
# Guides with tables of studies that `reproduce` leaves out or makes small; each has a folder.
STUDIES = {"speed.md": ("speed",), "robustness.md": ("torture", "kills")}
LARGEST = 200_000  # bytes of a file of a study: a line for each of thousands of mutants is not kept
GUIDES = (DOCS / "reproduce.md", DOCS / "sensitivity.md", DOCS.parent / "README.md")
# A place of a guide, and a table of the report, whose renderer marks it in the same way.
PLACE = re.compile(
    r"(?P<begin><!-- (?:table: (?P<title>[^\n]+?)|runners) -->\n)"
    r"(?P<table>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)
PICTURES = "report-pictures"


def filled(guide: str, report: str) -> str:
    """The guide with the tables in their places.

    Raises:
        ValueError: the report lacks one of them.
    """
    tables = {place["title"]: place["table"] for place in PLACE.finditer(report)}
    tables[None] = f"\n{runners_table()}\n"

    def with_table(place: re.Match[str]) -> str:
        if place["title"] not in tables:
            raise ValueError(f"the report has no table {place['title']!r}")
        return f"{place['begin']}{tables[place['title']]}{place['end']}"

    return PLACE.sub(with_table, guide)


def copy_results(results: Path) -> None:
    """Replace what is committed by a run's results."""
    for old in RESULTS.glob("*.*"):
        old.unlink()
    shutil.rmtree(RESULTS / PICTURES, ignore_errors=True)
    shutil.copytree(results / PICTURES, RESULTS / PICTURES)
    for path in (results / "report.md", *results.glob("*.csv"), *results.glob("*.tex")):
        shutil.copy(path, RESULTS)


def copy_study(results: Path, study: str) -> None:
    """Replace what is committed of a study by a run's results."""
    kept = RESULTS / study
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for path in (results / f"{study}.md", *results.glob("*.csv"), *results.glob("*.svg")):
        if path.stat().st_size < LARGEST:
            shutil.copy(path, kept)


def fill(guide: Path, *reports: Path) -> None:
    """Fill the places of a guide from reports."""
    text = "".join(report.read_text(encoding="utf-8") for report in reports)
    result = filled(guide.read_text(encoding="utf-8"), text)
    guide.write_text(result, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        given = Path(sys.argv[1])
        studies = [name for names in STUDIES.values() for name in names]
        study = next((name for name in studies if (given / f"{name}.md").exists()), None)
        if study is None:
            copy_results(given)
        else:
            copy_study(given, study)
    for guide in GUIDES:
        fill(guide, RESULTS / "report.md")
    for guide_of_studies, names in STUDIES.items():
        reports = [RESULTS / name / f"{name}.md" for name in names]
        if all(report.exists() for report in reports):
            fill(DOCS / guide_of_studies, *reports)
