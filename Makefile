PYTHON ?= python3
VENV := .venv/bin
PYTEST = $(VENV)/python -m pytest --numprocesses auto $(ARGS)

.PHONY: run run-openstack test test-walks test-oracles test-e2e test-hosts lint test-services test-openstack test-clients test-browser sbom properties fuzz chaos bench bench-peers bench-changes bench-many bench-scaling bench-analyses bench-grants bench-history leaks openstack-up openstack-down lock setup clean

# The whole service with a demonstration, on http://127.0.0.1:8000.
run: setup
	$(VENV)/python manage.py standalone --demo

# The same with the company on a real OpenStack, which it starts; `make openstack-down` ends that.
run-openstack: setup
	$(VENV)/python manage.py standalone --demo openstack

# Every quick test that needs neither a service nor the whole of this one; ARGS are more arguments for pytest.
test: setup
	$(PYTEST)

# Every page and address in one process: too slow to wait for after each change.
test-walks: setup
	$(PYTEST) -m walk

# What the API says that rules let through, beside what enforces them. `tests/oracles/install` brings that, as root.
test-oracles: export ORACLES ?= $(CURDIR)/var/oracles
test-oracles: setup
	tests/oracles/install $(ORACLES)
	$(PYTEST) -m oracle

# The whole service as processes, on its embedded defaults.
test-e2e: setup
	$(PYTEST) -m 'e2e and not openstack'

# Quick and whole against PostgreSQL and a broker, rabbitmq or redis; ONLY selects. `.ci/services up` starts them.
test-services: BROKER ?= rabbitmq
test-services: ONLY ?= -m 'not walk and not oracle and not hosts and not openstack and not clients and not browser'
test-services: setup
	env $$(.ci/services env $(BROKER)) $(PYTEST) $(ONLY)

# An installation on several hosts (network namespaces, for root), as `deploy/` describes it. Needs the packages that
# `.ci/services install` brings.
test-hosts: setup
	$(PYTEST) -m hosts

# What needs a real OpenStack, which it starts; `make openstack-down` ends it.
test-openstack: setup openstack-up
	$(VENV)/python -m pytest --numprocesses 2 -m openstack $(SDK_WARNS) $(ARGS)

# Clients of others, as they are, against a whole service. `tests/clients/install` brings them, as root.
test-clients: setup
	tests/clients/install
	$(VENV)/python -m pytest -m clients $(ARGS)

# Every kind of page in Chromium, with its policy. `tests/browser/install` brings that, as root.
test-browser: setup
	tests/browser/install
	$(VENV)/python -m pytest -m browser $(ARGS)

# The SDK, which the tests use to look at the cloud, warns of what it does itself.
SDK_WARNS = -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning

# A real OpenStack control plane on loopback, on SQLite, without a broker; kept in OPENSTACK.
export OPENSTACK ?= var/openstack
openstack-up: setup
	$(VENV)/python -m inventory.demo.openstack up $(OPENSTACK)

openstack-down:
	$(VENV)/python -m inventory.demo.openstack down $(OPENSTACK)

# The property tests of the query language with thousands of examples, on SQLite or the database of DATABASE_URL.
properties: setup
	PORTCULLIS_EXAMPLES=5000 $(VENV)/python -m pytest tests/inventory/rest/query $(ARGS)

# So many answers to users with random grants, none of which may name what lies outside; prints its counts.
leaks: ANSWERS ?= 100000
leaks: setup
	PORTCULLIS_ANSWERS=$(ANSWERS) $(VENV)/python -m pytest -m walk tests/reach/test_leaks.py $(ARGS)

# Everything that the API's description has, asked for FUZZ seconds with every check; prints its counts.
fuzz: FUZZ ?= 600
fuzz: setup
	$(VENV)/python -m tests.fuzz $(FUZZ) $(ARGS)

# A whole installation, broken at random for MINUTES and judged; ON is rabbitmq, redis or embedded. The first two need
# the packages that `.ci/services install` brings.
chaos: SEED ?= 1
chaos: MINUTES ?= 1
chaos: ON ?= rabbitmq
chaos: setup
	$(VENV)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES) --on $(ON)

# Measurements, as ratios or beside a bound: a refresh; a request beside wrong passwords; then, on PostgreSQL, the API
# beside a floor and a large refresh beside COPY, which write the tables of `docs/performance.md`. ARGS are for the API (`--quick`, `--help`).
bench: setup
	$(VENV)/python -m tests.bench.refresh
	-$(VENV)/python -m tests.bench.logins
	.ci/services up
	env $$(.ci/services env) sh -c '$(VENV)/python -m tests.bench.reads $(ARGS) && \
		$(VENV)/python -m tests.bench.bulk_refresh $(filter --quick,$(ARGS))'; \
		status=$$?; .ci/services down; exit $$status

# On PostgreSQL: the same reads of NetBox and Neutron, which it installs under `var/`.
bench-peers: setup
	.ci/services up
	env $$(.ci/services env) $(VENV)/python -m tests.bench.peers $(ARGS); status=$$?; .ci/services down; exit $$status

# On PostgreSQL and RabbitMQ: how fast changes are accepted and carried out, beside Celery alone; what a change of many
# instances costs, beside single ones; what threads and workers do; how fast answers about what rules mean are at a
# million instances, what grants cost, and how fast the past is read.
bench-changes bench-many bench-scaling bench-analyses bench-grants bench-history: bench-%: setup
	.ci/services up
	env $$(.ci/services env) $(VENV)/python -m tests.bench.$* $(ARGS); status=$$?; .ci/services down; exit $$status

# Without its warnings: it takes a mark of a line of several expressions for a stale one.
BANDIT = $(VENV)/python -c 'import logging; from bandit.cli.main import main; logging.disable(logging.WARNING); main()'

lint: setup
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy .
	$(VENV)/lint-imports
	$(BANDIT) --quiet --recursive inventory secgroups settings manage.py
	$(VENV)/python manage.py makemigrations --check --dry-run
	$(VENV)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(VENV)/python .ci/audit.py requirements-dev.txt

# What Portcullis runs on, as a CycloneDX document that is valid and the same for the same commit.
SBOM ?= var/sbom.cdx.json
sbom: setup
	mkdir -p $(dir $(SBOM))
	$(VENV)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --validate \
		--output-reproducible --output-file $(SBOM) requirements.txt

# After a change of the dependencies in pyproject.toml: what they need, with versions and hashes.
LOCK = $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' pyproject.toml
lock: setup
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra otel --constraint requirements.txt --output-file requirements-otel.txt
	$(LOCK) --extra otel --group dev --constraint requirements-otel.txt --output-file requirements-dev.txt

setup: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt
	.ci/venv $(PYTHON)
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis
	find . -name __pycache__ -prune -exec rm -rf {} +
