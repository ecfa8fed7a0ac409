"""One container: start, logs, signals, exit, archives, removal."""

from __future__ import annotations

import contextlib
import io
import struct
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, NotFound

from sagedock.engine.plan import ISOLATED, ExitState, LogLine
from sagedock.errors import EngineError

_CHUNK = 1 << 20
_OVERLAP = timedelta(seconds=3)
"""How far back reading is resumed: two streams of one container may be stamped out of order."""

_RETRY_SECONDS = 0.1
_HEADER = struct.Struct(">BxxxL")


class Container:
    """A container the engine has made. Methods raise EngineError where the engine refuses."""

    def __init__(self, client: docker.APIClient, identity: str, name: str) -> None:
        self._client = client
        self.id = identity
        self.name = name

    def inspect(self) -> dict[str, Any]:
        """The engine's document of this container."""
        with _told(f"Container {self.name} can't be inspected"):
            found: dict[str, Any] = self._client.inspect_container(self.id)
        return found

    def is_running(self) -> bool:
        """Whether its process runs now."""
        return bool(self.inspect()["State"]["Running"])

    def was_started(self) -> bool:
        """Whether it was ever started."""
        return bool(self.inspect()["State"]["Status"] != "created")

    def put(self, tar: bytes | Iterable[bytes], path: str = "/") -> None:
        """Unpack a tar archive at `path` in the container, started or not."""
        with _told(f"Files can't be put into {self.name}"):
            self._client.put_archive(self.id, path, tar)

    def start(self) -> None:
        """Start it. An entry point that can't be found or run is told as the engine tells it."""
        with _told(f"Container {self.name} can't be started"):
            self._client.start(self.id)

    def signal(self, name: str) -> None:
        """Send a signal to PID 1; one that ended meanwhile is no error."""
        with contextlib.suppress(APIError):
            self._client.kill(self.id, signal=name)

    def published(self, port: int) -> tuple[str, int]:
        """Address on this machine at which a started container's `port` answers."""
        bindings = self.inspect()["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not bindings:
            raise EngineError(f"Container {self.name} has no port {port}: it has ended.")
        return bindings[0]["HostIp"], int(bindings[0]["HostPort"])

    def address(self, port: int) -> tuple[str, int]:
        """Address at which this machine reaches a started container's `port`: published, or, in
        the isolated network, the container's own."""
        inside = self.inspect()["NetworkSettings"]["Networks"].get(ISOLATED)
        if inside and inside["IPAddress"]:
            return inside["IPAddress"], port
        return self.published(port)

    def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; returns when it has ended."""
        with _told(f"Container {self.name} can't be stopped"):
            self._client.stop(self.id, timeout=int(grace))

    def wait(self) -> ExitState:
        """Wait for the end, however long it takes."""
        while True:
            # The connection's own time-out says nothing about the container.
            with contextlib.suppress(requests.ReadTimeout, requests.ConnectionError):
                code = int(self._client.wait(self.id, timeout=None)["StatusCode"])
                state = self.inspect()["State"]
                return ExitState(exit_code=code, out_of_memory=bool(state.get("OOMKilled")))
            time.sleep(_RETRY_SECONDS)

    def follow(self, seen: Iterable[LogLine] = ()) -> Iterator[LogLine]:
        """Every line of output until the container ends, in the engine's order.

        `seen` are the last lines a caller has already: reading goes on after them. When the
        stream ends, the log is read once more from shortly before its last line, since a
        follower may be cut off before the tail; nothing is lost and nothing comes twice.
        """
        memory = _Memory(seen)
        yield from memory.new(self._lines(follow=True, since=memory.since()))
        while self.is_running():  # the stream broke, the container goes on
            time.sleep(_RETRY_SECONDS)
            yield from memory.new(self._lines(follow=True, since=memory.since()))
        yield from memory.new(self._lines(follow=False, since=memory.since()))

    def _lines(self, *, follow: bool, since: float | None) -> Iterator[LogLine]:
        options: dict[str, Any] = {"since": f"{since:.9f}"} if since else {}
        options |= {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
        # docker-py's own `logs` doesn't tell the two streams apart: long lines would be mixed up.
        address = f"{self._client.base_url}/v{self._client.api_version}"
        try:
            answer = self._client.get(
                f"{address}/containers/{self.id}/logs", params=options, stream=True, timeout=None
            )
            with answer:
                if answer.status_code != requests.codes.ok:
                    raise EngineError(f"Logs of {self.name} can't be read: {answer.text.strip()}")
                yield from _joined(_frames(answer.iter_content(None)), whole_only=follow)
        except (requests.RequestException, urllib3.exceptions.HTTPError):
            return

    @contextlib.contextmanager
    def fetch(self, path: str) -> Iterator[Iterator[bytes] | None]:
        """A tar stream of `path`, its entries below its last name; None where there is no such
        path. Works on a stopped container.

        The engine keeps the container locked until the stream is read or closed, so it is closed
        when the block ends, however it ends.
        """
        response = self._archive(path)
        if response is None:
            yield None
            return
        with contextlib.closing(response):
            yield response.iter_content(_CHUNK)

    def _archive(self, path: str) -> requests.Response | None:
        """docker's own `get_archive` has no way to close what it opened."""
        client = self._client
        url = f"{client.base_url}/v{client.api_version}/containers/{self.id}/archive"
        what = f"{path} can't be taken out of {self.name}"
        try:
            response = client.get(url, params={"path": path}, stream=True, timeout=client.timeout)
        except requests.RequestException as error:
            raise EngineError(f"{what}: {error}") from error
        if response.ok:
            return response
        with contextlib.closing(response):
            if response.status_code == requests.codes.not_found:
                return None
            raise EngineError(f"{what}: {response.text.strip()}")

    def remove(self) -> None:
        """Remove it with its own volumes, running or not; one that is gone is no error."""
        for attempt in range(5):
            try:
                self._client.remove_container(self.id, v=True, force=True)
            except NotFound:
                return
            except APIError as error:
                if "already in progress" in str(error):
                    return
                if attempt == 4:
                    raise EngineError(
                        f"Container {self.name} can't be removed: {error.explanation}",
                        hint=f"Remove it yourself: docker rm -f {self.name}",
                    ) from error
                time.sleep(_RETRY_SECONDS)
            else:
                return


class Reader(io.RawIOBase):
    """A stream of byte chunks as a file, for tarfile."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Memory:
    """The lines of the last seconds, so that a resumed reading gives each line once."""

    def __init__(self, seen: Iterable[LogLine]) -> None:
        self._recent: deque[LogLine] = deque(seen)
        self._latest = max((line.stamp for line in self._recent), default="")

    def since(self) -> float | None:
        if not self._latest:
            return None
        return max(0.0, (_moment(self._latest) - _OVERLAP).timestamp())

    def new(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        known = Counter((line.stamp, line.text) for line in self._recent)
        for line in lines:
            key = (line.stamp, line.text)
            if known.get(key, 0) > 0:
                known[key] -= 1
                continue
            self._remember(line)
            yield line

    def _remember(self, line: LogLine) -> None:
        self._recent.append(line)
        if line.stamp[:19] > self._latest[:19]:  # a new second: forget what is too old to matter
            limit = (_moment(line.stamp) - 2 * _OVERLAP).strftime("%Y-%m-%dT%H:%M:%S")
            while self._recent and self._recent[0].stamp < limit:
                self._recent.popleft()
        self._latest = max(self._latest, line.stamp)


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number of the stream and payload of each frame of the engine's log format. A frame that is
    cut off is left out: it comes again when reading is resumed."""
    rest = b""
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        start, length = 0, len(rest)
        while length - start >= _HEADER.size:
            stream, size = _HEADER.unpack_from(rest, start)
            end = start + _HEADER.size + size
            if end > length:
                break
            yield stream, rest[start + _HEADER.size : end]
            start = end
        rest = rest[start:]


def _joined(frames: Iterable[tuple[int, bytes]], *, whole_only: bool) -> Iterator[LogLine]:
    """Lines from the engine's frames: one frame is one log entry, `<stamp> <text>`, and a line of
    more than 16 KB comes in several, only the last of which ends with a line break; entries of the
    other stream may come in between. A follower may be cut off in a line: `whole_only`."""
    open_lines: dict[int, tuple[str, list[bytes]]] = {}
    for stream, frame in frames:
        moment, _, text = frame.partition(b" ")
        stamp, pieces = open_lines.setdefault(stream, (moment.decode(), []))
        pieces.append(text)
        if text.endswith(b"\n"):
            yield LogLine(stamp=stamp, text=_decoded(pieces))
            del open_lines[stream]
    for stamp, pieces in () if whole_only else open_lines.values():
        yield LogLine(stamp=stamp, text=_decoded(pieces))


def _decoded(pieces: list[bytes]) -> str:
    return b"".join(pieces).decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        reason = error.explanation or str(error)
        hint = "Free some space: docker system df" if "no space left" in str(reason) else ""
        raise EngineError(f"{what}: {reason}", hint=hint) from error
    except requests.RequestException as error:
        raise EngineError(f"{what}: the engine does not answer ({error})") from error
