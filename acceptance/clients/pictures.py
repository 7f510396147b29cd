"""Pictures and films made here, each unlike the others."""

import struct
import subprocess
import uuid
import zlib
from pathlib import Path


def png(width: int = 40, height: int = 30) -> bytes:
    """A PNG of one colour that no other has."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + uuid.uuid4().bytes[:3] * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def film(path: Path, seconds: int, size: str) -> Path:
    """A film in a format that has to be converted."""
    source = f"testsrc2=size={size}:rate=30:duration={seconds}"
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-q:v", "6", path]
    subprocess.run(command, check=True)
    return path
