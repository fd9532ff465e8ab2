"""A cloud is sent the credentials of its provider, and no others that a library might find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inventory.drivers.ec2 import client as ec2
from inventory.drivers.exceptions import CloudError
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from tests.inventory.drivers.test_answers import Always
from tests.inventory.drivers.test_pools import names as names  # a fixture
from tests.live.faults import Answer, running
from tests.live.openstack_fake import FakeOpenStack


class TestOfTheMachine:
    def test_the_metadata_service_of_aws_is_never_asked(self, tmp_path: Path) -> None:
        """Whatever the environment says: for credentials, for the region, or for what is best in it."""
        (tmp_path / "config").write_text(
            "[default]\ndefaults_mode = auto\ncredential_source = Ec2InstanceMetadata\n"
        )
        script = (
            "from inventory.drivers.base import Connection; from inventory.drivers.ec2 import client;"
            "from inventory.drivers.exceptions import CloudError;"
            "client.connect(Connection(userid='AKIDTEST', password='secret'));"
            "assert client._session().get_credentials() is None;"
            "assert client._session().client('ec2', region_name='us-east-1')._request_signer._credentials is None"
        )
        with running(Always(Answer(200, b"us-east-1a"))) as metadata:
            hostile = {
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": metadata.url,
                "AWS_DEFAULTS_MODE": "auto",
                "AWS_CONFIG_FILE": str(tmp_path / "config"),
                "AWS_ACCESS_KEY_ID": "AKIDENVIRONMENT",
                "AWS_SECRET_ACCESS_KEY": "other",
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
            }
            done = subprocess.run([sys.executable, "-c", script], env=hostile, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert metadata.bodies == []

    def test_no_variable_of_the_environment_is_read(self) -> None:
        variables = ec2._session()._session.session_var_map
        assert {name for name, (_, environment, *_) in variables.items() if environment} == set()
        assert {name for name, (configuration, *_) in variables.items() if configuration} == set()

    def test_the_passwords_of_netrc_are_not_sent(
        self, names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine keystone.test login operator password of-the-machine\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        names["keystone.test"] = ["127.0.0.1"]
        with running(Always(Answer(200, b"{}"))) as server:
            url = server.url.replace("127.0.0.1", "keystone.test")
            with pytest.raises(CloudError):
                OpenStackDriver(Connection(url=url, userid="who", password="secret")).inventory()
        assert server.bodies
        assert not [body for body in server.bodies if b"Basic" in body]


class Sharing(FakeOpenStack):
    """Its catalog has somebody's password."""

    def _token(self) -> dict[str, Any]:
        token: dict[str, Any] = json.loads(json.dumps(super()._token()).replace("//", "//who:hush@"))
        return token


def test_a_password_in_a_catalog_is_not_sent() -> None:
    with running(Sharing()) as cloud:
        assert cloud.driver().inventory().ports
    assert cloud.calls
    assert not [call for call in cloud.calls if "Authorization" in call.headers]
