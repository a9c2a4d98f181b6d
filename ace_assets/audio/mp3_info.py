"""The Info header of an MP3: the first frame, silent, that tells a decoder how many frames to drop at both ends.

Layout: the Xing header (flags, frames, bytes, table of contents, quality) followed by LAME's extension (encoder,
delays, lengths, checksums), as LAME 3.100 writes it and mpg123 and ffmpeg read it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled
from ace_assets.errors import AudioError

ENCODER_DELAY_FRAMES = 576  # LAME's, in samples before the first of the input
_MPEG1_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # ISO 11172-3, layer III
_MPEG2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # ISO 13818-3, layer III
_MPEG1_RATES_HZ = (44_100, 48_000, 32_000)
_VERSIONS = {3: 1, 2: 2, 0: 4}  # header bits -> divisor of MPEG-1's sample rates
_FLAGS = 0x0F  # frames, bytes, table of contents and quality are all present
_TAG_BYTES = 156  # from "Info" to the tag's checksum
_METHOD_CBR = 1


@dataclass(frozen=True)
class FrameHeader:
    """What the four bytes of a frame say that its length depends on."""

    divisor: int
    bitrate_kbps: int
    sample_rate_hz: int
    padded: bool
    mono: bool

    @property
    def samples(self) -> int:
        """Return how many samples a frame holds per channel."""
        return 1152 if self.divisor == 1 else 576

    @property
    def bytes(self) -> int:
        """Return the frame's length."""
        return self.samples // 8 * self.bitrate_kbps * 1000 // self.sample_rate_hz + self.padded

    @property
    def side_info_bytes(self) -> int:
        """Return the length of what stands between header and main data."""
        if self.divisor == 1:
            return 17 if self.mono else 32
        return 9 if self.mono else 17


def bitrates_kbps(sample_rate_hz: int) -> tuple[int, ...]:
    """Return the constant bit rates of MP3 at a sample rate; MPEG-2.5's upper ones are rarely decoded and left out.

    >>> bitrates_kbps(48000)[-1], bitrates_kbps(22050)[-1], bitrates_kbps(8000)[-1]
    (320, 160, 64)
    """
    if sample_rate_hz in _MPEG1_RATES_HZ:
        return _MPEG1_KBPS
    return _MPEG2_KBPS if sample_rate_hz >= 16_000 else _MPEG2_KBPS[:8]


def parse_header(head: bytes | bytearray) -> FrameHeader:
    """Return what four bytes say.

    Raises:
        AudioError: if they do not start a layer III frame.
    """
    word = int.from_bytes(head[:4], "big")
    version, layer, rate, bitrate = word >> 19 & 3, word >> 17 & 3, word >> 10 & 3, word >> 12 & 15
    if word >> 21 != 0x7FF or layer != 1 or version not in _VERSIONS or rate == 3 or not 0 < bitrate < 15:
        raise AudioError(
            "MP3 frame header", value=bytes(head[:4]).hex(), expected="a layer III frame", remedy="encode again"
        )
    divisor = _VERSIONS[version]
    table = _MPEG1_KBPS if divisor == 1 else _MPEG2_KBPS
    return FrameHeader(
        divisor=divisor,
        bitrate_kbps=table[bitrate - 1],
        sample_rate_hz=_MPEG1_RATES_HZ[rate] // divisor,
        padded=bool(word >> 9 & 1),
        mono=word >> 6 & 3 == 3,
    )


class StreamSums:
    """What the Info header says of a bare stream, gathered as an encoder hands the stream out; none of it is kept."""

    def __init__(self) -> None:
        self.head = b""  # the first frame's header
        self.bytes = 0
        self.crc = 0
        self._frames = 0
        self._next_frame = 0  # where in the stream the next header stands
        self._unread = b""  # the beginning of a header that a piece ended in
        self._lengths: dict[bytes, int] = {}  # a stream of one bit rate has a handful of different headers

    def add(self, piece: bytes | bytearray) -> None:
        """Take the next bytes of the stream.

        Raises:
            AudioError: if no frame begins where the one before ends.
        """
        start = self.bytes - len(self._unread)
        seen = self._unread + piece
        position = self._next_frame - start
        while position + 4 <= len(seen):
            head = bytes(seen[position : position + 4])
            if head not in self._lengths:
                self._lengths[head] = parse_header(head).bytes
            self.head = self.head or head
            position += self._lengths[head]
            self._frames += 1
        self._next_frame = start + position
        self._unread = bytes(seen[position:])
        self.crc = _crc16(np.frombuffer(piece, np.uint8), _CRC_TABLES, self.crc)
        self.bytes += len(piece)

    def frames(self) -> int:
        """Return the number of frames.

        Raises:
            AudioError: if the stream does not end with a whole frame.
        """
        if self._next_frame != self.bytes:
            raise AudioError(
                "MP3 stream", value=f"{self.bytes} bytes", expected=f"{self._next_frame}", remedy="encode again"
            )
        return self._frames


def count_frames(stream: bytes | bytearray) -> int:
    """Return the number of frames of a bare stream.

    Raises:
        AudioError: if it is not a gapless row of layer III frames.
    """
    sums = StreamSums()
    sums.add(stream)
    return sums.frames()


def info_frame_bytes(head: bytes) -> int:
    """Return how much room the Info header of a stream needs whose first frame begins with `head`."""
    return _roomy_header(head, parse_header(head))[1].bytes


def info_frame(sums: StreamSums, frames: int) -> bytes:
    """Return the frame to put before a bare constant-bit-rate stream so that it decodes to exactly `frames` samples.

    Raises:
        AudioError: if the stream is too short or too long for that.
    """
    count = sums.frames()
    first = parse_header(sums.head)
    padding = count * first.samples - ENCODER_DELAY_FRAMES - frames
    if not 0 <= padding < 4096:
        raise AudioError("MP3 padding in samples", value=padding, expected="0 to 4095", remedy="encode again")
    head, layout = _roomy_header(sums.head, first)
    frame = bytearray(layout.bytes)
    frame[:4] = head
    tag = 4 + layout.side_info_bytes
    total = sums.bytes + len(frame)
    frame[tag : tag + 16] = b"Info" + struct.pack(">III", _FLAGS, count, total)
    frame[tag + 16 : tag + 116] = bytes(percent * 256 // 100 for percent in range(100))
    extension = tag + 120
    frame[extension : extension + 9] = b"LAME3.100"
    frame[extension + 9] = _METHOD_CBR
    frame[extension + 20] = min(first.bitrate_kbps, 255)
    frame[extension + 21 : extension + 24] = (ENCODER_DELAY_FRAMES << 12 | padding).to_bytes(3, "big")
    frame[extension + 28 : extension + 32] = struct.pack(">I", total)
    frame[extension + 32 : extension + 34] = struct.pack(">H", sums.crc)
    head_crc = _crc16(np.frombuffer(bytes(frame[: extension + 34]), np.uint8), _CRC_TABLES, 0)
    frame[extension + 34 : extension + 36] = struct.pack(">H", head_crc)
    return bytes(frame)


def _roomy_header(head: bytes | bytearray, first: FrameHeader) -> tuple[bytes, FrameHeader]:
    """Return the stream's header without padding, at the lowest bit rate from its own up whose frame holds the tag."""
    word = int.from_bytes(head[:4], "big") | 1 << 16
    word &= ~(1 << 9) & ~(3 << 4)
    for bitrate in range(word >> 12 & 15, 15):
        candidate = (word & ~(15 << 12) | bitrate << 12).to_bytes(4, "big")
        layout = parse_header(candidate)
        if layout.bytes >= 4 + layout.side_info_bytes + _TAG_BYTES:
            return candidate, layout
    raise AudioError(
        "MP3 bit rate in kb/s", value=first.bitrate_kbps, expected="a frame that holds a header", remedy="raise it"
    )


def _crc_tables() -> NDArray[np.int64]:
    """Return the tables, (8, 256), of CRC-16 with the reflected polynomial 0xA001, the checksum of LAME's tag.

    Row k holds what a byte does to the checksum when k further bytes follow it.
    """
    table = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ 0xA001, table >> 1).astype(np.uint16)
    tables = [table]
    for _ in range(7):
        tables.append(tables[-1] >> 8 ^ table[tables[-1] & 0xFF])
    return np.array(tables, np.int64)


_CRC_TABLES = _crc_tables()


@compiled
def _crc16(data: NDArray[np.uint8], tables: NDArray[np.int64], before: int) -> int:
    crc = before
    whole = data.size - data.size % 8
    for i in range(0, whole, 8):  # eight bytes at a time: their look-ups do not wait for each other
        low = (crc ^ np.int64(data[i])) & 0xFF
        high = (crc >> 8) ^ np.int64(data[i + 1])
        crc = tables[7, low] ^ tables[6, high]
        for j in range(2, 8):
            crc ^= tables[7 - j, data[i + j]]
    for i in range(whole, data.size):
        crc = (crc >> 8) ^ tables[0, (crc ^ np.int64(data[i])) & 0xFF]
    return crc
