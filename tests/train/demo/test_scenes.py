"""Scenes: reproducible, unambiguous, and drawn where their boxes say."""

from __future__ import annotations

import numpy as np
import pytest

from train.demo.scenes import CANVAS_PX, COLOURS, GROUNDS, OUTLINES, Scene, Shape, draw, make_scene, move

SCENES = [make_scene(0, f"test/{number}") for number in range(60)]


def test_a_scene_depends_on_seed_and_name_alone() -> None:
    assert make_scene(0, "a/1") == make_scene(0, "a/1")
    assert len({make_scene(0, "a/1"), make_scene(1, "a/1"), make_scene(0, "a/2"), make_scene(0, "b/1")}) == 4


def test_scenes_do_not_change_between_releases() -> None:
    scene = make_scene(0, "train/0")
    again = Scene(scene.ground, tuple(Shape(s.colour, s.kind, s.box) for s in scene.shapes))
    assert again == scene
    assert {shape.colour for scene in SCENES for shape in scene.shapes} == set(COLOURS)
    assert {shape.kind for scene in SCENES for shape in scene.shapes} == set(OUTLINES)


@pytest.mark.parametrize("scene", SCENES)
def test_no_two_shapes_share_a_colour_or_a_kind_or_touch(scene: Scene) -> None:
    shapes = scene.shapes
    assert len({shape.colour for shape in shapes}) == len({shape.kind for shape in shapes}) == len(shapes)
    for number, first in enumerate(shapes):
        for second in shapes[:number]:
            gap_x = max(first.box[0], second.box[0]) - min(first.box[2], second.box[2])
            gap_y = max(first.box[1], second.box[1]) - min(first.box[3], second.box[3])
            assert max(gap_x, gap_y) > 0


def test_counts_decide_how_many_shapes() -> None:
    assert {len(make_scene(0, f"one/{k}", counts=(1,)).shapes) for k in range(20)} == {1}


@pytest.mark.parametrize("kind", sorted(OUTLINES))
def test_a_box_is_the_smallest_one_around_its_shape(kind: str) -> None:
    box = (64, 32, 160, 96)
    pixels = np.asarray(draw(Scene(GROUNDS[0], (Shape("blue", kind, box),)))).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - GROUNDS[0]).sum(2) > 60)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.array(found) - box).max() <= 1


def test_moving_ends_at_the_mirrored_place() -> None:
    scene = Scene(GROUNDS[0], (Shape("red", "oval", (32, 32, 96, 96)),))
    assert move(scene, 0.0) == scene
    assert move(scene, 1.0).shapes[0].box == (CANVAS_PX - 96, 32, CANVAS_PX - 32, 96)
