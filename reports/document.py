"""A report from blocks: Markdown with its pictures beside it, and one HTML page that needs nothing.

The page holds its styles, figures and pictures itself and asks for nothing from outside. It follows
the reader's choice of light or dark, prints, and scrolls wide tables within themselves.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reports import stored_report
from reports.blocks import Block
from reports.files import write_files
from reports.render.documents import anchored, page, picture_blocks, picture_file, report_markdown

STORED = ".report.json"  # how the names of stored reports end
Answer = Literal["yes", "no", "not decided", "not measured"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """A sentence of the paper, beside what was measured here."""

    claim: str
    verdict: Answer
    numbers: str  # that decide it


@dataclass(frozen=True, kw_only=True)
class Report:
    """A title, a sentence that says what was found, and blocks.

    `findings` are for whoever joins several reports: this one shows them in its blocks.
    """

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    scale: str = ""  # of what was computed, if there are several
    findings: tuple[PaperClaim, ...] = ()

    def markdown(self) -> str:
        """The report as Markdown; it refers to the files of `pictures`."""
        return report_markdown(self.title, self.lead, self.blocks)

    def html(self) -> str:
        """The report as one page."""
        return page(self.title, self.lead, self.blocks)

    def pictures(self) -> dict[str, bytes]:
        """The files that the Markdown refers to, by name.

        Raises:
            ValueError: two of them have one name.
        """
        blocks = picture_blocks(anchored(self.blocks))
        return {name: picture_file(block) for name, block in blocks.items()}

    def to_json(self) -> str:
        """The report as data: `from_json` makes the same documents of it."""
        return stored_report.encode(self)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            ValueError: it is something else, or no documents can be made of it; the message says
                what, as half a sentence.
        """
        try:
            report = stored_report.decode(text, cls)
            picture_blocks(anchored(report.blocks))  # refuses two of one name
        except ValueError as error:
            # The names of what is wrong may hold line breaks, and be long.
            raise ValueError(" ".join(str(error).split())[:300]) from None
        return report

    def store(self, folder: Path, name: str) -> Path:
        """Write the report as data into `name.report.json` in a folder, which is made."""
        (path,) = write_files(folder, {f"{name}{STORED}": self.to_json()})
        return path

    def write(self, folder: Path, name: str = "report", *, stored: str | None = None) -> list[Path]:
        """Write the report and its pictures into a folder, and say where they are.

        These are `name.md`, `name.html`, what the Markdown refers to, and `name.report.json`.
        Everything is made before the first file is touched.

        Args:
            stored: the name of the report as data, if it is another.
        """
        documents = {f"{name}.md": self.markdown(), f"{name}.html": self.html()}
        stored_as = {f"{stored or name}{STORED}": self.to_json()}
        return write_files(folder, {**documents, **self.pictures(), **stored_as})
