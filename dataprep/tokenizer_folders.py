"""Which tokenizer a model folder holds, and the engine for it.

``tokenizer.json`` is taken as it is. Where ``tokenizer.model`` lies beside it, that is the original and sentencepiece
the measure: the fast file is accepted only if it gives the same ids on fixed texts.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataprep.added_tokens import TokenFiles, read_added_tokens, special_tokens
from dataprep.engines import Engine, JsonEngine
from dataprep.errors import ConfigError
from dataprep.model_files import TOKENIZER_FILES, read_json, tokenizer_names
from dataprep.sentencepiece_original import CLASSES, class_name
from dataprep.sentencepieces import SentencePieceEngine
from dataprep.words import QWEN2

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_log = logging.getLogger(__name__)

(_JSON,), (_SENTENCEPIECE,), (_VOCABULARY, _MERGES) = TOKENIZER_FILES
_QWEN2_SPECIAL = {"eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}


@dataclass(frozen=True, slots=True)
class TokenizerFolder:
    """What a model folder says about its tokenizer.

    Attributes:
        folder: The folder.
        contents: Its tokenizer files by name.
        files: The small files beside them.
        key: Hash over all of it.
    """

    folder: Path
    contents: dict[str, bytes]
    files: TokenFiles
    key: str

    @property
    def settings(self) -> dict[str, Any]:
        """What ``tokenizer_config.json`` says, and for what it leaves out, ``special_tokens_map.json``."""
        return {**self.files.special_map, **self.files.config}

    @property
    def defaults(self) -> dict[str, str]:
        """The special tokens of the tokenizer's class where no file names them."""
        if _JSON in self.contents:
            return {}
        return CLASSES[class_name(self.files)] if _SENTENCEPIECE in self.contents else _QWEN2_SPECIAL

    def why_tokens_lack(self) -> str:
        """Say in some words where added tokens should stand."""
        name = next(iter(self.contents))
        listing = ("tokenizer_config.json", "added_tokens.json")
        there = [file for file in listing if (self.folder / file).is_file()]
        if name == _JSON:
            return f"{name} lists no such token, and neither does tokenizer_config.json"
        end = f"{' and '.join(there)} add none of these" if there else f"{' and '.join(listing)} are missing"
        return f"{name} holds the tokens of the language model only, and {end}"


def read_tokenizer_folder(folder: Path) -> TokenizerFolder:
    """Read the files of a model folder's tokenizer.

    Raises:
        ConfigError: If there is none, or a file cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"no model folder {folder}; give --model the folder that holds the model's tokenizer")
    names = tokenizer_names(folder)
    if not names:
        raise ConfigError(
            f"{folder} holds no tokenizer.json, tokenizer.model, or vocab.json with merges.txt; "
            "give --model a folder with the model's tokenizer"
        )
    if names == (_JSON,) and (folder / _SENTENCEPIECE).is_file():
        names = (_JSON, _SENTENCEPIECE)
    contents = {name: _read_bytes(folder / name) for name in names}
    files = TokenFiles(
        *(read_json(folder / f"{name}.json") for name in ("tokenizer_config", "special_tokens_map", "added_tokens"))
    )
    hashes = [hashlib.sha256(content).hexdigest() for content in contents.values()]
    key = hashlib.sha256(repr([hashes, files]).encode("utf-8", "surrogatepass")).hexdigest()
    return TokenizerFolder(folder, contents, files, key)


def make_engine(found: TokenizerFolder) -> tuple[Engine, str]:
    """Return the engine for the tokenizer of a folder, and itself as JSON.

    Raises:
        ConfigError: If a file is broken, or the tokenizer is of an unknown class.
    """
    if _JSON in found.contents:
        return _json_engine(found)
    if _SENTENCEPIECE in found.contents:
        pieces = SentencePieceEngine(found.contents[_SENTENCEPIECE], found.files)
        return pieces, pieces.to_json()
    return _finish(_build_qwen2(found))


def _json_engine(found: TokenizerFolder) -> tuple[Engine, str]:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(found.contents[_JSON])
    except Exception as error:
        raise ConfigError(
            f"{found.folder / _JSON} is not a tokenizer ({error}); copy the model folder again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _add_configured_tokens(tokenizer, found.files.config)
    engine, description = _finish(tokenizer)
    if _SENTENCEPIECE in found.contents and _is_known_class(found.files):
        pieces = SentencePieceEngine(found.contents[_SENTENCEPIECE], found.files)
        if not pieces.agrees_with(engine.encode_many):
            _log.warning(
                "%s gives other ids than the original tokenizer.model beside it; tokenizer.model is used", _JSON
            )
            return pieces, pieces.to_json()
    return engine, description


def _is_known_class(files: TokenFiles) -> bool:
    try:
        return class_name(files) in CLASSES
    except ConfigError:
        return False


def _finish(tokenizer: Tokenizer) -> tuple[Engine, str]:
    description = tokenizer.to_str()
    return JsonEngine(tokenizer, description), description


def _build_qwen2(found: TokenizerFolder) -> Tokenizer:
    """Build what ``Qwen2Tokenizer`` reads from ``vocab.json`` and ``merges.txt``."""
    import tempfile

    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    name = str(found.files.merged.get("tokenizer_class")).removesuffix("Fast")
    if name != "Qwen2Tokenizer":
        raise ConfigError(
            f"tokenizer_config.json names the tokenizer class {name!r}, known for vocab.json is Qwen2Tokenizer; "
            "copy the tokenizer files of the original model"
        )
    try:
        with tempfile.TemporaryDirectory() as scratch:  # the package reads these from files alone
            paths = [Path(scratch) / file for file in (_VOCABULARY, _MERGES)]
            for path in paths:
                path.write_bytes(found.contents[path.name])
            model = models.BPE.from_file(*map(str, paths))
    except Exception as error:
        raise ConfigError(
            f"{_VOCABULARY} and {_MERGES} in {found.folder} make no tokenizer ({error}); copy the model folder again"
        ) from error
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = read_added_tokens(
        found.files,
        special_tokens(found.files, _QWEN2_SPECIAL),
        learnt_id=tokenizer.token_to_id,
        num_learnt=tokenizer.get_vocab_size(),
    )
    listed = {str(token.id): token.to_json() for token in added}
    _add_configured_tokens(tokenizer, {"added_tokens_decoder": listed}, source=_VOCABULARY)
    return tokenizer


def _add_configured_tokens(tokenizer: Tokenizer, config: dict[str, Any], source: str = _JSON) -> None:
    from tokenizers import AddedToken

    listed = config.get("added_tokens_decoder") or {}
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    for token_id, entry in sorted(listed.items(), key=lambda item: int(item[0])):
        content = entry["content"]
        if content in known or (source == _JSON and tokenizer.token_to_id(content) is not None):
            continue
        flags = {key: bool(entry.get(key)) for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        tokenizer.add_tokens([AddedToken(content, **flags)])
        if tokenizer.token_to_id(content) != int(token_id):
            raise ConfigError(
                f"tokenizer_config.json gives {content!r} the id {token_id}, {source} has room at "
                f"{tokenizer.token_to_id(content)} only; the two files are not of one model"
            )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error}); copy the model folder again") from error
