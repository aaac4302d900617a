"""The page: complete, self-contained, and safe whatever the data says."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from train.demo.page import loss_curve, page_content, render_page
from train.demo.rows import COLOUR, PICK, SHAPE, WHAT, WHERE
from train.demo.run import PAGE_NAME, DemoConfig, DemoResult, commands

HOSTILE = "<script>alert('&')</script>\"'\x1b[2J\u202e"


def test_the_page_needs_nothing_from_elsewhere(demo: DemoResult, demo_config: DemoConfig) -> None:
    text = (demo_config.out / PAGE_NAME).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "http" not in text
    assert "@import" not in text
    assert "<script" not in text


def test_the_page_shows_the_whole_story(demo: DemoResult, demo_config: DemoConfig) -> None:
    text = (demo_config.out / PAGE_NAME).read_text(encoding="utf-8")
    for command in ("lint", "convert", "train", "eval"):
        assert f"dataprep {command} " in text
    for code in demo.dataset.planted.values():
        assert code in text
    for title in (
        "What colour is it, of one shape?",
        "Where is it?",
        "mean IoU",
        "untrained",
        "constant",
        "val.jsonl:",
    ):
        assert title in text
    shown = {WHERE: 9, WHAT: 3, PICK: 3, SHAPE: 3, COLOUR: 3}
    assert text.count("<figure") == sum(min(most, demo.dataset.val_kinds.count(kind)) for kind, most in shown.items())
    assert text.count('<rect class="true"') >= 6


def test_tags_are_closed(demo: DemoResult, demo_config: DemoConfig) -> None:
    class Checker(HTMLParser):
        open_tags: list[str] = []  # noqa: RUF012 - one parser, one page

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img", "line", "rect", "polyline"):
                self.open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in ("line", "rect", "polyline"):
                assert self.open_tags.pop() == tag

    checker = Checker()
    checker.feed((demo_config.out / PAGE_NAME).read_text(encoding="utf-8"))
    assert checker.open_tags == []


def test_hostile_text_is_escaped_everywhere(demo: DemoResult, demo_config: DemoConfig) -> None:
    finding = replace(demo.findings[0], message=HOSTILE, code=HOSTILE, name=HOSTILE)
    lines = tuple(line | {"prompt": HOSTILE, "prediction": HOSTILE, "response": HOSTILE} for line in demo.trained.lines)
    hostile = replace(demo, findings=(finding,), trained=replace(demo.trained, lines=lines))
    stations = {name: [HOSTILE] for name in commands(demo_config)}
    text = render_page(page_content(hostile, commands=stations, root=demo_config.out))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3 + 4 + 15
    assert not set(text) & {"\x1b", "\u202e"}


def test_a_wrong_answer_is_marked(demo: DemoResult, demo_config: DemoConfig) -> None:
    content = page_content(demo, commands=commands(demo_config), root=demo_config.out)
    content["cards"] = [content["cards"][0] | {"is_right": is_right} for is_right in (True, False)]
    text = render_page(content)
    assert text.count("panel wrong") == 1
    assert text.count('class="bad">wrong') == 1
    assert text.count('class="good">right') == 1


def test_the_box_that_is_asked_about_is_drawn(demo: DemoResult, demo_config: DemoConfig) -> None:
    content = page_content(demo, commands=commands(demo_config), root=demo_config.out)
    asked = [card for card in content["cards"] if card["question"].startswith("What is in ")]
    assert asked
    assert all(len(card["true_boxes"]) == 1 and not card["predicted_boxes"] for card in asked)


def test_a_loss_curve_fills_its_canvas() -> None:
    curve = loss_curve([(10, 4.0), (20, 0.5)], [(20, 1.0)], second_from=10)
    assert curve.second == 320.0
    assert curve.steps == [(0.0, "0"), (160.0, "5"), (320.0, "10"), (480.0, "15"), (640.0, "20")]
    assert [label for _, label in curve.losses] == ["0.5", "1", "2", "5"]
    assert curve.losses[0][0] == curve.height
    assert curve.losses[-1][0] == 0.0
    assert curve.train.split()[1] == f"640.0,{curve.height:.1f}"
    assert curve.train.split()[0].startswith("320.0,")
    assert curve.val == f"640.0,{curve.losses[1][0]}"


@pytest.mark.parametrize("top", [0.0, 0.03, 0.4, 7.0, 300.0])
def test_a_loss_axis_has_ticks_around_every_loss(top: float) -> None:
    curve = loss_curve([(1, top)], [])
    assert len(curve.losses) >= 2
    assert 0 <= float(curve.train.split(",")[1]) <= curve.height
