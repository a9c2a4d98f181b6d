"""Faults that the preview server injects, only when it is told to: names, parsing, and the seeded draw of each.

A fault is a probability per occasion (`drop=0.02`), a switch (`seeds_ignored`, which means 1) or a quantity
(`service_s=2`). Draws depend on the seed and on how often the fault was asked about, not on the clock.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field

from ace_assets.errors import ConfigError

PROBABILITIES: dict[str, str] = {
    "http429": "release_task answers 429 and leaves a phantom queued record",
    "http500": "any API request answers 500 text/plain",
    "drop": "the connection of any API request is dropped without an answer",
    "drop_after": "release_task accepts the job, then drops the connection",
    "hang": "an API request is never answered",
    "failed": "the job fails",
    "stuck": "the job stays running for ever while later ones run",
    "false2": "a running job is reported as status 2 with a stage that is not failed, then finishes",
    "fewer": "a batch returns one file less than asked (at least one)",
    "empty": "the job succeeds with an empty file name",
    "gone": "the finished file answers 404",
    "short": "the audio body ends before its Content-Length",
    "truncated": "the audio file is cut in half, with a Content-Length that fits",
    "slow": "the audio body comes at slow_bytes_per_s",
    "seeds_ignored": "another seed than the one asked for is used",
    "wrong_model": "dit_model names another model",
    "no_lm": "format_input answers 500, there is no language model",
    "audio_silence": "the audio is silent",
    "audio_dropout": "the audio has a second of zeros in its middle",
    "audio_clipping": "the audio is clipped",
    "audio_dc": "the audio has a constant offset",
    "audio_abrupt": "the audio ends without dying away",
    "audio_cancel": "the right channel is the left one turned upside down",
    "audio_lowpass": "the audio has nothing above 3 kHz",
    "audio_noise": "the audio ends in noise",
    "audio_nan": "the audio holds values that are not numbers (a 32-bit float WAV)",
    "hostile_host": "the file names another host",
    "hostile_path": "the file names ../../etc/passwd",
    "hostile_huge": "the audio body claims 10 GB and never ends",
    "hostile_html": "query_result answers an HTML page",
    "hostile_nested": "query_result answers JSON nested 100,000 deep",
    "hostile_error": "release_task answers an error text of 1 MB",
}
QUANTITIES: dict[str, tuple[float, str]] = {
    "seed": (0, "seed of all draws"),
    "latency_s": (0, "delay before every answer"),
    "service_s": (0, "least time a take takes on the worker"),
    "queue": (200, "jobs that may wait before release_task answers 429"),
    "clamp_s": (0, "longest take in seconds, longer requests are cut silently; 0 for none"),
    "batch_max": (8, "most takes of one job"),
    "forget_every_s": (0, "every so many seconds the server forgets its jobs as after a crash; 0 for never"),
    "die_after": (0, "the process ends for good after so many finished takes; 0 for never"),
    "slow_bytes_per_s": (20_000, "speed of a slow body"),
    "synthetic": (0, "1: tones of the right length instead of music, at next to no cost"),
}
WORDS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "style": ("wrapped", ("wrapped", "plain"), "wrapped or plain replies"),
    "result": ("string", ("string", "list", "dict", "path", "url"), "form of `result` and of the file in it"),
    "flavour": ("api", ("api", "gradio"), "gradio: release_task answers only when the job is finished"),
    "models": ("openrouter", ("openrouter", "list"), "form of /v1/models"),
}
TEXTS: dict[str, str] = {
    "fail_match": "jobs whose caption or seed matches this regular expression fail",
    "model": "name that the server gives its model instead of the preview engine's, for tests of the client",
}


@dataclass
class Faults:
    """A parsed specification, the draws made so far and how many faults were injected, by name."""

    spec: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)
    quantities: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)

    def quantity(self, name: str) -> float:
        """Return a quantity, or its default."""
        return self.quantities.get(name, QUANTITIES[name][0])

    def word(self, name: str) -> str:
        """Return a word, or its default."""
        return self.words.get(name, WORDS[name][0])

    def strikes(self, name: str) -> bool:
        """Draw whether a fault happens now, and count it when it does."""
        probability = self.probabilities.get(name, 0.0)
        if probability <= 0:
            return False
        self._asked[name] += 1
        text = f"{self.quantity('seed')}:{name}:{self._asked[name]}"
        draw = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64
        if draw >= probability:
            return False
        self.injected[name] += 1
        return True

    def fails(self, caption: str, seed: object) -> bool:
        """Say whether `fail_match` names this job, and count it when it does."""
        pattern = self.texts.get("fail_match")
        if not pattern or not (re.search(pattern, caption) or re.fullmatch(pattern, str(seed))):
            return False
        self.injected["fail_match"] += 1
        return True


def parse_faults(spec: str) -> Faults:
    """Return the faults that a specification names, e.g. `service_s=2,drop=0.02,stuck=0.01,seed=7`.

    Raises:
        ConfigError: an unknown name or a value that does not fit; names every valid one.
    """
    faults = Faults(spec=spec)
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, equals, value = (text.strip() for text in part.partition("="))
        if name in PROBABILITIES:
            faults.probabilities[name] = _number(name, value if equals else "1", most=1.0)
        elif name in QUANTITIES:
            faults.quantities[name] = _number(name, value if equals else "1", most=float("inf"))
        elif name in WORDS:
            if value not in WORDS[name][1]:
                raise ConfigError(f"fault {name}", value=value, expected=" or ".join(WORDS[name][1]))
            faults.words[name] = value
        elif name in TEXTS:
            faults.texts[name] = _text(name, value)
        else:
            valid = ", ".join([*PROBABILITIES, *QUANTITIES, *WORDS, *TEXTS])
            raise ConfigError("fault", value=name, expected=f"one of {valid}", remedy="write NAME=VALUE,NAME=VALUE")
    return faults


def describe_faults() -> str:
    """Return every fault with its kind, its default and its meaning, one a line."""
    lines = [f"{name}=0..1  {meaning}" for name, meaning in PROBABILITIES.items()]
    lines += [f"{name}=NUMBER  {meaning} (default {default:g})" for name, (default, meaning) in QUANTITIES.items()]
    lines += [f"{name}={'|'.join(choices)}  {meaning}" for name, (_, choices, meaning) in WORDS.items()]
    lines += [f"{name}=TEXT  {meaning}" for name, meaning in TEXTS.items()]
    return "\n".join(lines)


def _number(name: str, value: str, *, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        expected = "a probability from 0 to 1" if most <= 1 else "a number of at least 0"
        raise ConfigError(f"fault {name}", value=value, expected=expected)
    return number


def _text(name: str, value: str) -> str:
    if name == "fail_match":
        try:
            re.compile(value)
        except re.error as error:
            raise ConfigError(
                f"fault {name}", value=value, expected="a regular expression", remedy=str(error)
            ) from error
    return value
