"""Gates, scores, choosing the takes to keep.

`analysis.analyze` measures one piece of audio, `files.analyze_files` many files at once; `fit` holds what a zone asks for,
`score` how a number is made of the measurements, `selection` which takes are kept. What is a defect is decided in
`ace_assets.audio.defects`.
"""

from ace_assets.scoring.analysis import Analysis, analyze
from ace_assets.scoring.fit import FIT_POLICIES, FitPolicy, policy_for
from ace_assets.scoring.score import SCORE_BASIS, SCORE_VERSION, Scorer
from ace_assets.scoring.selection import select_takes, takes_lacking

__all__ = [
    "FIT_POLICIES",
    "SCORE_BASIS",
    "SCORE_VERSION",
    "Analysis",
    "FitPolicy",
    "Scorer",
    "analyze",
    "policy_for",
    "select_takes",
    "takes_lacking",
]
