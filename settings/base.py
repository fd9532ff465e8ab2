"""The settings of every installation: they work from a fresh clone and are changed by the environment.

`docs/settings.md` lists the variables. All of them stand here, to be read in one place.
"""

import tomllib
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from inventory.logs import is_worth_a_line
from settings.keys import kept

django_stubs_ext.monkeypatch()

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
#: What an installation keeps beside its database: keys, the embedded broker, lock and pid files.
VAR = Path(env.str("PORTCULLIS_VAR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or kept(VAR / "secret_key", get_random_secret_key)
#: Fernet keys for the credentials of providers: the first encrypts, all decrypt.
CREDENTIALS_KEYS: list[str] = env.list("CREDENTIALS_KEY", default=[]) or [
    kept(VAR / "credentials_key", lambda: Fernet.generate_key().decode())
]
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "inventory.apps.AdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "inventory",
    "secgroups",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",  # so early that what is refused below has it too
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

TEMPLATES = [
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

with warnings.catch_warnings(action="ignore"):  # what is wrong with the URL is said below, as an error
    DATABASES: dict[str, dict[str, Any]] = {
        "default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR / 'portcullis.sqlite3'}")
    }
if "ENGINE" not in DATABASES["default"]:
    raise ImproperlyConfigured("DATABASE_URL must be like postgres://user:password@host:5432/name")
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Web, worker and scheduler write to one file: readers don't block the writer (WAL), a writer waits for its
    # turn instead of failing, and takes the lock when its transaction begins, so that it can't lose it half way.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE", timeout=30, init_command="PRAGMA journal_mode=WAL;"
    )
else:
    DATABASES["default"]["ENGINE"] = "inventory.db.postgresql"  # Django's own, with less work for each request
    # No cursor outlives its transaction, so that PgBouncer may give the connection to somebody else in between.
    DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True, DISABLE_SERVER_SIDE_CURSORS=True)
    # A host that is gone answers nothing: nobody waits for it for more than some seconds.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,  # milliseconds
        # Statements here take milliseconds; to compile one that PostgreSQL takes for large takes a hundred. And a
        # page is read by an index where disks don't turn, not by passing over a million rows to find its thousand.
        # What is planned once (`planned_cursor`) is what one plan suits: PostgreSQL need not look for better ones.
        "options": "-c jit=off -c random_page_cost=1.1 -c plan_cache_mode=force_generic_plan",
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Work: the Task rows are the truth, Celery only wakes somebody up ---

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
    # A request waits for a broker that is down only as long as one attempt takes: the sweep makes up for it.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
#: The queue of this installation at the broker: two that share a broker must not take each other's messages.
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="portcullis")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False  # the scheduler finds what was not sent; a request must not wait for the broker
CELERY_BROKER_CONNECTION_TIMEOUT = 4
CELERY_BROKER_HEARTBEAT = 10  # RabbitMQ soon gives the messages of a host that is gone to another
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=8)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
#: It keeps no file: what is due stands in the database.
CELERY_BEAT_SCHEDULER = "inventory.scheduler:Scheduler"
CELERY_TIMEZONE = "UTC"

#: How often every enabled provider is refreshed; zero or less turns the schedule off.
REFRESH_INTERVAL = timedelta(seconds=env.int("REFRESH_INTERVAL", default=600))
#: A refresh that would remove more than this share of one kind of resource is stopped, and at least so many of it.
REFRESH_GUARD_SHARE = env.float("REFRESH_GUARD_SHARE", default=0.5)
REFRESH_GUARD_MINIMUM = env.int("REFRESH_GUARD_MINIMUM", default=3)
#: How long one change may keep trying while its cloud throttles, fails or can't be reached.
CHANGE_PATIENCE = timedelta(seconds=env.int("CHANGE_PATIENCE", default=300))
#: Most tasks that wait for one instance, or for one provider, at a time.
QUEUE_LIMIT = env.int("QUEUE_LIMIT", default=10_000)
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "inventory.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "refresh": {"task": "inventory.tasks.queue_due_refreshes", "schedule": 15.0, "options": {"expires": 15}},
    "forget": {"task": "inventory.tasks.forget_what_is_over", "schedule": 600.0, "options": {"expires": 600}},
}

#: What carries out the tasks of a queue, by the queue's kind.
TASK_HANDLERS = {
    "providers": "inventory.deletion.handle_provider_tasks",
    "vms": "secgroups.changes.handle_membership_tasks",
    "security_groups": "secgroups.editing.handle_edit_tasks",
}

# --- Clouds ---

#: Vendor -> driver.
DRIVERS = {
    "amazon": "inventory.drivers.ec2.Ec2Driver",
    "openstack": "inventory.drivers.openstack.OpenStackDriver",
    "file": "inventory.drivers.file.FileDriver",
}
#: The largest answer of a cloud, unpacked, in megabytes, and the longest time that one may take, in seconds.
CLOUD_ANSWER_SIZE = env.int("CLOUD_ANSWER_SIZE", default=100)
CLOUD_ANSWER_TIME = env.int("CLOUD_ANSWER_TIME", default=300)
#: Most entries in one list of a cloud, on all of its pages.
CLOUD_LIST_SIZE = env.int("CLOUD_LIST_SIZE", default=1_000_000)
#: The one folder in which providers of type file have their files.
INVENTORY_FILES = Path(env.str("INVENTORY_FILES", default=str(VAR / "inventories"))).resolve()
#: Most MiB of such a file.
INVENTORY_FILE_LIMIT = env.int("INVENTORY_FILE_LIMIT", default=100)
#: The parts of a refresh, in order: each brings one kind of thing in.
REFRESH_PARTS = [
    "inventory.refresh_parts.bring_in_tenants",
    "inventory.refresh_parts.bring_in_networks",
    "inventory.refresh_parts.bring_in_instances",
    "inventory.refresh_parts.bring_in_ports",
    "secgroups.refresh.bring_in_groups",
    "secgroups.refresh.bring_in_shares",
    "secgroups.refresh.bring_in_associations",
    "secgroups.refresh.bring_in_rules",
    "secgroups.refresh.bring_in_memberships",
]

# --- API ---

#: Collection -> viewset; the order is that of the routes.
COLLECTIONS = {
    "providers": "inventory.api.ProviderViewSet",
    "cloud_tenants": "inventory.api.CloudTenantViewSet",
    "cloud_networks": "inventory.api.CloudNetworkViewSet",
    "instances": "inventory.api.InstanceViewSet",
    "vms": "inventory.api.VmViewSet",
    "network_ports": "inventory.api.NetworkPortViewSet",
    "tasks": "inventory.api.TaskViewSet",
    "security_groups": "secgroups.api.DeletableSecurityGroupViewSet",
    "firewall_rules": "secgroups.api.FirewallRuleViewSet",
    "users": "inventory.api.UserViewSet",
    "groups": "inventory.api.GroupViewSet",
    "zones": "inventory.api.ZoneViewSet",
}
#: Most resources in one page, and in one request.
API_PAGE_LIMIT = env.int("API_PAGE_LIMIT", default=1000)
#: Most resources that are embedded in those of one answer, all together.
API_EMBEDDED_LIMIT = env.int("API_EMBEDDED_LIMIT", default=100_000)
#: Most requests with an `Idempotency-Key` that are kept of one user, and most bytes of one's answer.
IDEMPOTENCY_KEYS = env.int("IDEMPOTENCY_KEYS", default=10_000)
IDEMPOTENCY_ANSWER = env.int("IDEMPOTENCY_ANSWER", default=1_000_000)
#: Most requests of one process that wait for a task (`?wait=30`) at a time; others are answered at once.
API_WAITING = env.int("API_WAITING", default=2)

KNOX_TOKEN_MODEL = "inventory.AuthToken"  # noqa: S105 - no password
#: How long a token lives after its last use, by the type of who asks for it.
TOKEN_TTL = {
    "api": timedelta(seconds=env.int("TOKEN_TTL", default=600)),
    "ui": timedelta(seconds=env.int("TOKEN_TTL_UI", default=3600)),
}
REST_KNOX = {"AUTO_REFRESH": True}
#: Its one model is replaced by ours; its migrations would make the table all the same, with a key to the users.
MIGRATION_MODULES = {"knox": None}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "inventory.rest.http.authentication.TokenAuthentication",
        "inventory.rest.http.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
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
    "POSTPROCESSING_HOOKS": [],  # choices stay where they are used: several attributes share a name
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # a test and `make lint` look at the schema
}

# --- Site ---

#: Nobody sends files here; what is too large for the body of a request is not kept on disk either.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # serves the packages' own files: there is no collecting step to forget

LOGIN_URL = "rest_framework:login"
LOGIN_REDIRECT_URL = "/api"

X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

#: Per process, never shared. `passwords` says of HTTP Basic's which were right less than a minute ago.
CACHES = {
    name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name, "TIMEOUT": 60}
    for name in ("default", "passwords")
}
AUTHENTICATION_BACKENDS = ["inventory.accounts.AccountBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"worth": {"()": "django.utils.log.CallbackFilter", "callback": is_worth_a_line}},
    "formatters": {
        "line": {
            "()": "inventory.logs.SecretFreeFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "loggers": {
        # That something is well again is news; of libraries it is noise.
        **{name: {"level": env.str("LOG_LEVEL", default="INFO")} for name in ("inventory", "secgroups")},
        "django.request": {"filters": ["worth"]},
    },
}
