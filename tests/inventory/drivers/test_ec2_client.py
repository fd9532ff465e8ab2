"""How the EC2 driver connects: to what, as whom, trusting whom, and with nothing of the machine's environment."""

from __future__ import annotations

import gc
import ssl
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.ec2.client import connect
from inventory.drivers.exceptions import CloudRefused, CredentialsRefused
from inventory.drivers.values import Connection
from tests.live.faults import FaultProxy, fault_proxy
from tests.live.tls import self_signed


def connection(url: str | None = None, **fields: Any) -> Connection:
    return Connection(**{"url": url, "userid": "AKIDTEST", "password": "secret", **fields})


class TestLoading:
    def test_boto3_is_not_loaded_before_the_first_call(self) -> None:
        script = (
            "import sys; from inventory.drivers.base import Connection;"
            "from inventory.drivers.ec2 import Ec2Driver;"
            "Ec2Driver(Connection()); sys.exit(any(name.startswith('boto') for name in sys.modules))"
        )
        subprocess.run([sys.executable, "-c", script], check=True)


class TestMakingAClient:
    def test_without_a_url_it_is_the_regions_own_endpoint(self) -> None:
        client = connect(connection(region="eu-west-1"))
        assert client.meta.endpoint_url == "https://ec2.eu-west-1.amazonaws.com"

    def test_without_a_region_it_is_the_first_one(self) -> None:
        assert connect(connection()).meta.endpoint_url == "https://ec2.us-east-1.amazonaws.com"

    def test_timeouts_and_retries_are_set(self) -> None:
        config: Any = connect(connection()).meta.config
        assert (config.connect_timeout, config.read_timeout) == (5, 60)
        assert config.retries == {"mode": "standard", "total_max_attempts": 1}

    @pytest.mark.parametrize("missing", [{"userid": ""}, {"password": ""}])
    def test_without_credentials_there_is_no_client(self, missing: dict[str, str]) -> None:
        with pytest.raises(CredentialsRefused, match="no access key"):
            connect(connection(**missing))

    @pytest.mark.parametrize(
        "url",
        ["nonsense", "ec2.example.com", "ftp://ec2.example.com", "https://", "http://[::1", "http://host:port"],
    )
    def test_a_url_that_is_none_is_refused_with_the_url(self, url: str) -> None:
        with pytest.raises(CloudRefused, match="URL is not a valid URL of an EC2 endpoint") as refused:
            connect(connection(url))
        assert url in str(refused.value)

    @pytest.mark.parametrize("wrong", [{"region": "not a region"}, {"url": "https://a_b..example.com"}])
    def test_what_botocore_cannot_use_is_refused(self, wrong: dict[str, str]) -> None:
        with pytest.raises(CloudRefused, match="URL or region is wrong"):
            connect(connection(**wrong))


@pytest.mark.live
class TestCalling:
    def test_it_calls_with_the_key_and_region_of_the_connection(self, ec2_proxy: FaultProxy) -> None:
        Ec2Driver(connection(ec2_proxy.url, region="eu-west-1")).groups_by_ref(["sg-1"])
        headers = ec2_proxy.calls[0].headers
        assert "Credential=AKIDTEST/" in headers["Authorization"]
        assert "/eu-west-1/ec2/aws4_request" in headers["Authorization"]
        assert headers["User-Agent"].endswith("Portcullis")

    def test_the_environment_of_the_machine_has_no_say(self, ec2_proxy: FaultProxy, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("[default]\naws_access_key_id = AKIDFILE\nregion = eu-west-3\n[broken")
        hostile = {
            "AWS_PROFILE": "nobody",
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "config"),
            "AWS_ACCESS_KEY_ID": "AKIDENVIRONMENT",
            "AWS_SECRET_ACCESS_KEY": "other",
            "AWS_SESSION_TOKEN": "token",
            "AWS_DEFAULT_REGION": "eu-west-2",
            "AWS_MAX_ATTEMPTS": "9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
        }
        script = (
            "import sys; from inventory.drivers.base import Connection;"
            "from inventory.drivers.ec2 import Ec2Driver;"
            "us = Connection(url=sys.argv[1], userid='AKIDTEST', password='secret');"
            "Ec2Driver(us).groups_by_ref(['sg-1'])"
        )
        subprocess.run([sys.executable, "-c", script, ec2_proxy.url], check=True, env=hostile)
        headers = ec2_proxy.calls[0].headers
        assert "Credential=AKIDTEST/" in headers["Authorization"]
        assert "/us-east-1/ec2/" in headers["Authorization"]
        assert "X-Amz-Security-Token" not in headers

    def test_an_endpoint_of_the_environment_is_not_used(self, tmp_path: Path) -> None:
        script = (
            "from inventory.drivers.base import Connection; from inventory.drivers.ec2.client import connect;"
            "print(connect(Connection(userid='AKIDTEST', password='secret')).meta.endpoint_url)"
        )
        hostile = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:9"}
        done = subprocess.run(
            [sys.executable, "-c", script], check=True, env=hostile, capture_output=True, text=True
        )
        assert done.stdout.strip() == "https://ec2.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.mark.live
class TestTrust:
    def test_a_certificate_that_nobody_vouches_for_is_refused_for_good(
        self, ec2_url: str, certificate: tuple[ssl.SSLContext, str]
    ) -> None:
        with fault_proxy(ec2_url, certificate[0]) as proxy:
            with pytest.raises(CloudRefused, match="endpoint's certificate is not trusted") as refused:
                Ec2Driver(connection(proxy.url)).inventory()
            assert refused.value.permanent
            assert proxy.calls == []

    def test_it_trusts_the_authority_of_the_provider(
        self, ec2_url: str, certificate: tuple[ssl.SSLContext, str]
    ) -> None:
        context, pem = certificate
        with fault_proxy(ec2_url, context) as proxy:
            assert Ec2Driver(connection(proxy.url, certificate_authority=pem)).inventory().groups

    def test_without_verification_it_trusts_anybody_and_does_not_nag(
        self, ec2_url: str, certificate: tuple[ssl.SSLContext, str]
    ) -> None:
        with fault_proxy(ec2_url, certificate[0]) as proxy, warnings.catch_warnings(record=True) as nagging:
            warnings.simplefilter("always")
            assert (
                Ec2Driver(connection(proxy.url, verify_ssl=False, certificate_authority="none")).inventory().groups
            )
        assert nagging == []

    def test_the_file_of_the_authority_goes_with_the_client(
        self, certificate: tuple[ssl.SSLContext, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        client = connect(connection("https://127.0.0.1:9", certificate_authority=certificate[1]))
        (file,) = tmp_path.iterdir()
        assert file.read_text() == certificate[1]
        del client
        gc.collect()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "text", ["nonsense", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----", "é"]
    )
    def test_an_authority_that_is_no_certificate_is_refused(self, text: str) -> None:
        with pytest.raises(CloudRefused, match="not a PEM certificate"):
            connect(connection("https://127.0.0.1:9", certificate_authority=text))
