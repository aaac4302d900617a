"""Downloads from a loopback server: limits, redirects and addresses that must not be reached."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from dataprep.errors import MediaError
from dataprep.media import fetch
from dataprep.media.fetch import fetch_url, is_public_address

BODY = b"\x89PNG" + bytes(range(256)) * 400


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, "answer_" + self.path.partition("?")[0].strip("/").replace("/", "_"))()

    def log_message(self, *args: object) -> None:
        pass

    def start(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer_image(self) -> None:
        self.start(200, Content_Length=str(len(BODY)))
        self.wfile.write(BODY)

    def answer_unsized(self) -> None:
        self.start(200)
        self.wfile.write(BODY)

    def answer_short(self) -> None:
        self.start(200, Content_Length=str(len(BODY) * 2))
        self.wfile.write(BODY)

    def answer_gone(self) -> None:
        self.start(404, Content_Length="0")

    def answer_nothing(self) -> None:
        self.start(200, Content_Length="0")

    def answer_packed(self) -> None:
        self.start(200, Content_Encoding="gzip")

    def answer_here(self) -> None:
        self.start(302, Location="/image")

    def answer_loop(self) -> None:
        self.start(302, Location="/loop")

    def answer_file(self) -> None:
        self.start(302, Location="file:///etc/passwd")

    def answer_metadata(self) -> None:
        self.start(302, Location="http://169.254.169.254/latest/")

    def answer_trickle(self) -> None:
        self.start(200, Content_Length="1000")
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def answer_slow_header(self) -> None:
        for _ in range(100):
            self.wfile.write(b"H")
            self.wfile.flush()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def reason_of(url: str, *, max_bytes: int = 10**7, timeout_s: float = 5.0, allow_private: bool = True) -> str:
    with pytest.raises(MediaError) as caught:
        fetch_url(url, max_bytes=max_bytes, timeout_s=timeout_s, allow_private=allow_private)
    return caught.value.reason


@pytest.mark.parametrize("path", ["/image", "/unsized", "/here", "/image?q=a b"])
def test_downloads(base: str, path: str) -> None:
    assert fetch_url(base + path, allow_private=True) == BODY


def test_private_addresses_need_permission(base: str) -> None:
    assert reason_of(base + "/image", allow_private=False) == "private-address"
    assert reason_of(base.replace("127.0.0.1", "localhost") + "/image", allow_private=False) == "private-address"


def test_every_redirect_is_checked(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The test server counts as public here, and nothing else on this machine does.
    monkeypatch.setattr(fetch, "is_public_address", lambda address: address == "127.0.0.1")
    assert fetch_url(base + "/here") == BODY
    assert reason_of(base + "/metadata", allow_private=False) == "private-address"


def test_the_checked_address_is_the_one_connected_to(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(base.rpartition(":")[2])
    answers = iter(["127.0.0.1", "10.0.0.1"])  # A second look-up would lead elsewhere.

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert fetch_url(f"http://pictures.example:{port}/image", allow_private=True) == BODY
    assert next(answers) == "10.0.0.1"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/gone", "http-status"),
        ("/nothing", "empty"),
        ("/short", "url-truncated"),
        ("/packed", "url-unreachable"),
        ("/loop", "too-many-redirects"),
        ("/file", "url-invalid"),
    ],
)
def test_bad_answers(base: str, path: str, reason: str) -> None:
    assert reason_of(base + path) == reason


@pytest.mark.parametrize("path", ["/image", "/unsized"])
def test_size_limit(base: str, path: str) -> None:
    assert reason_of(base + path, max_bytes=len(BODY) - 1) == "too-large"
    assert fetch_url(base + path, max_bytes=len(BODY), allow_private=True) == BODY


@pytest.mark.parametrize("path", ["/trickle", "/slow/header"])
def test_time_limit_covers_the_whole_download(base: str, path: str) -> None:
    start = time.monotonic()
    assert reason_of(base + path, timeout_s=0.4) == "url-timeout"
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/a", "http:///a", "http://user:secret@example.com/a", "http://example.com:x/", "http://[::1/a"],
)
def test_invalid_urls(url: str) -> None:
    assert reason_of(url) == "url-invalid"


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert reason_of(f"http://127.0.0.1:{port}/") == "url-unreachable"


def test_https_needs_a_valid_certificate(base: str) -> None:
    assert reason_of(base.replace("http:", "https:") + "/image") == "url-unreachable"


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, is_public: bool) -> None:
    assert is_public_address(address) is is_public
