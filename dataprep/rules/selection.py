"""Which rules run on which file, and how severe their findings are: options resolved against the code table."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

from dataprep.config import RuleConfig
from dataprep.errors import ConfigError
from dataprep.findings import Severity
from dataprep.rules.table import REDIRECTS, RULES


def codes_of(selector: str) -> list[str]:
    """Return the codes that a code, the beginning of one, a rule's name or ``ALL`` stands for.

    Raises:
        ConfigError: If it stands for none.
    """
    wanted = REDIRECTS.get(selector, selector)
    codes = [
        code
        for code, rule in RULES.items()
        if wanted == "ALL" or code.startswith(wanted.upper()) or rule.name == wanted.lower()
    ]
    if not codes:
        raise ConfigError(f"no rule has the code or name {selector!r}; 'dataprep rules' lists them")
    return codes


def severities_for(config: RuleConfig, path: str) -> dict[str, Severity]:
    """Return the rules that run on a data file, by code, with the severity of their findings.

    Args:
        config: The options.
        path: The data file, as the user named it.

    Raises:
        ConfigError: If an option names a rule or a severity that does not exist.
    """
    selected = _expand(config.select) if config.select else set(RULES)
    selected |= _expand(config.extend_select)
    ignored = _expand(config.ignore)
    for pattern, selectors in config.per_file_ignores:
        codes = _expand(selectors)
        if fnmatch(path, pattern) or fnmatch(path.rpartition("/")[2], pattern):
            ignored |= codes
    changed = {code: _severity(name) for selector, name in config.severities for code in codes_of(selector)}
    return {code: changed.get(code, rule.severity) for code, rule in RULES.items() if code in selected - ignored}


def _expand(selectors: Iterable[str]) -> set[str]:
    return {code for selector in selectors for code in codes_of(selector)}


def _severity(name: str) -> Severity:
    try:
        return Severity(name)
    except ValueError as error:
        raise ConfigError(f"{name!r} is no severity; expected {', '.join(Severity)}") from error
