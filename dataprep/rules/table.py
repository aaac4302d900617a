"""The code table: the only place where a rule gets its code. Codes are never used twice."""

from __future__ import annotations

from dataprep.rules.base import AnyRule
from dataprep.rules.corpus.answer_repeated import AnswerRepeated
from dataprep.rules.corpus.labels_unbalanced import LabelsUnbalanced
from dataprep.rules.corpus.text_only_share import TextOnlyShare
from dataprep.rules.corpus.unused_baseline_entry import UnusedBaselineEntry
from dataprep.rules.duplicates.answers_disagree import AnswersDisagree
from dataprep.rules.duplicates.duplicate_row import DuplicateRow
from dataprep.rules.duplicates.image_in_both_splits import ImageInBothSplits
from dataprep.rules.duplicates.picture_in_both_splits import PictureInBothSplits
from dataprep.rules.duplicates.row_bridges_splits import RowBridgesSplits
from dataprep.rules.duplicates.row_in_both_splits import RowInBothSplits
from dataprep.rules.duplicates.video_in_both_splits import VideoInBothSplits
from dataprep.rules.grounding.bbox_type_unknown import BboxTypeUnknown
from dataprep.rules.grounding.box_corners_swapped import BoxCornersSwapped
from dataprep.rules.grounding.box_nearly_repeated import BoxNearlyRepeated
from dataprep.rules.grounding.box_normalised_twice import BoxNormalisedTwice
from dataprep.rules.grounding.box_outside_image import BoxOutsideImage
from dataprep.rules.grounding.box_vanishes import BoxVanishes
from dataprep.rules.grounding.box_without_area import BoxWithoutArea
from dataprep.rules.grounding.boxes_of_another_size import BoxesOfAnotherSize
from dataprep.rules.grounding.boxes_on_rotated_image import BoxesOnRotatedImage
from dataprep.rules.grounding.caption_ambiguous import CaptionAmbiguous
from dataprep.rules.grounding.caption_empty import CaptionEmpty
from dataprep.rules.grounding.caption_missing import CaptionMissing
from dataprep.rules.grounding.object_image_out_of_range import ObjectImageOutOfRange
from dataprep.rules.grounding.object_malformed import ObjectMalformed
from dataprep.rules.grounding.objects_without_image import ObjectsWithoutImage
from dataprep.rules.grounding.placeholders_and_objects_differ import PlaceholdersAndObjectsDiffer
from dataprep.rules.images.animated_image import AnimatedImage
from dataprep.rules.images.cmyk_image import CmykImage
from dataprep.rules.images.declared_size_differs import DeclaredSizeDiffers
from dataprep.rules.images.deep_colour_image import DeepColourImage
from dataprep.rules.images.exif_rotated_image import ExifRotatedImage
from dataprep.rules.images.image_aspect_extreme import ImageAspectExtreme
from dataprep.rules.images.image_data_damaged import ImageDataDamaged
from dataprep.rules.images.image_extension_wrong import ImageExtensionWrong
from dataprep.rules.images.image_file_empty import ImageFileEmpty
from dataprep.rules.images.image_file_missing import ImageFileMissing
from dataprep.rules.images.image_in_video_row import ImageInVideoRow
from dataprep.rules.images.image_too_large import ImageTooLarge
from dataprep.rules.images.image_truncated import ImageTruncated
from dataprep.rules.images.image_unreadable import ImageUnreadable
from dataprep.rules.images.lfs_pointer import LfsPointer
from dataprep.rules.images.palette_image import PaletteImage
from dataprep.rules.images.path_outside_root import PathOutsideRoot
from dataprep.rules.images.transparent_image import TransparentImage
from dataprep.rules.images.url_not_allowed import UrlNotAllowed
from dataprep.rules.lengths.context_token_in_text import ContextTokenInText
from dataprep.rules.lengths.few_trained_tokens import FewTrainedTokens
from dataprep.rules.lengths.no_trained_token import NoTrainedToken
from dataprep.rules.lengths.sample_shortened import SampleShortened
from dataprep.rules.lengths.sample_too_long import SampleTooLong
from dataprep.rules.lengths.tile_budget_shrunk import TileBudgetShrunk
from dataprep.rules.lengths.truncation_cuts_image import TruncationCutsImage
from dataprep.rules.parsing.byte_order_mark import ByteOrderMark
from dataprep.rules.parsing.duplicate_key import DuplicateKey
from dataprep.rules.parsing.file_without_rows import FileWithoutRows
from dataprep.rules.parsing.invalid_json import InvalidJson
from dataprep.rules.parsing.invalid_utf8 import InvalidUtf8
from dataprep.rules.parsing.lone_surrogate import LoneSurrogate
from dataprep.rules.parsing.nesting_too_deep import NestingTooDeep
from dataprep.rules.parsing.non_finite_number import NonFiniteNumber
from dataprep.rules.parsing.row_cut_off import RowCutOff
from dataprep.rules.parsing.row_not_an_object import RowNotAnObject
from dataprep.rules.spaces.box_as_width_and_height import BoxAsWidthAndHeight
from dataprep.rules.spaces.box_y_before_x import BoxYBeforeX
from dataprep.rules.spaces.boxes_on_other_rotation import BoxesOnOtherRotation
from dataprep.rules.spaces.declared_space_disagrees import DeclaredSpaceDisagrees
from dataprep.rules.spaces.grid_of_999 import GridOf999
from dataprep.rules.spaces.row_space_differs import RowSpaceDiffers
from dataprep.rules.spaces.spaces_mixed import SpacesMixed
from dataprep.rules.tags.comma_joined_paths import CommaJoinedPaths
from dataprep.rules.tags.empty_media_entry import EmptyMediaEntry
from dataprep.rules.tags.fewer_tags_than_media import FewerTagsThanMedia
from dataprep.rules.tags.inline_and_listed_media import InlineAndListedMedia
from dataprep.rules.tags.media_in_answer import MediaInAnswer
from dataprep.rules.tags.more_tags_than_media import MoreTagsThanMedia
from dataprep.rules.tags.special_token_in_text import SpecialTokenInText
from dataprep.rules.tags.tag_in_system import TagInSystem
from dataprep.rules.tags.tag_misspelt import TagMisspelt
from dataprep.rules.tags.text_between_images import TextBetweenImages
from dataprep.rules.turns.answer_missing import AnswerMissing
from dataprep.rules.turns.empty_query_after_answer import EmptyQueryAfterAnswer
from dataprep.rules.turns.field_not_supported import FieldNotSupported
from dataprep.rules.turns.field_of_wrong_type import FieldOfWrongType
from dataprep.rules.turns.history_pair_broken import HistoryPairBroken
from dataprep.rules.turns.role_order_broken import RoleOrderBroken
from dataprep.rules.turns.row_format_unknown import RowFormatUnknown
from dataprep.rules.turns.row_formats_mixed import RowFormatsMixed
from dataprep.rules.turns.unknown_field_near_known import UnknownFieldNearKnown
from dataprep.rules.videos.model_without_video import ModelWithoutVideo
from dataprep.rules.videos.video_file_missing import VideoFileMissing
from dataprep.rules.videos.video_frames_damaged import VideoFramesDamaged
from dataprep.rules.videos.video_rate_varies import VideoRateVaries
from dataprep.rules.videos.video_read_by_second_reader import VideoReadBySecondReader
from dataprep.rules.videos.video_shorter_than_frames import VideoShorterThanFrames
from dataprep.rules.videos.video_unreadable import VideoUnreadable
from dataprep.rules.videos.video_without_frames import VideoWithoutFrames

RULES: dict[str, type[AnyRule]] = {
    "P001": InvalidJson,
    "P002": InvalidUtf8,
    "P003": DuplicateKey,
    "P004": NonFiniteNumber,
    "P005": RowNotAnObject,
    "P006": ByteOrderMark,
    "P007": LoneSurrogate,
    "P008": NestingTooDeep,
    "P009": RowCutOff,
    "P010": FileWithoutRows,
    "S101": AnswerMissing,
    "S102": RoleOrderBroken,
    "S103": UnknownFieldNearKnown,
    "S104": FieldOfWrongType,
    "S105": RowFormatUnknown,
    "S106": RowFormatsMixed,
    "S107": HistoryPairBroken,
    "S108": EmptyQueryAfterAnswer,
    "S109": FieldNotSupported,
    "T201": MoreTagsThanMedia,
    "T202": FewerTagsThanMedia,
    "T203": InlineAndListedMedia,
    "T204": MediaInAnswer,
    "T205": SpecialTokenInText,
    "T206": EmptyMediaEntry,
    "T207": CommaJoinedPaths,
    "T208": TextBetweenImages,
    "T209": TagInSystem,
    "T210": TagMisspelt,
    "M301": ImageFileMissing,
    "M302": ImageUnreadable,
    "M303": ImageFileEmpty,
    "M304": PathOutsideRoot,
    "M305": UrlNotAllowed,
    "M306": ImageTooLarge,
    "M307": LfsPointer,
    "M308": ExifRotatedImage,
    "M309": ImageInVideoRow,
    "M310": ImageDataDamaged,
    "M311": CmykImage,
    "M312": DeepColourImage,
    "M313": PaletteImage,
    "M314": AnimatedImage,
    "M315": TransparentImage,
    "M316": ImageAspectExtreme,
    "M317": ImageExtensionWrong,
    "M318": ImageTruncated,
    "M319": DeclaredSizeDiffers,
    "V351": VideoFileMissing,
    "V352": VideoUnreadable,
    "V353": ModelWithoutVideo,
    "V354": VideoShorterThanFrames,
    "V355": VideoRateVaries,
    "V356": VideoWithoutFrames,
    "V357": VideoReadBySecondReader,
    "V358": VideoFramesDamaged,
    "G401": BboxTypeUnknown,
    "G402": BoxOutsideImage,
    "G403": BoxCornersSwapped,
    "G404": BoxWithoutArea,
    "G405": ObjectImageOutOfRange,
    "G406": PlaceholdersAndObjectsDiffer,
    "G407": ObjectMalformed,
    "G408": ObjectsWithoutImage,
    "G409": CaptionMissing,
    "G410": BoxesOnRotatedImage,
    "G411": BoxNormalisedTwice,
    "G412": DeclaredSpaceDisagrees,
    "G413": BoxAsWidthAndHeight,
    "G414": BoxYBeforeX,
    "G415": BoxesOnOtherRotation,
    "G416": BoxNearlyRepeated,
    "G417": BoxVanishes,
    "G418": CaptionAmbiguous,
    "G419": GridOf999,
    "G420": RowSpaceDiffers,
    "G421": SpacesMixed,
    "G422": CaptionEmpty,
    "G423": BoxesOfAnotherSize,
    "D501": DuplicateRow,
    "D502": AnswersDisagree,
    "D503": RowInBothSplits,
    "D504": ImageInBothSplits,
    "D505": PictureInBothSplits,
    "D506": VideoInBothSplits,
    "D507": RowBridgesSplits,
    "L601": SampleTooLong,
    "L602": ContextTokenInText,
    "L603": NoTrainedToken,
    "L604": FewTrainedTokens,
    "L605": TileBudgetShrunk,
    "L606": TruncationCutsImage,
    "L607": SampleShortened,
    "C701": TextOnlyShare,
    "C702": AnswerRepeated,
    "C703": LabelsUnbalanced,
    "C704": UnusedBaselineEntry,
}

# Codes of rules that were removed or merged, and where each went; none so far.
REDIRECTS: dict[str, str] = {}
