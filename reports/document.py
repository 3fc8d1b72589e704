"""A report from blocks: Markdown with its pictures beside it, and one HTML page that needs nothing.

The page holds its styles, figures and pictures itself and asks for nothing from outside. It follows
the reader's choice of light or dark, prints, and scrolls wide tables within themselves.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reports import stored_report
from reports.blocks import Block
from reports.render.documents import anchored, names_of_pictures, page, pictures_of, report_markdown

STORED = ".report.json"  # how the names of stored reports end
Answer = Literal["yes", "no", "not decided", "not measured"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """A sentence of the paper, beside what was measured here."""

    claim: str
    here: Answer
    seen: str  # the numbers


@dataclass(frozen=True, kw_only=True)
class Report:
    """A title, a sentence that says what was found, and blocks.

    `findings` are for whoever joins several reports: this one shows them in its blocks.
    """

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
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
        return pictures_of(anchored(self.blocks))

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
            names = Counter(names_of_pictures(anchored(report.blocks)))
            twice = [name for name, count in names.items() if count > 1]
            if twice:
                raise ValueError(f"it has two pictures called {twice[0]}")
        except ValueError as error:
            # The names of what is wrong may hold line breaks, and be long.
            raise ValueError(" ".join(str(error).split())[:300]) from None
        return report

    def store(self, folder: Path, name: str) -> Path:
        """Write the report as data into `name.report.json` in a folder, which is made."""
        content = self.to_json()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}{STORED}"
        path.write_text(content, encoding="utf-8", newline="\n")
        return path

    def write(self, folder: Path, name: str = "report", *, stored: str | None = None) -> list[Path]:
        """Write the report and its pictures into a folder, and say where they are.

        These are `name.md`, `name.html`, what the Markdown refers to, and `name.report.json`.
        Everything is made before the first file is touched.

        Args:
            stored: the name of the report as data, if it is another.
        """
        contents = {f"{name}.md": self.markdown().encode(), f"{name}.html": self.html().encode()}
        contents |= self.pictures()
        contents[f"{stored or name}{STORED}"] = self.to_json().encode()
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, content in contents.items():
            (folder / file_name).write_bytes(content)
        return [folder / file_name for file_name in contents]
