import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.blocks import (
    Code,
    ImageBlock,
    StripsBlock,
)
from reports.document import Report

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Checks that every tag is closed in order, and collects tags, ids and references."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_escapes_everything(nasty_report: Report) -> None:
    html = nasty_report.html()
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "alert(1)</script>" not in html
    assert "{{" not in html.replace("{{body}}", "")
    assert html.count("<main>") == 1


def test_the_page_asks_for_nothing_from_outside(nasty_report: Report) -> None:
    page = Page(nasty_report.html())
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("data:", "#")), value
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'") in page.attributes  # fmt: skip
    assert "link" not in page.tags


def test_ids_are_unique_and_every_reference_leads_somewhere(nasty_report: Report) -> None:
    html = nasty_report.html()
    page = Page(html)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for n, value in page.attributes if n.endswith("href") and value[0] == "#"}
    targets |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert targets
    assert targets <= set(ids)


def test_the_page_follows_light_and_dark_and_the_printer(nasty_report: Report) -> None:
    html = nasty_report.html()
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


def test_every_file_that_the_markdown_refers_to_is_written(
    nasty_report: Report, tmp_path: Path
) -> None:
    paths = nasty_report.write(tmp_path / "new")
    assert [path.name for path in paths[:2]] == ["report.md", "report.html"]
    text = paths[0].read_text(encoding="utf-8")
    referred = set(re.findall(r"\]\(<([^>]+)>\)", text))
    assert paths[-1].name == "report.report.json"
    assert referred == {path.name for path in paths[2:-1]}
    assert "sheet.png" in referred
    assert all((tmp_path / "new" / name).stat().st_size > 0 for name in referred)


def test_markdown_escapes_what_html_in_it_would_run(nasty_report: Report) -> None:
    text = nasty_report.markdown()
    assert "<script>" not in re.sub(r"````.*?````", "", text, flags=re.DOTALL)
    assert text.startswith("# &lt;script>")


def test_code_keeps_its_fence_around_backticks() -> None:
    text = Report(title="t", blocks=(Code(text="a\n```\nb"),)).markdown()
    assert text == "# t\n\n````\na\n```\nb\n````\n"


def test_two_pictures_of_one_name_are_refused(pixels) -> None:
    blocks = tuple(
        ImageBlock(image=pixels(4, 4, 3), description="d", name="same") for _ in range(2)
    )
    with pytest.raises(ValueError, match=r"same\.png"):
        Report(title="t", blocks=blocks).pictures()


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="strip"):
        StripsBlock(strips=(), description="d", name="x")


def test_the_same_blocks_give_the_same_page(nasty_report: Report) -> None:
    assert nasty_report.html() == nasty_report.html()
