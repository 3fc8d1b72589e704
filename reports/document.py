"""A report from blocks: Markdown with its pictures beside it, and one HTML page that needs nothing.

The page holds its styles, figures and pictures itself and asks for nothing from outside. It follows
the reader's choice of light or dark, prints, and scrolls wide tables within themselves.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from markupsafe import escape as escape_html

from reports.blocks import (
    Block,
    Code,
    Details,
    FigureBlock,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
    anchored,
    names_of_pictures,
    pictures_of,
)
from reports.render.escape import escape_markdown
from reports.stored_report import record_of, value_of

__all__ = [
    "Block",
    "Code",
    "Details",
    "FigureBlock",
    "Heading",
    "ImageBlock",
    "PaperClaim",
    "Paragraph",
    "ProvenanceBlock",
    "Report",
    "StripsBlock",
    "SvgBlock",
    "TableBlock",
]

FORMAT = "latte-eval report"
VERSION = 1  # of the stored form; raised when an older program would misread it
STORED = ".report.json"  # how the names of stored reports end
ANSWERS = ("yes", "no", "not decided", "not measured")


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """A sentence of the paper, beside what was seen here.

    Raises:
        ValueError: an answer that is none of `ANSWERS`.
    """

    claim: str
    here: str  # one of `ANSWERS`
    seen: str  # the numbers

    def __post_init__(self) -> None:
        if self.here not in ANSWERS:
            raise ValueError(f"{self.claim}: {self.here!r} is none of {', '.join(ANSWERS)}")


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
        parts = [f"# {escape_markdown(self.title)}"]
        if self.lead:
            parts.append(Paragraph(text=self.lead).markdown(""))
        parts += [block.markdown(anchor) for anchor, block in anchored(self.blocks)]
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The report as one page."""
        assets = files(__package__) / "assets"
        lead = Paragraph(text=self.lead).html("") if self.lead else ""
        body = "\n".join(block.html(anchor) for anchor, block in anchored(self.blocks))
        values = {
            "title": escape_html(self.title),
            "style": (assets / "report.css").read_text(encoding="utf-8"),
            "script": (assets / "report.js").read_text(encoding="utf-8"),
            "lead": lead.replace("<p>", '<p class="lead">', 1),
            "body": body,
        }
        page = (assets / "report.html").read_text(encoding="utf-8")
        # One pass, so that nothing in a value is taken for a place to fill.
        return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], page)

    def pictures(self) -> dict[str, bytes]:
        """The files that the Markdown refers to, by name."""
        return pictures_of(anchored(self.blocks))

    def to_json(self) -> str:
        """The report as data: `from_json` makes the same documents of it."""
        record = {"format": FORMAT, "version": VERSION, **record_of(self)}
        return json.dumps(record, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            ValueError: it is something else, or no documents can be made of it; the message says
                what, as half a sentence.
        """
        try:
            return _report(text)
        except RecursionError:
            raise ValueError("it has parts within parts without end") from None
        except ValueError as error:
            # The names of what is wrong may hold line breaks, and be long.
            raise ValueError(" ".join(str(error).split())[:300]) from None

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


def _report(text: str) -> Report:
    """`Report.from_json`, with messages as they come."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
        raise ValueError("it is not a stored report")
    if (version := record.pop("version", None)) != VERSION:
        raise ValueError(f"it is of version {version!r}, where this program reads {VERSION}")
    report: Report = value_of(record, Report)
    names = Counter(names_of_pictures(anchored(report.blocks)))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"it has two pictures called {twice[0]}")
    return report
