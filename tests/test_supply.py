"""What `make lint` and `make sbom` say of the packages that Portcullis is built on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.test_requirements import ROOT, locked

pytestmark = pytest.mark.walk

#: Two packages, as a lock has them; nobody fetches them.
LOCK = f"asgiref==3.13.0 --hash=sha256:{'0' * 64}\ntqdm==4.70.1 --hash=sha256:{'1' * 64}\n"


def advisory(package: str) -> dict[str, Any]:
    affected = [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": []}]
    return {"vulns": [{"id": f"OSV-{package}", "summary": "Bad.", "affected": affected}]}


@contextmanager
def source(*vulnerable: str, body: bytes | None = None) -> Iterator[str]:
    """The address of a source of advisories that knows of these packages, or says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            answer = json.dumps(advisory(package) if package in vulnerable else {}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer if body is None else body)

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audited(url: str, folder: Path, lock: str = LOCK) -> subprocess.CompletedProcess[str]:
    (folder / "lock.txt").write_text(lock)
    command = [sys.executable, ROOT / ".ci" / "audit.py", folder / "lock.txt"]
    return subprocess.run(command, env={**os.environ, "OSV_URL": url}, capture_output=True, text=True)


def test_a_known_vulnerability_fails(tmp_path: Path) -> None:
    with source("django", "tqdm") as url:
        audit = audited(url, tmp_path)
    assert audit.returncode == 1
    assert "OSV-tqdm" in audit.stdout
    assert "asgiref" not in audit.stdout


def test_without_one_it_passes(tmp_path: Path) -> None:
    with source("django") as url:
        audit = audited(url, tmp_path)
    assert (audit.returncode, "No known vulnerabilities" in audit.stderr) == (0, True)


def test_a_lock_without_hashes_is_no_lock(tmp_path: Path) -> None:
    with source("django") as url:
        assert audited(url, tmp_path, "tqdm==4.70.1\n").returncode == 1


@pytest.mark.parametrize("body", [b"{}", b"<html>Log in to this network</html>", b"[]"])
def test_what_knows_no_advisory_is_no_source(tmp_path: Path, body: bytes) -> None:
    with source("tqdm", body=body) as url:
        audit = audited(url, tmp_path)
    assert (audit.returncode, audit.stdout) == (0, "")
    assert "No advisory source is reachable" in audit.stderr
    assert "is not audited" in audit.stderr


def test_nobody_at_the_address_is_said_too(tmp_path: Path) -> None:
    audit = audited("http://127.0.0.1:1/v1/query", tmp_path)
    assert (audit.returncode, "is not audited" in audit.stderr) == (0, True)


def test_the_sbom_lists_what_is_locked_and_is_reproducible(tmp_path: Path) -> None:
    """The command refuses a document that CycloneDX's schema doesn't."""
    document = tmp_path / "sbom.json"
    make = ["make", "-o", "setup", f"VENV={Path(sys.executable).parent}", f"SBOM={document}", "sbom"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    sbom = json.loads(document.read_text())
    components = {component["name"]: f"=={component['version']}" for component in sbom["components"]}
    assert sbom["metadata"]["component"]["name"] == "portcullis"
    assert components == {name: str(entry.specifier) for name, entry in locked("requirements.txt").items()}
    assert all(component["externalReferences"][0]["hashes"] for component in sbom["components"])
    assert {"serialNumber", "timestamp"}.isdisjoint({*sbom, *sbom["metadata"]})
