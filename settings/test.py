"""The settings of the test suite, with a temporary folder and fast password hashes."""

import atexit
import os
import shutil
import tempfile

if "PORTCULLIS_VAR" not in os.environ:
    os.environ["PORTCULLIS_VAR"] = tempfile.mkdtemp(prefix="portcullis-test-")
    atexit.register(shutil.rmtree, os.environ["PORTCULLIS_VAR"], ignore_errors=True)

from settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://localhost"

#: A PostgreSQL database to use as the template of test databases, for its locale.
if template := env.str("TEST_TEMPLATE", default=""):  # noqa: F405
    DATABASES["default"]["TEST"] = {"TEMPLATE": template}  # noqa: F405
