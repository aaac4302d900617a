"""The pages of the rules: for ``dataprep explain``, ``dataprep rules`` and ``docs/rules.md``."""

from __future__ import annotations

import difflib
import inspect

from dataprep.errors import ConfigError
from dataprep.rules.base import AnyRule, Level
from dataprep.rules.table import REDIRECTS, RULES

_LEVELS = {
    Level.SHAPE: "0 (the row alone)",
    Level.TEXT: "1 (tags, turns, boxes)",
    Level.MEDIA: "2 (media headers)",
    Level.PIXELS: "3 (full decode)",
    Level.TOKENS: "4 (tokens; needs --model)",
}


def _documentation(rule: type[AnyRule]) -> str:
    return inspect.cleandoc(rule.__doc__ or "")


def rule_page(code: str) -> str:
    """Return the page of a rule, by code or name.

    Raises:
        ConfigError: If there is no such rule.
    """
    by_name = {rule.name: name for name, rule in RULES.items()}
    key = REDIRECTS.get(code.upper(), code.upper())
    key = key if key in RULES else by_name.get(code.lower(), "")
    if key not in RULES:
        near = difflib.get_close_matches(code, [*RULES, *by_name], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "'dataprep rules' lists them all"
        raise ConfigError(f"there is no rule {code!r}; {hint}")
    rule = RULES[key]
    head = f"# {key} {rule.name}\n\n{rule.severity.value}, level {_LEVELS[rule.level]}, since {rule.status.since}"
    return f"{head}\n\n{_documentation(rule)}\n"


def rule_objects() -> list[dict[str, str | int]]:
    """Return code, name, severity, level, release and summary of every rule."""
    return [
        {
            "code": code,
            "name": rule.name,
            "severity": rule.severity.value,
            "level": int(rule.level),
            "since": rule.status.since,
            "summary": _documentation(rule).splitlines()[0],
        }
        for code, rule in RULES.items()
    ]


def manual() -> str:
    """Return ``docs/rules.md``: all pages, by area."""
    intro = "# Rules\n\nMade from the rules' own texts by `make rules`; do not edit.\n\n"
    table = "| code | name | severity | what |\n|---|---|---|---|\n" + "".join(
        f"| {entry['code']} | {entry['name']} | {entry['severity']} | {entry['summary']} |\n"
        for entry in rule_objects()
    )
    pages = (rule_page(code).replace("\n## ", "\n### ").replace("# ", "## ", 1) for code in RULES)
    return intro + table + "\n" + "\n".join(pages)
