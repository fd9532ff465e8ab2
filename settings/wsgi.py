"""The WSGI application for web servers."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from inventory import tracing
from inventory.charsets import KnownCharsets
from inventory.configuration import refuse_bad_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

tracing.start()
application = KnownCharsets(get_wsgi_application())
refuse_bad_settings()

# With preloading, worker processes share everything that is loaded here. Freezing it keeps the garbage collector
# from scanning it, which would stop a request for tens of milliseconds.
len(get_resolver().url_patterns)
gc.collect()
gc.freeze()
