"""What mastering costs beside the bare codecs and beside other tools: ratios of one run, no verdict.

    python -m tests.bench.bench_mastering [--quick]

Every line is measured on the same takes, which the preview engine renders; the best of a few rounds counts, as wall time
and as CPU time of the process and its children. Wall time is what one track waits for; CPU time is what a machine pays that
masters on all its cores. The bare codecs run one after the other; the whole path encodes MP3 beside FLAC, so its wall time
is also shown against the bare codecs run side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lameenc
import numpy as np
import soundfile

from ace_assets.audio import codecs, dither
from ace_assets.audio.codecs import Audio
from ace_assets.audio.loudness import BlockStatistics, block_statistics, measure
from ace_assets.audio.tags import TrackTags, disclosed
from ace_assets.mastering import master
from ace_assets.preview.render import render
from ace_assets.preview.request import MusicRequest
from ace_assets.scoring.analysis import analyze

TAGS = disclosed(TrackTags(title="Bench", artist="House", bpm=122, key="A minor"), model="preview")
Cost = tuple[float, float]


def take(path: Path, *, seed: int, duration_s: float) -> Path:
    """Write one rendered take as 16-bit WAV."""
    audio = render(MusicRequest("deep house, warm, electric piano", bpm=122, duration_s=duration_s, seed=seed))
    codecs.write_wav(path, dither.to_pcm16(audio.samples, seed=seed), audio.sample_rate_hz)
    return path


def cost(work: Callable[[], object], rounds: int) -> Cost:
    """Return the best (wall seconds, CPU seconds) of some rounds, after one to warm up."""
    work()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(sum(os.times()[:4]) - cpu)
    return min(walls), min(cpus)


def show(name: str, found: Cost, base: Cost | None = None, note: str = "") -> None:
    ratio = f"  x {found[0] / base[0]:5.2f} wall  x {found[1] / base[1]:5.2f} CPU" if base else ""
    print(f"{name:58s} {found[0]:7.2f} s wall {found[1]:7.2f} s CPU{ratio}  {note}", flush=True)


def bare_mp3(pcm: np.ndarray, rate_hz: int, path: Path) -> None:
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(rate_hz)
    encoder.set_channels(pcm.shape[1])
    encoder.set_bit_rate(320)
    encoder.set_quality(5)
    encoder.silence()
    path.write_bytes(encoder.encode(pcm.tobytes()) + encoder.flush())
    soundfile.read(path, dtype="float32")


def bare_flac(pcm: np.ndarray, rate_hz: int, path: Path) -> None:
    soundfile.write(path, pcm, rate_hz, subtype="PCM_16", compression_level=0.5)
    soundfile.read(path, dtype="float32")


def bare(source: Path, folder: Path, *, beside: bool = False) -> None:
    """The same encodes and decodes with nothing around them: MP3 320 quality 5, FLAC 0.5, both decoded again."""
    pcm, rate_hz = soundfile.read(source, dtype="int16")
    jobs = [(bare_mp3, folder / "bare.mp3"), (bare_flac, folder / "bare.flac")]
    with ThreadPoolExecutor(2 if beside else 1) as threads:
        for job in [threads.submit(work, pcm, rate_hz, path) for work, path in jobs]:
            job.result()


def kept(audio: Audio, folder: Path, statistics: BlockStatistics | None = None, *, overwrite: bool = False) -> object:
    outputs = {"flac": folder / "ours.flac", "mp3": folder / "ours.mp3"}
    return master(audio, outputs, tags=TAGS, statistics=statistics, overwrite=overwrite)


def whole(source: Path, folder: Path) -> None:
    """Decode, score, limit, FLAC and MP3, decode both again, verify, tags; the take is measured once for all."""
    audio = codecs.decode(source)
    statistics = block_statistics(audio.samples, audio.sample_rate_hz)
    analyze(
        audio,
        requested_bpm=122,
        requested_key="A minor",
        requested_duration_s=audio.duration_s,
        statistics=statistics,
    )
    kept(audio, folder, statistics, overwrite=True)


def best_of(sources: list[Path], folder: Path) -> None:
    """Score every take, master the best."""
    scores = []
    for source in sources:
        analysis = analyze(codecs.decode(source), requested_bpm=122, requested_key="A minor")
        scores.append(analysis.signal_score or 0.0)
    kept(codecs.decode(sources[int(np.argmax(scores))]), folder, overwrite=True)


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stderr


def loudnorm(source: Path, folder: Path) -> None:
    """What is usually recommended: loudnorm in two passes, LAME, loudgain; nothing is scored or verified."""
    options = "loudnorm=I=-16:TP=-1:LRA=11"
    report = run("ffmpeg", "-hide_banner", "-i", source, "-af", f"{options}:print_format=json", "-f", "null", "-")
    found = json.loads(report[report.rindex("{") : report.rindex("}") + 1])
    second = ":".join(
        f"measured_{name}={found[f'input_{key}']}"
        for name, key in (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh"))
    )
    chain = f"{options}:{second}:offset={found['target_offset']}:linear=true"
    for name in ("norm.flac", "norm.mp3"):
        bitrate = ["-b:a", "320k"] if name.endswith("mp3") else []
        run("ffmpeg", "-y", "-hide_banner", "-i", source, "-af", chain, "-ar", "48000", *bitrate, folder / name)
    if shutil.which("loudgain"):
        for name in ("norm.flac", "norm.mp3"):
            run("loudgain", "-s", "e", folder / name)


def alimiter(source: Path, folder: Path) -> None:
    """The quick way: ebur128, gain and alimiter, both outputs from one decode; nothing is scored or verified."""
    report = run("ffmpeg", "-hide_banner", "-nostats", "-i", source, "-af", "ebur128", "-f", "null", "-")
    loudness = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", report)[-1])
    chain = f"volume={-16.0 - loudness}dB,alimiter=limit=0.87:level=0,asplit[a][b]"
    run("ffmpeg", "-y", "-hide_banner", "-i", source, "-filter_complex", chain, "-map", "[a]", folder / "quick.flac",
        "-map", "[b]", "-b:a", "320k", folder / "quick.mp3")  # fmt: skip


def python_stack(source: Path, folder: Path) -> None:
    """pyloudnorm, librosa and soundfile, as tutorials combine them."""
    import librosa
    import pyloudnorm

    samples, rate_hz = soundfile.read(source)
    meter = pyloudnorm.Meter(rate_hz)
    loudness = meter.integrated_loudness(samples)
    librosa.beat.beat_track(y=samples.mean(axis=1), sr=rate_hz)
    librosa.feature.chroma_cqt(y=samples.mean(axis=1), sr=rate_hz)
    changed = np.clip(pyloudnorm.normalize.loudness(samples, loudness, -16.0), -0.89, 0.89)
    for name in ("stack.flac", "stack.mp3"):
        soundfile.write(folder / name, changed, rate_hz)


def peak_memory_mb(source: Path, folder: Path) -> float:
    """Return the highest resident memory of a process that scores and masters one take.

    From VmHWM: the kernel hands ru_maxrss of a parent on to its child.
    """
    code = (
        "import sys, pathlib; from tests.bench.bench_mastering import whole;"
        "whole(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]));"
        "status = pathlib.Path('/proc/self/status').read_text();"
        "print(int(status[status.index('VmHWM:') + 6:].split()[0]) / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, source, folder], capture_output=True, text=True, check=True, timeout=600
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60-s takes, one round, 120 s for memory")
    quick = parser.parse_args().quick
    duration_s, rounds = (60.0, 1) if quick else (180.0, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [take(folder / f"take{seed}.wav", seed=seed, duration_s=duration_s) for seed in range(4)]
        source, audio = sources[0], codecs.decode(sources[0])
        print(f"one take of {duration_s:.0f} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        meter = cost(lambda: measure(audio.samples, audio.sample_rate_hz), rounds)
        show("meter with true peak", meter, note=f"{duration_s / meter[1]:.0f} x realtime")
        scored = cost(lambda: analyze(audio, requested_bpm=122, requested_key="A minor"), rounds)
        show("scoring", scored, meter, f"{duration_s / scored[1]:.0f} x realtime (budgets x 4.5 of the meter, 450)")
        base = cost(lambda: bare(source, folder), rounds)
        show("bare codecs, one after the other", base)
        beside = cost(lambda: bare(source, folder, beside=True), rounds)
        show("bare codecs, side by side", beside)
        ours = cost(lambda: whole(source, folder), rounds)
        show("whole path / bare codecs (budget 1.25)", ours, base)
        show("whole path / bare codecs side by side", ours, beside)
        show("mastering alone / bare codecs", cost(lambda: kept(audio, folder), rounds), base)
        show("best of 4 / whole path (budget 1.6)", cost(lambda: best_of(sources, folder), rounds), ours)
        if shutil.which("ffmpeg"):
            note = "" if shutil.which("loudgain") else "without loudgain, which is not installed"
            show(
                "loudnorm two-pass + LAME + loudgain / ours (budget 4)",
                cost(lambda: loudnorm(source, folder), 1),
                ours,
                note,
            )
            show("ebur128 + alimiter / ours (budget 1.2)", cost(lambda: alimiter(source, folder), rounds), ours)
        else:
            print("ffmpeg is not installed: nothing to compare loudnorm and alimiter with")
        try:
            show("pyloudnorm + librosa + soundfile / ours", cost(lambda: python_stack(source, folder), 1), ours)
        except ImportError as error:
            print(f"the Python stack is not installed: {error}")
        long_s = 120.0 if quick else 600.0
        long = take(folder / "long.wav", seed=5, duration_s=long_s)
        print(f"memory of scoring and mastering {long_s:.0f} s: {peak_memory_mb(long, folder):.0f} MB (budget 600)")


if __name__ == "__main__":
    main()
