"""The application that `make fuzz` serves."""

import pytest

from settings.wsgi import application
from tests.fuzz.offline import cut_off

__all__ = ["application"]

cut_off(pytest.MonkeyPatch())
