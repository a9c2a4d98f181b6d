"""What is known of DiT and language models. Names are data: an unknown name is allowed, only its ranges are wide.

Ranges: ACE-Step 1.5's own API description (docs/en/API.md, INFERENCE.md) and the model table of the mission.
"""

from __future__ import annotations

from dataclasses import dataclass

TASK_TYPES = ("text2music", "cover", "repaint", "extract", "lego", "complete")
EDITING_TASKS = frozenset(TASK_TYPES) - {"text2music"}
BASE_ONLY_TASKS = frozenset({"extract", "lego", "complete"})
PROVIDER_PREFIX = "acestep/"  # of OpenRouter-style model lists; sent as a name it silently selects the default model
NO_LANGUAGE_MODEL = "none"


@dataclass(frozen=True)
class ModelFamily:
    """The ranges that a family of DiT models shares.

    Attributes:
        name: the word in a model's name that marks the family.
        steps_min, steps_max: inference steps that are accepted.
        guided: guidance has an effect.
        tasks: task types that work.
    """

    name: str
    steps_min: int
    steps_max: int
    guided: bool
    tasks: frozenset[str]


FAMILIES = (
    ModelFamily("turbo", 1, 20, guided=False, tasks=frozenset(TASK_TYPES) - BASE_ONLY_TASKS),
    ModelFamily("sft", 1, 100, guided=True, tasks=frozenset(TASK_TYPES) - BASE_ONLY_TASKS),
    ModelFamily("base", 1, 100, guided=True, tasks=frozenset(TASK_TYPES)),
)
UNKNOWN_FAMILY = ModelFamily("unknown", 1, 100, guided=True, tasks=frozenset(TASK_TYPES))

SHORT_NAMES = {
    "turbo": "acestep-v15-turbo",
    "turbo-shift1": "acestep-v15-turbo-shift1",
    "turbo-shift3": "acestep-v15-turbo-shift3",
    "turbo-continuous": "acestep-v15-turbo-continuous",
    "shift1": "acestep-v15-turbo-shift1",
    "shift3": "acestep-v15-turbo-shift3",
    "sft": "acestep-v15-sft",
    "base": "acestep-v15-base",
}
SHORT_LANGUAGE_MODELS = {
    "0.6B": "acestep-5Hz-lm-0.6B",
    "1.7B": "acestep-5Hz-lm-1.7B",
    "4B": "acestep-5Hz-lm-4B",
}


def full_name(model: str) -> str:
    """Return a DiT model's name as servers spell it.

    >>> full_name("turbo"), full_name("acestep/acestep-v15-sft"), full_name("acestep-v16-xl")
    ('acestep-v15-turbo', 'acestep-v15-sft', 'acestep-v16-xl')
    """
    bare = model.strip().removeprefix(PROVIDER_PREFIX)
    return SHORT_NAMES.get(bare, bare)


def full_language_model_name(model: str) -> str:
    """Return a language model's name as servers spell it.

    >>> full_language_model_name("1.7B"), full_language_model_name("none")
    ('acestep-5Hz-lm-1.7B', 'none')
    """
    bare = model.strip()
    return SHORT_LANGUAGE_MODELS.get(bare, bare)


def family_of(model: str) -> ModelFamily:
    """Return the family that a model's name shows.

    >>> family_of("acestep-v15-turbo-shift3").name, family_of("somebody-elses-model").name
    ('turbo', 'unknown')
    """
    words = full_name(model).replace("_", "-").lower().split("-")
    return next((family for family in FAMILIES if family.name in words), UNKNOWN_FAMILY)
