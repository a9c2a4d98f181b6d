"""A take becomes a verified master and its renditions: the same level in every room, nothing else changed.

settings   what a zone may ask for, hashed into `master_id`
edges      where a take starts and ends: trims, fades and cue points
report     what mastering says about what it did
master     the recipe
"""

from ace_assets.mastering.edges import Cues
from ace_assets.mastering.master import MASTERING_VERSION, master
from ace_assets.mastering.report import MasterReport
from ace_assets.mastering.settings import MasteringSettings

__all__ = ["MASTERING_VERSION", "Cues", "MasterReport", "MasteringSettings", "master"]
