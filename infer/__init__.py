"""Run InternVL models: load, answer, evaluate. Names load on first use, so that importing one does not load torch."""

import importlib

_HOMES = {
    "EvalOptions": "infer.evaluate",
    "GenerationSettings": "infer.engine",
    "ModelOptions": "infer.model",
    "Prompt": "infer.engine",
    "build_model": "infer.model",
    "evaluate_shards": "infer.evaluate",
    "generate": "infer.engine",
    "load": "infer.loading",
    "load_model": "infer.model",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
