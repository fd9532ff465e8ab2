"""What a web server loads."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from inventory.rest.http.chunks import Unchunked

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

application = Unchunked(get_wsgi_application())

# What every request needs is loaded before a server that preloads makes its processes, so that they share it, and
# the collector never looks at it again: that would stop a request for tens of milliseconds.
len(get_resolver().url_patterns)
gc.collect()
gc.freeze()
