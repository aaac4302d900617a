"""The page: self-contained, every value escaped, the first findings of each rule with pictures."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.linting import FileSummary
from tests.dataprep.conversions import TOKENIZER, image_row, text_row, write_png, write_rows
from tests.dataprep.reports.making import HOSTILE, make_finding, make_report, render

VOID = {"meta", "img", "br", "rect"}


class Page(html.parser.HTMLParser):
    """Tags and texts of a page; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def show(*findings: object, num_rows: int = 100) -> str:
    return render(make_report(*findings, num_rows=num_rows), format="html")  # type: ignore[arg-type]


def test_a_page_has_counts_a_chart_a_table_and_findings() -> None:
    text = show(*map(make_finding, range(1, 10)), make_finding(20, "T202"), num_rows=12345)
    page = Page(text)
    words = " ".join(" ".join(page.texts).split())
    assert "rows checked 12,345 errors 9 warnings 1" in words
    assert [a["id"] for tag, a in page.tags if tag == "section"] == ["M301", "T202"]
    assert sum(tag == "rect" for tag, _ in page.tags) == 2
    assert "rows.jsonl:6: images[0]" in words
    assert "rows.jsonl:7: images[0]" not in words
    assert "+3 more" in words


def test_a_clean_page_says_so() -> None:
    text = show()
    assert "Nothing was found." in text
    assert "<svg" not in text
    Page(text)


def test_nothing_is_fetched_and_nothing_runs() -> None:
    page = Page(show(make_finding(1)))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "form"})
    assert all((a.get("href") or "#").startswith("#") for _, a in page.tags)
    assert not any(name.startswith("on") for _, a in page.tags for name in a)


ATTACKS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "&lt;b&gt;", "</style><b>"]


@pytest.mark.parametrize("text", ATTACKS + [text for text, _ in HOSTILE])
def test_data_is_text(text: str) -> None:
    finding = make_finding(1, message=text, field=text, help=text, path=text)
    report = make_report(finding, path=text)
    report.stopped = text
    calm = make_finding(1, message="x", field="x", help="x", path="x")
    quiet = make_report(calm, path="x")
    quiet.stopped = "x"
    output = render(report, format="html")
    assert Page(output).tags == Page(render(quiet, format="html")).tags
    assert all(character.isprintable() or character == "\n" for character in output)
    assert "49" not in output.split("</style>")[1]


def test_pictures_are_inlined(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (10, 20, 30), (64, 48))
    box = {"caption": "c", "bbox": [10, 10, 90, 40], "bbox_type": "real", "image": 0}
    row = {"query": "find", "response": "<bbox>", "images": ["a.png"], "objects": [box]}
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), row, image_row("gone.png")])
    page = Page(render(lint([source]), format="html", lint=LintConfig()))
    (picture,) = [a["src"] for tag, a in page.tags if tag == "img"]
    assert picture is not None
    assert picture.startswith("data:image/jpeg;base64,/9j/")


def test_the_budget_is_shown_where_there_is_one(tmp_path: Path) -> None:
    config = LintConfig(model_type="internvl2-1b", model=TOKENIZER)
    report = lint([write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2)])], config)
    assert report.budget is not None
    page = Page(render(report, format="html"))
    assert any(text.startswith("Budget of 2 rows: ") for text in page.texts)
    assert "<pre>" not in show()


def test_standard_input_has_no_pictures() -> None:
    assert "<img" not in show(make_finding(1, path="-"))


def test_many_files_and_rules_are_cut_short() -> None:
    codes = json.loads(render(make_report(), format="json"))["summary"]["by_code"]
    assert codes == {}
    report = make_report(make_finding(1))
    report.files = [FileSummary(f"{number}.jsonl") for number in range(300)]
    assert "+100 more files" in render(report, format="html")
