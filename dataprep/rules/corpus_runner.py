"""Run the rules about whole data sets, once all rows have gone by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dataprep.catalog import get_model_type
from dataprep.corpus import Corpus
from dataprep.errors import RuleCrash
from dataprep.findings import CorpusProblem, Finding
from dataprep.rules.base import CorpusRule, RuleContext
from dataprep.rules.corpus.unused_baseline_entry import UnusedBaselineEntry
from dataprep.rules.runner import CheckerRecipe
from dataprep.rules.selection import severities_for
from dataprep.rules.table import RULES


def check_corpus(corpus: Corpus, recipe: CheckerRecipe) -> Iterator[list[Finding]]:
    """Yield what the rules about whole data sets find, each finding as a list of one.

    Raises:
        RuleCrash: If a rule raises.
    """
    config = recipe.config
    context = RuleContext(
        model_type=None if config.model_type is None else get_model_type(config.model_type), exif=config.exif
    )
    severities = {path: severities_for(recipe.rules, path) for path in corpus.paths}
    for code, rule in RULES.items():
        if not issubclass(rule, CorpusRule) or rule.level not in recipe.levels:
            continue
        if not any(code in chosen for chosen in severities.values()):
            continue
        problems = rule().check_corpus(corpus, context)
        while (problem := _next_problem(code, problems, corpus)) is not None:
            severity = severities[problem.location.path].get(code)
            if severity is not None:
                # One by one: a data set may hold a million rows twice.
                yield [
                    Finding(
                        code=code,
                        name=rule.name,
                        severity=severity,
                        location=problem.location,
                        field=problem.field,
                        message=problem.message,
                        help=problem.help,
                    )
                ]


def _next_problem(code: str, problems: Iterator[CorpusProblem], corpus: Corpus) -> CorpusProblem | None:
    try:
        return next(problems, None)
    except Exception as error:
        raise RuleCrash(code, ", ".join(corpus.paths)) from error


def check_unused(path: str, unmet: Callable[[Iterable[str]], Iterable[object]], recipe: CheckerRecipe) -> list[Finding]:
    """Return the findings of C704: one for each entry of a baseline that accepts nothing.

    Args:
        path: The baseline.
        unmet: Gives the entries for some codes that no finding needed.
        recipe: What ran.
    """
    code = "C704"
    severities = severities_for(recipe.rules, path)
    if code not in severities:
        return []
    ran = [other for other in severities if RULES[other].level in recipe.levels and other != code]
    return [
        Finding(
            code=code,
            name=UnusedBaselineEntry.name,
            severity=severities[code],
            location=problem.location,
            field=problem.field,
            message=problem.message,
            help=problem.help,
        )
        for problem in UnusedBaselineEntry().check_entries(path, unmet(ran))
    ]
