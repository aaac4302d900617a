"""Flag media given as URLs that may not be fetched. Cost: none."""

from __future__ import annotations

from dataprep.media.index import MediaFacts
from dataprep.rules.base import URL_REASONS, CheckedRow, MediaRule


class UrlNotAllowed(MediaRule):
    """URL that may not be fetched, or failed.

    ## What it does
    Reports media given as URLs when --allow-urls is not given, URLs to private addresses, and fetches
    that failed.
    ## Why it matters
    What a URL gives may change or vanish between two runs.
    ## Example
    `{"images": ["https://example.com/a.jpg"]}`
    ## Use instead
    Download the files first; or pass --allow-urls.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "url-not-allowed"
    reasons = URL_REASONS
    kinds = ("image", "video")
    help = "download the file and name its path"

    def help_for(self, row: CheckedRow, facts: MediaFacts) -> str | None:
        """Return the option that helps, where one does."""
        reason = facts.error.reason if facts.error is not None else ""
        option = {"url-not-allowed": "--allow-urls", "private-address": "--allow-private-urls"}.get(reason)
        return f"{self.help}, or pass {option}" if option else self.help
