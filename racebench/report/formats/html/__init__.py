"""One page with matrix, findings, swimlanes and a stepper, that needs nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from ...run import document
from ...stored_run import Stored
from .blocks import block
from .filters import filters
from .words import escaped

_STYLES = ("page.css", "stepper.css", "print.css")
_SCRIPTS = ("filter.js", "stepper.js")


def render(stored: Stored) -> str:
    report = document(stored)
    style, script = (
        "".join(files(__package__).joinpath(name).read_text("utf-8") for name in names)
        for names in (_STYLES, _SCRIPTS)
    )
    headline, sections = ("\n".join(map(block, blocks)) for blocks in (report.headline, report.sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>RaceBench report</title>
<style>{style}</style>
</head>
<body>
<h1>RaceBench report</h1>
{headline}
<p class="dim">{escaped(" · ".join(report.about))}</p>
{filters(report)}
{sections}
<script>{script}</script>
</body>
</html>
"""


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy: allow this style and this script, and nothing else from anywhere."""
    digests = (hashlib.sha256(text.encode("utf-8")).digest() for text in (style, script))
    style_hash, script_hash = (f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)
    return (
        f"default-src 'none'; style-src {style_hash}; script-src {script_hash}; "
        "base-uri 'none'; form-action 'none'"
    )
