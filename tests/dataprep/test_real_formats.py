"""Data files that other projects ship as examples of their formats: read as they are, what they lack is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.findings import Severity

# xtuner's videos are not shipped, and two of its rows call a text part's text by another name.
# File, media root below sft_demo, row format, and the errors that are there: media or forms that nobody can train on.
CASES = [
    ("LLaMA-Factory/mllm_demo.json", "LLaMA-Factory", "messages", set()),
    ("LLaMA-Factory/mllm_video_demo.json", "LLaMA-Factory", "messages", set()),
    ("LLaMA-Factory/v1_multimodal_demo.jsonl", "LLaMA-Factory", "messages", {"M301"}),  # paths of the project's root
    ("Qwen3-VL/single_images.json", "Qwen3-VL", "conversations", {"M301"}),  # the same
    ("Qwen3-VL/video.subset.v_TpB_zMG3XBA.mp4.json", "Qwen3-VL/videos", "conversations", set()),
    ("VLM-R1/gui_multi-image.lines0-30.jsonl", "VLM-R1", "conversations", {"M301"}),  # images are not shipped
    ("xtuner/resource/mllm_sft_text_example_data.jsonl", "xtuner", "messages", set()),
    ("xtuner/resource/mllm_sft_single_image_example_data_new.jsonl", "xtuner", "messages", set()),
    ("xtuner/resource/mllm_sft_multi_image_example_data_new.jsonl", "xtuner", "messages", set()),
    ("xtuner/resource/mllm_sft_single_image_example_data.jsonl", "xtuner", "messages", {"T205"}),  # <IMG_CONTEXT>
    ("xtuner/resource/mllm_sft_video_hf_example_data_new.jsonl", "xtuner", "messages", {"S104", "V351"}),  # see above
    ("ms-swift/alpaca.jsonl", "ms-swift", "alpaca", set()),
    ("ms-swift/chatml.jsonl", "ms-swift", "messages", set()),
    ("ms-swift/conversations.jsonl", "ms-swift", "conversations", set()),
    ("ms-swift/swift_single.jsonl", "ms-swift", "native", set()),
    ("ms-swift/swift_multi.json", "ms-swift", "native", set()),
    ("ms-swift/multi_modal_2.jsonl", "ms-swift", "native", {"M305"}),  # URLs
    ("ms-swift/sharegpt.jsonl", "ms-swift", None, {"S105"}),  # the old form, which loses images
]  # fmt: skip


@pytest.mark.parametrize(("name", "root", "row_format", "errors"), CASES, ids=[case[0] for case in CASES])
def test_shipped_examples_are_read(real: Path, name: str, root: str, row_format: str | None, errors: set[str]) -> None:
    folder = real / "sft_demo"
    report = lint([str(folder / name)], LintConfig(media_root=folder / root))
    assert report.num_rows > 0
    assert {finding.code for finding in report.findings if finding.severity is Severity.ERROR} == errors
    if row_format is not None:
        assert set(report.files[0].formats) - {"unreadable"} == {row_format}
