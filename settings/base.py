"""The settings of all installations. They work in a fresh clone, and environment variables change them.

`docs/settings.md` lists the variables. This module reads those of the service itself.
"""

import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from inventory.drivers.addresses import Networks
from settings.addresses import https_origins, path_prefix
from settings.checked import boolean, networks, number, one_of, seconds, secret
from settings.databases import databases
from settings.keys import fernet_keys, kept
from settings.log import logging
from settings.oidc import read_oidc
from settings.otel import traces

django_stubs_ext.monkeypatch()

env = environ.Env()

# Whatever a process writes, only its owner can read: database, exports, dumps, messages of the embedded broker.
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
#: The folder for files of an installation: keys, the embedded broker, lock and pid files.
VAR = Path(env.str("PORTCULLIS_VAR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = boolean(env, "DEBUG", default=False)
SECRET_KEY = secret(env, "SECRET_KEY", least=1) or kept(VAR / "secret_key", get_random_secret_key)
#: Earlier values of it, whose sessions and signatures are still accepted.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
#: Fernet keys for the credentials of providers. The first one encrypts, and all decrypt.
CREDENTIALS_KEYS = fernet_keys(
    env.str("CREDENTIALS_KEY", default="") or kept(VAR / "credentials_key", lambda: Fernet.generate_key().decode())
)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

# --- Behind a proxy: the web server trusts those of FORWARDED_ALLOW_IPS ---

#: The path below which the proxy serves this.
PATH_PREFIX = path_prefix(env.str("PATH_PREFIX", default=""))
FORCE_SCRIPT_NAME = PATH_PREFIX or None
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = PATH_PREFIX or "/"
#: Whether everybody comes over https.
TLS = boolean(env, "TLS", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SECURE_HSTS_SECONDS = number(env, "HSTS_SECONDS", default=365 * 24 * 3600) if TLS else 0
#: Portcullis speaks for its own host, and not for those below it or for lists of browsers.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_TRUSTED_ORIGINS: list[str] = env.list(
    "CSRF_TRUSTED_ORIGINS", default=https_origins(ALLOWED_HOSTS) if TLS else []
)

INSTALLED_APPS = [
    "inventory.apps.AdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "inventory",  # with templates in place of those below
    "secgroups",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "inventory.csp.ContentSecurityPolicyMiddleware",  # first: all answers have it
    "inventory.middleware.RequestMiddleware",  # next, so that every answer has an id
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",  # early, so that refusals below have it too
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "inventory.rest.http.middleware.ApiMiddleware",
    "inventory.rest.http.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "inventory.rest.http.middleware.AuthenticationMiddleware",
    "inventory.rest.http.middleware.MessageMiddleware",
]

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database ---

DATABASES = databases(env, default=f"sqlite:///{VAR / 'portcullis.sqlite3'}")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Work: tasks are rows of the database, and Celery only wakes up workers ---

_EMBEDDED_BROKER = "embedded://localhost/"  # inventory.broker
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=_EMBEDDED_BROKER)
if CELERY_BROKER_URL == _EMBEDDED_BROKER:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR / "broker"),
        "data_folder_out": str(VAR / "broker"),
        "control_folder": str(VAR / "broker" / "control"),
        "polling_interval": 0.05,
    }
else:
    # If the broker is down, a request waits for one attempt only. The sweep finds the task later.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
#: The name of this installation's queue at the broker. Installations that share a broker need different names.
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="portcullis")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False  # a request must not wait; the sweep finds the task
CELERY_BROKER_CONNECTION_TIMEOUT = 4
CELERY_BROKER_HEARTBEAT = 10  # RabbitMQ soon redelivers the messages of a host that is gone
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONCURRENCY = number(env, "WORKER_CONCURRENCY", default=8, least=1)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
#: It needs no file, because the database says what is due.
CELERY_BEAT_SCHEDULER = "inventory.scheduler:Scheduler"
CELERY_TIMEZONE = "UTC"

#: How often every enabled provider is refreshed; zero turns the schedule off.
REFRESH_INTERVAL = seconds(env, "REFRESH_INTERVAL", default=600, least=0)
#: A refresh stops if it would remove more than this share of one kind of resource, and at least this many.
REFRESH_GUARD_SHARE = env.float("REFRESH_GUARD_SHARE", default=0.5)
REFRESH_GUARD_MINIMUM = number(env, "REFRESH_GUARD_MINIMUM", default=3)
#: How long a change is retried while its cloud throttles, fails or can't be reached.
CHANGE_PATIENCE = seconds(env, "CHANGE_PATIENCE", default=300)
#: Maximum number of tasks that wait for one instance or one provider.
QUEUE_LIMIT = number(env, "QUEUE_LIMIT", default=10_000, least=1)
#: Maximum number of instances that one request changes.
BULK_LIMIT = number(env, "BULK_LIMIT", default=10_000, least=1)
#: For how long groups can be added and rules created for a while.
EXPIRATION_LIMIT = seconds(env, "EXPIRATION_LIMIT", default=7 * 24 * 3600)
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "inventory.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "refresh": {"task": "inventory.tasks.queue_due_refreshes", "schedule": 15.0, "options": {"expires": 15}},
    "exposures": {"task": "secgroups.tasks.settle_exposures", "schedule": 60.0, "options": {"expires": 60}},
    "stamps": {"task": "secgroups.tasks.fold_stamps", "schedule": 600.0, "options": {"expires": 600}},
    "expirations": {"task": "secgroups.tasks.end_what_is_due", "schedule": 1.0, "options": {"expires": 5}},
    "forget": {"task": "inventory.tasks.forget_what_is_over", "schedule": 600.0, "options": {"expires": 600}},
}
#: Where events are copied to: a file, or `syslog:` and a socket or a host and port. Empty for nowhere.
EVENTS_LOG = env.str("PORTCULLIS_EVENTS_LOG", default="")
if EVENTS_LOG:
    CELERY_BEAT_SCHEDULE["events"] = {
        "task": "inventory.tasks.forward_events",
        "schedule": 10.0,
        "options": {"expires": 10},
    }

#: The handlers of tasks, by kind of queue.
TASK_HANDLERS = {
    "providers": "inventory.deletion.handle_provider_tasks",
    "vms": "secgroups.changes.handle_membership_tasks",
    "security_groups": "secgroups.editing.handle_edit_tasks",
}

# --- Clouds ---

#: The drivers, by vendor.
DRIVERS = {
    "amazon": "inventory.drivers.ec2.Ec2Driver",
    "openstack": "inventory.drivers.openstack.OpenStackDriver",
    "file": "inventory.drivers.file.FileDriver",
}
#: Maximum size of a cloud's answer, uncompressed, in megabytes, and its maximum duration, in seconds.
CLOUD_ANSWER_SIZE = number(env, "CLOUD_ANSWER_SIZE", default=100, least=1)
CLOUD_ANSWER_TIME = number(env, "CLOUD_ANSWER_TIME", default=300, least=1)
#: Maximum number of entries in a cloud's list, on all pages.
CLOUD_LIST_SIZE = number(env, "CLOUD_LIST_SIZE", default=1_000_000, least=1)
#: The addresses that clouds must not have, beside link-local ones and the like.
try:
    CLOUD_NETWORKS = Networks.parse(
        refused=env.list("CLOUD_REFUSED_NETWORKS", default=[]),
        allowed=env.list("CLOUD_ALLOWED_NETWORKS", default=[]),
    )
except ValueError as error:
    raise ImproperlyConfigured(f"CLOUD_REFUSED_NETWORKS or CLOUD_ALLOWED_NETWORKS is invalid: {error}") from error
#: The folder for the files of providers of type file.
INVENTORY_FILES = Path(env.str("INVENTORY_FILES", default=str(VAR / "inventories"))).resolve()
#: Maximum size of such a file, in MiB.
INVENTORY_FILE_LIMIT = number(env, "INVENTORY_FILE_LIMIT", default=100)
#: The parts of a refresh, in order. Each one writes one kind of thing.
REFRESH_PARTS = [
    "inventory.refresh_parts.bring_in_tenants",
    "inventory.refresh_parts.bring_in_networks",
    "inventory.refresh_parts.bring_in_peers",
    "inventory.refresh_parts.bring_in_instances",
    "inventory.refresh_parts.bring_in_ports",
    "secgroups.refresh.bring_in_groups",
    "secgroups.refresh.bring_in_shares",
    "secgroups.refresh.bring_in_associations",
    "secgroups.refresh.bring_in_address_lists",
    "secgroups.refresh.bring_in_rules",
    "secgroups.refresh.remove_groups",
    "secgroups.refresh.remove_unnamed_address_lists",
    "secgroups.refresh.bring_in_memberships",
    "secgroups.refresh.end_expirations",
    "secgroups.refresh.bring_in_exposures",
]

# --- Logins and tokens ---

AUTHENTICATION_BACKENDS = ["inventory.accounts.AccountBackend"]
#: The first one hashes. The others are of older releases: their passwords are hashed anew at the next login.
PASSWORD_HASHERS = [
    "inventory.hashers.PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

#: What the roles of grants permit. Each also permits what those before it do, and needs no other permission.
ROLES = {
    "viewer": [
        "inventory.view_provider",
        "inventory.view_cloudtenant",
        "inventory.view_cloudnetwork",
        "inventory.view_vm",
        "inventory.view_networkport",
        "inventory.view_task",
        "inventory.view_eventstream",
        "secgroups.view_securitygroup",
        "secgroups.view_firewallrule",
        "secgroups.view_addresslist",
        "secgroups.view_exposure",
        "secgroups.view_expiration",
    ],
    "operator": [
        "inventory.change_vm_security_groups",
        "inventory.refresh_provider",
        "inventory.cancel_task",
        "inventory.retry_task",
    ],
    "manager": [
        "secgroups.add_securitygroup",
        "secgroups.change_securitygroup",
        "secgroups.delete_securitygroup",
        "secgroups.add_firewallrule",
        "secgroups.delete_firewallrule",
    ],
    "owner": [
        "inventory.add_provider",
        "inventory.change_provider",
        "inventory.delete_provider",
        "inventory.delete_task",
        "inventory.view_grant",
        "inventory.add_grant",
        "inventory.change_grant",
        "inventory.delete_grant",
    ],
}

#: The OpenID Connect provider for logins, if any.
OIDC = read_oidc(env)
if OIDC:
    MIDDLEWARE.append("inventory.oidc.middleware.RenewalMiddleware")
    AUTHENTICATION_BACKENDS.append("inventory.oidc.backend.OidcBackend")
    TEMPLATES[0]["OPTIONS"]["context_processors"].append("inventory.oidc.context.provider")

#: How long events are kept, in days of the variable.
EVENTS_RETENTION = timedelta(days=number(env, "PORTCULLIS_EVENTS_RETENTION", default=365, least=1, most=36_500))

#: How many logins of an account at one address, and of an address, may fail within this time.
LOGIN_FAILURES = number(env, "LOGIN_FAILURES", default=5, least=1)
LOGIN_ADDRESS_FAILURES = number(env, "LOGIN_ADDRESS_FAILURES", default=100, least=1)
LOGIN_FAILURE_WINDOW = seconds(env, "LOGIN_FAILURE_WINDOW", default=900)

KNOX_TOKEN_MODEL = "inventory.AuthToken"  # nosec B105  # noqa: S105 - no password
#: How long a token lives after its last use, by requester type.
TOKEN_TTL = {
    "api": seconds(env, "TOKEN_TTL", default=600),
    "ui": seconds(env, "TOKEN_TTL_UI", default=3600),
}
#: How long a token lives at most, however often it is used.
TOKEN_MAX_TTL = seconds(env, "TOKEN_MAX_TTL", default=90 * 24 * 3600)
#: Maximum number of valid tokens of a user.
TOKEN_LIMIT = number(env, "TOKEN_LIMIT", default=10_000, least=1)
REST_KNOX = {"AUTO_REFRESH": True}
#: Our model replaces knox's only one. Its migrations would still create the table.
MIGRATION_MODULES = {"knox": None}

# --- API ---

#: The viewsets by collection, in the order of their routes.
COLLECTIONS = {
    "providers": "inventory.api.ProviderViewSet",
    "cloud_tenants": "inventory.api.CloudTenantViewSet",
    "cloud_networks": "inventory.api.CloudNetworkViewSet",
    "instances": "inventory.api.InstanceViewSet",
    "vms": "inventory.api.VmViewSet",
    "network_ports": "inventory.api.NetworkPortViewSet",
    "tasks": "secgroups.api.RevertibleTaskViewSet",
    "security_groups": "secgroups.api.DeletableSecurityGroupViewSet",
    "firewall_rules": "secgroups.api.FirewallRuleViewSet",
    "address_lists": "secgroups.api.AddressListViewSet",
    "exposures": "secgroups.api.ExposureViewSet",
    "expirations": "secgroups.api.ExpirationViewSet",
    "event_streams": "inventory.api.EventStreamViewSet",
    "users": "inventory.api.UserViewSet",
    "tokens": "inventory.api.TokenViewSet",
    "groups": "inventory.api.GroupViewSet",
    "grants": "inventory.api.GrantViewSet",
    "zones": "inventory.api.ZoneViewSet",
}
#: Maximum number of members of a group that an analysis reads; of a larger group, they are not known to it.
ANALYSIS_MEMBERS = number(env, "ANALYSIS_MEMBERS", default=20_000)
#: Other addresses of the API, with their views.
API_VIEWS = {"reachability": "secgroups.api.ReachabilityView"}
#: Maximum number of resources in a page and in a request.
API_PAGE_LIMIT = number(env, "API_PAGE_LIMIT", default=1000, least=1)
#: Maximum number of embedded resources in an answer.
API_EMBEDDED_LIMIT = number(env, "API_EMBEDDED_LIMIT", default=100_000)
#: Maximum number of a user's stored requests with an `Idempotency-Key`, and maximum size of an answer, in bytes.
IDEMPOTENCY_KEYS = number(env, "IDEMPOTENCY_KEYS", default=10_000)
IDEMPOTENCY_ANSWER = number(env, "IDEMPOTENCY_ANSWER", default=1_000_000)
#: Maximum number of requests of a user in a minute; 0 for any number.
API_REQUESTS = number(env, "API_REQUESTS", default=0)
#: Maximum number of requests that wait for a task (`?wait=30`) in one process. Others are answered at once.
API_WAITING = number(env, "API_WAITING", default=2)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "inventory.rest.http.authentication.TokenAuthentication",
        "inventory.rest.http.authentication.BasicAuthentication",
        "inventory.rest.http.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["inventory.rest.permissions.ModelPermissions"],
    "DEFAULT_PARSER_CLASSES": [
        "inventory.rest.http.negotiation.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "inventory.rest.http.negotiation.Negotiation",
    "DEFAULT_RENDERER_CLASSES": [
        "inventory.rest.http.renderers.JSONRenderer",
        "inventory.rest.http.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_METADATA_CLASS": "inventory.rest.http.metadata.CollectionMetadata",
    "DEFAULT_SCHEMA_CLASS": "inventory.rest.schema.inspector.Inspector",
    "EXCEPTION_HANDLER": "inventory.rest.errors.exception_handler",
    "DEFAULT_VERSION": "1.0.0",
    "ALLOWED_VERSIONS": ["1.0.0"],
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Portcullis",
    "DESCRIPTION": "The security groups of all connected clouds, in the dialect of the ManageIQ API.",
    "OAS_VERSION": "3.1.1",
    "DEFAULT_GENERATOR_CLASS": "inventory.rest.schema.document.Generator",
    "POSTPROCESSING_HOOKS": [],  # choices stay inline, because several attributes have the same name
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SERVERS": [{"url": PATH_PREFIX}] if PATH_PREFIX else [],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # a test and `make lint` check the schema
}

# --- Site ---

#: Nobody uploads files. A body that is too large must not be written to disk either.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = f"{PATH_PREFIX}/static/"
WHITENOISE_USE_FINDERS = True  # serves files from the packages, without `collectstatic`

LOGIN_URL = "rest_framework:login"
LOGIN_REDIRECT_URL = f"{PATH_PREFIX}/api"

X_FRAME_OPTIONS = "DENY"
#: What a page may load and do: everything comes from files of this site, and nothing is written inside a page.
SECURE_CSP = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",  # the pictures in the style sheets of Swagger UI
    "font-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
SECURE_REFERRER_POLICY = "same-origin"

#: Each process has its own caches. `passwords` remembers for a minute which logins by HTTP Basic were right.
CACHES = {
    name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name, "TIMEOUT": 60}
    for name in ("default", "passwords")
}

#: Error pages with `DEBUG` show no values, which may be credentials.
DEFAULT_EXCEPTION_REPORTER_FILTER = "inventory.debug_pages.SecretFreeReporterFilter"

# --- Metrics ---

#: The networks whose clients may read `/metrics`, and a token for clients elsewhere.
METRICS_ALLOW_IPS = networks(env, "METRICS_ALLOW_IPS", default=["127.0.0.0/8", "::1"])
METRICS_TOKEN = secret(env, "METRICS_TOKEN")
#: Where a worker serves its own metrics; port 0 for nowhere.
WORKER_METRICS_ADDRESS = env.str("WORKER_METRICS_ADDRESS", default="127.0.0.1")
WORKER_METRICS_PORT = number(env, "WORKER_METRICS_PORT", default=0, most=65_535)

#: Whether to send traces to a receiver of OpenTelemetry, as its own variables say.
OTEL_TRACES = traces(env)

# --- Log ---

#: Lines for people, or an object of JSON in each line.
LOG_FORMAT = one_of(env, "LOG_FORMAT", ("line", "json"), default="line")
#: Whether every request leaves a line.
ACCESS_LOG = boolean(env, "ACCESS_LOG", default=LOG_FORMAT == "json")
LOGGING = logging(env, log_format=LOG_FORMAT, access_log=ACCESS_LOG, events_log=EVENTS_LOG)
