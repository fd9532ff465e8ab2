"""A whole service with a cloud behind it, and the ways to run a foreign client against it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import installation
from tests.e2e.service import MANAGE, PASSWORD, USER, Service
from tests.live.ec2 import Cast
from tests.live.endpoints import client_of, moto

#: Where `make test-clients` puts what the clients need.
INSTALLED = MANAGE.parent / "var" / "clients" / "python" / "bin"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Site:
    """What a client is told: where the service is, and where a cloud."""

    service: Service
    cloud_url: str
    api: Any

    def run(self, *command: str | Path, seconds: int = 120, **variables: str) -> str:
        """What a client says, once it has ended well; it knows of the site by its environment."""
        environment = {
            "PATH": f"{INSTALLED}:{os.environ['PATH']}",
            "HOME": str(self.service.folder),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "API_URL": self.service.url,
            "API_USER": USER,
            "API_PASSWORD": PASSWORD,
            "CLOUD_URL": self.cloud_url,
            **variables,
        }
        ended = subprocess.run(
            [str(word) for word in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A started service with the provider `cloud`, which has the instances `front` and `back`, both in `web`."""
    with moto() as cloud_url, installation(tmp_path_factory.mktemp("site")) as service:
        api = client_of(cloud_url)
        cast = Cast(api)
        for name in ("front", "back"):
            cast.instance(cast.web, name=name)
        for name in ("mail", "cache"):
            cast.group(name)
        service.start()
        body = {
            "name": "cloud",
            "type": "amazon",
            "url": cloud_url,
            "provider_region": "us-east-1",
            "credentials": {"userid": "AKIDTEST", "password": "secret"},
        }
        [provider] = service.post("/api/providers", body)["results"]
        refresh = service.post(f"/api/providers/{provider['id']}", {"action": "refresh"})
        assert service.task(refresh["task_id"])["status"] == "Ok"
        yield Site(service, cloud_url, api)
