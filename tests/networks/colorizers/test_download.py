from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ensemble.errors import WeightsError
from ensemble.networks.colorizers import download as module
from ensemble.networks.colorizers.download import download


class Host(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        if self.path == "/gone":
            return self.send_error(404)
        self.send_response(200)
        if self.path != "/sizeless":
            self.send_header("Content-Length", "8" if self.path == "/short" else "5")
        self.end_headers()
        self.wfile.write(b"12345")
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetch(url: str, place: Path) -> None:
    download(url, place, what="the file", remedy="bring it", check=lambda _: None)


@pytest.mark.parametrize("path", ["/whole", "/sizeless"])
def test_a_whole_file_arrives(host: str, path: str, tmp_path: Path) -> None:
    fetch(host + path, tmp_path / "new" / "file")
    assert (tmp_path / "new" / "file").read_bytes() == b"12345"


@pytest.mark.parametrize(("path", "reason"), [("/gone", "404"), ("/short", "5 bytes of 8")])
def test_a_failed_transfer_leaves_nothing(
    host: str, path: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=f"the file cannot be downloaded .*{reason}.*; bring it"):
        fetch(host + path, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_silent_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "answers", lambda _, *, deadline_s: deadline_s > 1)
    with pytest.raises(WeightsError, match=r"http://a.b/c does not answer; bring it"):
        fetch("http://a.b/c", tmp_path / "file")
