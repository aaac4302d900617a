"""What decides about ids and labels, as shards or a model with its options say it, and what differs in words.

Shards carry a hash of each part (tokenizer, template, tiling, boxes, labels, system prompt) and the facts behind it.
Where a hash is another one, :func:`compare` says what differs and :func:`repair_command` the cheapest command that
makes shards which fit: ``remask`` where only the loss differs, else ``retemplate``, which needs no media. Training,
evaluation and conversion all ask here. No numpy, no Arrow data: pure functions of a few strings and numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.catalog import MODEL_TYPES
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.errors import ConfigError, ContractError
from dataprep.shards.format import LOSS_ANSWERS
from dataprep.shards.manifest import Fingerprints, Manifest, TokenizerFacts
from dataprep.templates import TEMPLATES
from dataprep.tokenization import TextTokenizer, read_language_model, read_tile_settings

PARTS = ("tokenizer", "template", "tiling", "boxes", "labels", "system")
"""What can differ, as the fingerprints name it."""

# Names of the rules that decide about tokens; a change of one of them changes its fingerprint.
TILING_RULE = "dynamic-preprocess-1"
LABEL_RULES = {LOSS_ANSWERS: "answers-and-ends-1", "last-answer": "last-answer-and-end-1"}
BOX_RULES = {"swift": "trunc-999", "internvl": "round-1000-clip"}

_ROW_OPTIONS = ("max_length", "special_text", "exif", "missing_image_tag", "video_frames")
_SHOWN_CHARACTERS = 40
_SHOWN_TOKENS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What one side says about how samples are made; None where it does not say.

    Attributes:
        name: What messages call it, such as ``the shards``.
        hashes: Fingerprints of the parts that it decides, by name.
        tool_version: Release that wrote them.
        model_type: Model type.
        template: Name of the chat template.
        tile_size_px: Side of a tile in pixels.
        tokens_per_tile: Context tokens of a tile.
        max_num: Most tiles per image, thumbnail not counted.
        box_style: Arithmetic of boxes.
        box_family: Text form of boxes.
        loss_mask: Which answers are trained.
        system: System prompt of rows that name none, the template's own included.
        tokenizer: Facts about the tokenizer.
        model_dir: Model folder, for the command that repairs.
    """

    name: str
    hashes: dict[str, str]
    tool_version: str | None = None
    model_type: str | None = None
    template: str | None = None
    tile_size_px: int | None = None
    tokens_per_tile: int | None = None
    max_num: int | None = None
    box_style: str | None = None
    box_family: str | None = None
    loss_mask: str | None = None
    system: str | None = None
    tokenizer: TokenizerFacts | None = None
    model_dir: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that differs: its name among :data:`PARTS`, and how, in words."""

    part: str
    text: str

    def __str__(self) -> str:
        return f"{self.part}: {self.text}"


def fingerprints(encoder: Encoder) -> Fingerprints:
    """Return the hashes of everything that decides about the ids and labels of a sample."""
    settings = encoder.settings
    template = settings.template
    facts = {
        "template": [template.name, template.system_start, template.user_start, template.answer_start, template.end],
        "tiling": [TILING_RULE, settings.tiles.tile_size_px, settings.tiles.tokens_per_tile, settings.max_num],
        "boxes": [BOX_RULES[settings.box_style], settings.box_style, settings.model_type.box_family],
        "labels": [LABEL_RULES[settings.loss_mask]],
        "system": [template.default_system if settings.system is None else settings.system],
    }
    hashes = {name: _hash(json.dumps(value)) for name, value in facts.items()}
    return seal_fingerprints(hashes | {"tokenizer": encoder.tokenizer.fingerprint})


def seal_fingerprints(hashes: dict[str, str]) -> Fingerprints:
    """Return fingerprints with the one that covers the others."""
    return Fingerprints(**hashes, all=_hash(json.dumps(hashes, sort_keys=True)))


def label_fingerprint(loss_mask: str) -> str:
    """Return the fingerprint of the labels of a loss mask."""
    return _hash(json.dumps([LABEL_RULES[loss_mask]]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def describe_tokenizer(tokenizer: TextTokenizer, answer_start: str) -> TokenizerFacts:
    """Return what a manifest keeps of a tokenizer, so that a difference can be said in words.

    Args:
        tokenizer: The tokenizer.
        answer_start: The template's text between a query and its answer.
    """
    text = tokenizer.to_json()
    # Cut, not parsed: that would take longer than to load the tokenizer. A key before a bracket is no text in quotes,
    # where quotes are escaped, and no token of the vocabulary, which stands before a number.
    head, model = text.partition(',"model":{')[::2]
    vocabulary, merges = (_cut(model, rf'"{name}":[\[{{]') for name in ("vocab", "merges"))
    rest = model.replace(vocabulary, "").replace(merges, "")
    members = json.loads(head + "}")
    added = members.pop("added_tokens")
    flags = [{name: value for name, value in token.items() if name != "id"} for token in added]
    return TokenizerFacts(
        vocab_size=tokenizer.num_tokens,
        bos_token_id=tokenizer.bos_id,
        added_tokens={token["content"]: token["id"] for token in added},
        vocabulary=_hash(vocabulary),
        merges=_hash(merges),
        rest=_hash(json.dumps([members, rest, flags], sort_keys=True)),
        answer_start_ids=tuple(tokenizer.encode(answer_start)),
    )


def _cut(model: str, key: str) -> str:
    """Return the stretch from a key to the next one that holds many values, or to the end; empty if there is no key."""
    found = re.search(key, model)
    if found is None:
        return ""
    following = re.compile(r'"(?:vocab|merges)":[\[{]').search(model, found.end())
    return model[found.start() : following.start() if following else len(model)]


def contract_of_shards(manifest: Manifest, name: str = "the shards", model_dir: str | None = None) -> Contract:
    """Return what the manifest of shards says; ``model_dir`` is the folder of their tokenizer, where it is known."""
    system = TEMPLATES[manifest.template].default_system if manifest.system is None else manifest.system
    return Contract(
        name=name,
        hashes={part: getattr(manifest.fingerprints, part) for part in PARTS},
        tool_version=manifest.tool_version,
        model_type=manifest.model_type,
        template=manifest.template,
        tile_size_px=manifest.tile_size_px,
        tokens_per_tile=manifest.tokens_per_tile,
        max_num=manifest.max_num,
        box_style=manifest.box_style,
        box_family=manifest.box_family,
        loss_mask=manifest.loss_mask,
        system=system,
        tokenizer=manifest.tokenizer,
        model_dir=model_dir,
    )


def contract_of_encoder(encoder: Encoder, name: str = "the options", model_dir: str | None = None) -> Contract:
    """Return what a model folder and the options of a conversion say."""
    settings, prints = encoder.settings, fingerprints(encoder)
    template = settings.template
    return Contract(
        name=name,
        hashes={part: getattr(prints, part) for part in PARTS},
        model_type=settings.model_type.name,
        template=template.name,
        tile_size_px=settings.tiles.tile_size_px,
        tokens_per_tile=settings.tiles.tokens_per_tile,
        max_num=settings.max_num,
        box_style=settings.box_style,
        box_family=settings.model_type.box_family,
        loss_mask=settings.loss_mask,
        system=template.default_system if settings.system is None else settings.system,
        tokenizer=describe_tokenizer(encoder.tokenizer, template.answer_start),
        model_dir=model_dir,
    )


def contract_of_model(folder: Path, tokenizer: TextTokenizer, shards: Contract) -> Contract:
    """Return what a model folder alone says: its tokenizer, its tiles, and which model types it may be of.

    Args:
        folder: The model folder.
        tokenizer: Its tokenizer.
        shards: What it is to be compared with; its template is taken as read.

    Raises:
        ConfigError: If the folder's configuration cannot be read or contradicts itself.
    """
    tiles = read_tile_settings(folder, default=None)
    facts = None
    if tokenizer.fingerprint != shards.hashes["tokenizer"]:  # describing one takes half a second
        answer_start = TEMPLATES[shards.template].answer_start if shards.template in TEMPLATES else ""
        facts = describe_tokenizer(tokenizer, answer_start)
    return Contract(
        name="the model",
        hashes={"tokenizer": tokenizer.fingerprint},
        model_type=_likely_model_type(read_language_model(folder), shards.model_type),
        tile_size_px=None if tiles is None else tiles.tile_size_px,
        tokens_per_tile=None if tiles is None else tiles.tokens_per_tile,
        tokenizer=facts,
        model_dir=str(folder),
    )


def _likely_model_type(language_model: str | None, of_shards: str | None) -> str | None:
    """Return the model type of the shards if the folder may be of it, else the first of its kind that it may be of."""
    known = MODEL_TYPES.get(of_shards or "")
    if known is None or language_model in (None, known.language_model):
        return of_shards
    alike = [kind for kind in MODEL_TYPES.values() if kind.language_model == language_model]
    same_family = [kind for kind in alike if kind.box_family == known.box_family]
    return next((kind.name for kind in (*same_family, *alike)), of_shards)


def compare(a: Contract, b: Contract, parts: Iterable[str] = PARTS) -> tuple[Difference, ...]:
    """Return what differs between two sides, in words.

    Args:
        a: One side, the shards as a rule.
        b: The other side; what it does not say cannot differ.
        parts: The parts to look at.
    """
    words: dict[str, Callable[[Contract, Contract], list[str]]] = {
        "tokenizer": _tokenizer_words,
        "template": _template_words,
        "tiling": _tiling_words,
        "boxes": _box_words,
        "labels": lambda a, b: [_step(f"the loss mask is {a.loss_mask}", a, str(b.loss_mask), b)],
        "system": lambda a, b: [_step(_quote(a.system), a, _quote(b.system), b)],
    }
    found = []
    for part in parts:
        if part in a.hashes and part in b.hashes:
            differs = a.hashes[part] != b.hashes[part]
        else:
            differs = part == "tiling" and bool(_tiling_words(a, b))
        if differs:
            text = "; ".join(words[part](a, b)) or _rule_words(a, b)
            found.append(Difference(part, text))
    return tuple(found)


def _step(left: str, a: Contract, right: str, b: Contract) -> str:
    return f"{left} in {a.name} and {right} in {b.name}"


def _rule_words(a: Contract, b: Contract) -> str:
    versions = " and ".join(f"{side.name} by dataprep {side.tool_version}" for side in (a, b) if side.tool_version)
    return f"the same settings, but made by another rule ({versions or 'of another release'})"


def _quote(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _template_words(a: Contract, b: Contract) -> list[str]:
    if a.template == b.template:
        return []
    return [_step(f"{a.template} (for {a.model_type})", a, f"{b.template} (for {b.model_type})", b)]


def _tiling_words(a: Contract, b: Contract) -> list[str]:
    names = {
        "tile_size_px": "the side of a tile is {} px",
        "tokens_per_tile": "a tile has {} context tokens",
        "max_num": "an image has at most {} tiles",
    }
    pairs = [(text, getattr(a, name), getattr(b, name)) for name, text in names.items()]
    return [_step(text.format(x), a, str(y), b) for text, x, y in pairs if None not in (x, y) and x != y]


def _box_words(a: Contract, b: Contract) -> list[str]:
    names = {"box_style": "boxes are written in style {}", "box_family": "the text form of boxes is {}"}
    pairs = [(text, getattr(a, name), getattr(b, name)) for name, text in names.items()]
    return [_step(text.format(x), a, str(y), b) for text, x, y in pairs if x != y]


def _tokenizer_words(a: Contract, b: Contract) -> list[str]:
    left, right = a.tokenizer, b.tokenizer
    if left is None or right is None:
        prints = [side.hashes["tokenizer"][:12] for side in (a, b)]
        return [_step(f"its fingerprint is {prints[0]}", a, prints[1], b)]
    words = []
    if left.vocab_size != right.vocab_size:
        words.append(_step(f"{left.vocab_size:,} tokens", a, f"{right.vocab_size:,}", b))
    words += _added_token_words(a, left, b, right)
    if left.bos_token_id != right.bos_token_id:
        words.append(_step(f"a sample begins with {_id_words(left)}", a, _id_words(right), b))
    for name, text in (("vocabulary", "the tokens that were learnt"), ("merges", "the merges of tokens")):
        if getattr(left, name) != getattr(right, name):
            words.append(f"{text} differ")
    if left.rest != right.rest:
        words.append("normalizer, pre-tokenizer or the flags of added tokens differ")
    return words or ["no token differs, but tokenizer_config.json is written otherwise"]


def _id_words(facts: TokenizerFacts) -> str:
    return "no token of its own" if facts.bos_token_id is None else f"token {facts.bos_token_id}"


def _added_token_words(a: Contract, left: TokenizerFacts, b: Contract, right: TokenizerFacts) -> list[str]:
    x, y = left.added_tokens, right.added_tokens
    differing = [token for token in {**x, **y} if x.get(token) != y.get(token)]
    if not differing:
        return []
    shown = [f"{_quote(token)} {x.get(token, '-')} / {y.get(token, '-')}" for token in differing[:_SHOWN_TOKENS]]
    count = "1 added token differs" if len(differing) == 1 else f"{len(differing):,} added tokens differ"
    return [f"{count} (id in {a.name} / in {b.name}): {', '.join(shown)}{', ...' if len(differing) > 3 else ''}"]


def repair_command(differences: Iterable[Difference], shards: str | Path, wanted: Contract) -> str:
    """Return the cheapest command that makes shards which fit, ready to be pasted.

    Args:
        differences: What :func:`compare` found, the shards first.
        shards: The shard directory.
        wanted: The other side.
    """
    parts = {difference.part for difference in differences}
    place = str(shards).rstrip("/")
    if parts == {"labels"}:
        return _command("remask", place, {"--loss-mask": wanted.loss_mask}, f"{place}-{wanted.loss_mask}")
    options: dict[str, Any] = {"--for": wanted.model_type, "--model": wanted.model_dir or "MODEL_DIR"}
    told = {"tiling": ("max_num",), "boxes": ("box_style",), "labels": ("loss_mask",), "system": ("system",)}
    for part in PARTS:
        for name in told.get(part, ()) if part in parts else ():
            options[f"--{name.replace('_', '-')}"] = getattr(wanted, name)
    return _command("retemplate", place, options, f"{place}-{wanted.model_type}")


def _command(name: str, place: str, options: dict[str, Any], out: str) -> str:
    words = ["dataprep", name, place]
    for option, value in {**options, "--out": out}.items():
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)


def require_same(shards: str | Path, a: Contract, b: Contract, parts: Iterable[str] = PARTS) -> None:
    """Raise unless two sides agree.

    Args:
        shards: The shard directory that ``a`` is of.
        a: What the shards say.
        b: What is wanted.
        parts: The parts to look at.

    Raises:
        ContractError: With what differs, in words, and the cheapest repair.
    """
    differences = compare(a, b, parts)
    if differences:
        texts = tuple(map(str, differences))
        raise ContractError(str(shards), b.name, texts, repair_command(differences, shards, b))


def require_options(shards: str | Path, manifest: Manifest, encoder: Encoder, config: ConvertConfig) -> None:
    """Raise unless a conversion with these options makes samples like those of shards, so that they can be added.

    Args:
        shards: The shard directory.
        manifest: Its manifest.
        encoder: Made from the options.
        config: The options.

    Raises:
        ContractError: If the contracts differ; with the cheapest repair.
        ConfigError: If another option differs: rows would not be read alike.
    """
    asked = contract_of_encoder(encoder, "the options", str(config.model))
    require_same(shards, contract_of_shards(manifest), asked)
    names = {name: f"--{name.replace('_', '-')}" for name in _ROW_OPTIONS}
    differing = [
        f"{names[name]} {getattr(manifest, name)} (asked for is {getattr(config, name)})"
        for name in _ROW_OPTIONS
        if getattr(manifest, name) != getattr(config, name)
    ]
    if manifest.media_mode != config.media:
        differing.append(f"--media {manifest.media_mode} (asked for is {config.media})")
    if differing:
        raise ConfigError(f"{shards} was made with {', '.join(differing)}; use the same options, or convert all again")
