"""Download one media file over http or https, within limits and never from inside the network.

The address that is checked is the address that is connected to: names are looked up here, unsuitable addresses are
dropped, and the connection goes to one of the others by number, so that a name which changes its address between two
look-ups gains nothing. Every redirect passes the same checks. Proxies and credentials are not used. One time limit
covers connecting, all redirects and the body; only the name look-up itself obeys the resolver's own limit.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from dataprep.errors import MediaError

MAX_REDIRECTS = 5
_CHUNK_BYTES = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Prefix under which gateways reach IPv4 addresses. Source: RFC 6052, section 2.1.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str


def fetch_url(url: str, *, max_bytes: int = 50_000_000, timeout_s: float = 30.0, allow_private: bool = False) -> bytes:
    """Download a file.

    Args:
        url: An http or https URL without user name or password.
        max_bytes: Largest body that is accepted.
        timeout_s: Time for the whole download, redirects included, in seconds.
        allow_private: Accept private, loopback, link-local and reserved addresses.

    Raises:
        MediaError: With reason ``url-invalid``, ``private-address``, ``url-unreachable``, ``url-timeout``,
            ``http-status``, ``too-many-redirects``, ``url-truncated``, ``empty`` or ``too-large``.
    """
    deadline = time.monotonic() + timeout_s
    current = url
    for _ in range(MAX_REDIRECTS + 1):
        target = _parse(url, current)
        try:
            with _connect(url, target, deadline, allow_private) as connection:
                outcome = _request(url, connection, target, deadline, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _network_error(url, error, deadline, timeout_s) from error
        if isinstance(outcome, bytes):
            return outcome
        current = urllib.parse.urljoin(current, outcome)
    raise MediaError(url, "too-many-redirects", f"was redirected more than {MAX_REDIRECTS} times")


def _parse(url: str, current: str) -> _Target:
    """Split a URL into what is needed to ask for it; ``url`` is what the row says, for messages."""
    try:
        parts = urllib.parse.urlsplit(current)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise MediaError(url, "url-invalid", f"is not a valid URL: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise MediaError(url, "url-invalid", f"leads to {current[:80]!r}; only http and https URLs are read")
    if parts.username is not None or parts.password is not None:
        raise MediaError(url, "url-invalid", "contains a user name or password; remove it")
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return _Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], f"{path}?{query}" if query else path)


def is_public_address(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, also when it wraps an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(str(inner))
    return ip.is_global and not ip.is_multicast


@contextlib.contextmanager
def _connect(url: str, target: _Target, deadline: float, allow_private: bool) -> Iterator[http.client.HTTPConnection]:
    """Connect to a checked address; a timer cuts the line at the deadline, however slowly bytes trickle."""
    plain = _open_socket(url, target, deadline, allow_private)
    timer = threading.Timer(max(deadline - time.monotonic(), 0.0), _shut_down, [plain])
    timer.daemon = True
    timer.start()
    line: socket.socket = plain
    try:
        if target.scheme == "https":
            line = ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = line
        yield connection
    finally:
        timer.cancel()
        line.close()
        plain.close()


def _open_socket(url: str, target: _Target, deadline: float, allow_private: bool) -> socket.socket:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    suitable = [entry for entry in found if allow_private or is_public_address(str(entry[4][0]))]
    if not suitable:
        addresses = ", ".join(sorted({str(entry[4][0]) for entry in found}))
        detail = f"leads to {target.host} ({addresses}), which is not a public address; use --allow-private-urls for it"
        raise MediaError(url, "private-address", detail)
    failure: OSError = OSError(f"no address of {target.host} answers")
    for family, kind, protocol, _, address in suitable:
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(max(deadline - time.monotonic(), 0.001))
            line.connect(address)
        except OSError as error:
            line.close()
            failure = error
        else:
            return line
    raise failure


def _shut_down(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _request(
    url: str, connection: http.client.HTTPConnection, target: _Target, deadline: float, max_bytes: int
) -> bytes | str:
    """Return the body, or the address that the server redirects to."""
    headers = {"Accept": "image/*, video/*, */*;q=0.5", "Accept-Encoding": "identity", "Connection": "close"}
    connection.request("GET", target.path, headers=headers)
    with connection.getresponse() as response:
        if response.status in _REDIRECTS and (location := response.getheader("Location")):
            return location
        if response.status != 200:
            raise MediaError(url, "http-status", f"answers {response.status} {response.reason}")
        if (encoding := response.getheader("Content-Encoding", "identity")) != "identity":
            raise MediaError(url, "url-unreachable", f"answers in the encoding {encoding!r}, which was not asked for")
        return _read_body(url, response, deadline, max_bytes)


def _read_body(url: str, response: http.client.HTTPResponse, deadline: float, max_bytes: int) -> bytes:
    declared = response.length
    body = bytearray()
    while declared is None or declared <= max_bytes:
        if time.monotonic() > deadline:
            raise TimeoutError
        piece = response.read1(_CHUNK_BYTES)
        if not piece:
            break
        body += piece
        if len(body) > max_bytes:
            break
    if max(len(body), declared or 0) > max_bytes:
        raise MediaError(url, "too-large", f"is larger than the limit of {max_bytes:,} bytes")
    if time.monotonic() > deadline:
        raise TimeoutError
    if declared is not None and len(body) < declared:
        raise MediaError(url, "url-truncated", f"broke off after {len(body):,} of {declared:,} bytes")
    if not body:
        raise MediaError(url, "empty", "answers with an empty body")
    return bytes(body)


def _network_error(url: str, error: Exception, deadline: float, timeout_s: float) -> MediaError:
    if isinstance(error, TimeoutError) or time.monotonic() > deadline:
        return MediaError(url, "url-timeout", f"was not downloaded within {timeout_s:g} s")
    return MediaError(url, "url-unreachable", f"cannot be downloaded: {error or type(error).__name__}")
