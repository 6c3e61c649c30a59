"""A stand-in for the servers that hold the game and the maps: archives like theirs, on a loopback address."""

import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

PASSWORD = b"iagreetotheeula"


@dataclass
class ArchiveServer:
    """What the server holds, what it was asked, and how it misbehaves."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut_after: int | None = None  # bytes of the next answer after which the connection ends
    stall: Event | None = None  # instead of ending it, keep the cut connection open until this is set
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range

    def downloads(self) -> list[tuple[str, str | None]]:
        return [(path, wanted) for method, path, wanted in self.asked if method == "GET"]


@contextmanager
def serve() -> Iterator[ArchiveServer]:
    """An HTTP server with ranges, on a free port of 127.0.0.1, for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            wanted = self.headers["Range"]
            server.asked.append((self.command, self.path, wanted))
            body = server.files.get(self.path)
            if body is None:
                return self.send_error(404)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if with_body:
                self._send(body[start:])
            return None

        def _send(self, body: bytes) -> None:
            if server.cut_after is None:
                self.wfile.write(body)
                return
            self.wfile.write(body[: server.cut_after])
            self.wfile.flush()
            server.cut_after = None
            self.close_connection = True
            if server.stall is not None:
                server.stall.wait(30)

        def log_message(self, *_) -> None:
            pass

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ArchiveServer(address=f"http://127.0.0.1:{http_server.server_port}")
    thread = Thread(target=http_server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.stall is not None:
            server.stall.set()
        http_server.shutdown()
        http_server.server_close()
        thread.join()


def tar_gz(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def encrypted_zip(files: dict[str, bytes]) -> bytes:
    """A zip as Blizzard's: every file under the traditional encryption (PKWARE APPNOTE 6.1), with its run bit set."""
    body, directory = b"", b""
    for name, content in files.items():
        crc = zlib.crc32(content)
        data = _encrypt(bytes(11) + bytes([crc >> 24]) + content)
        fields = struct.pack("<HHHHHIIIHH", 20, 1, 0, 0, 0x21, crc, len(data), len(content), len(name), 0)
        tail = struct.pack("<HHHII", 0, 0, 0, 0o100755 << 16, len(body))
        directory += b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + fields + tail + name.encode()
        body += b"PK\3\4" + fields + name.encode() + data
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def _encrypt(plain: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = _crc_of_byte(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc_of_byte(keys[2], keys[1] >> 24)

    for byte in PASSWORD:
        update(byte)
    cipher = bytearray()
    for byte in plain:
        mask = keys[2] | 2
        cipher.append(byte ^ ((mask * (mask ^ 1)) >> 8 & 0xFF))
        update(byte)
    return bytes(cipher)


def _crc_of_byte(crc: int, byte: int) -> int:
    """One step of CRC-32 without the inversions at its ends, which zlib adds."""
    return zlib.crc32(bytes([byte]), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
