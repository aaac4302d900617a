"""Flag frames of one video on both sides of the split. Cost: none beyond the paths."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class VideoInBothSplits(CorpusRule):
    """Frames of one video on both sides of the split.

    ## What it does
    Reports images of `--val` files that are frames of a video which training rows use too, as a video or as other
    frames, and videos of which frames are trained on. Names tell: `clip7/frame_0001.jpg`, `clip7_frame12.png`,
    `clip7.mp4/0001.jpg`, `clip7_mp4-12_jpg.rf.4ac1.jpg`. Reported once per video and data file.
    A row's own `split` counts as for image-in-both-splits.
    ## Why it matters
    Frames of one video are nearly one picture: validation on them measures memory.
    ## Example
    `clip7/frame_0001.jpg` in train.jsonl and `clip7/frame_0002.jpg` in val.jsonl
    ## Use instead
    Keep all frames of a video on one side.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "video-in-both-splits"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.has_split:
            return
        from dataprep.leakage import matches, side_of

        names = ("files", "contents", "videos")
        train = side_of(corpus, is_val=False, part="media", names=names)
        val = side_of(corpus, is_val=True, part="media", names=names)
        columns = ("files", "contents")
        same = {ours for name in columns for _, ours in matches(train.columns[name], val.columns[name])}
        seen: set[tuple[int, int]] = set()
        for theirs, ours in matches(train.columns["videos"], val.columns["videos"]):
            key = (int(val.columns["videos"][ours]), int(val.files[ours]))
            if ours in same or key in seen:
                continue
            seen.add(key)
            yield CorpusProblem(
                location=val.location(ours),
                message=f"{val.names[ours]} is of the same video as {train.names[theirs]}, "
                f"trained on at {train.location(theirs)}",
                help="keep a video and all of its frames on one side of the split",
            )
