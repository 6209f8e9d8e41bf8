# make run: try it.  make test: every test.  make proofs, make soak: the promises, short and long.  make check: style, types, imports, migrations.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check -qq --require-hashes
export LIVEDESK_DATA ?= $(CURDIR)/var
HOST   ?= 127.0.0.1
PORT   ?= 8000

# What a production server is given; `manage.py check` connects to nothing.
DEPLOY := SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') ALLOWED_HOSTS=desk.example.com \
          DATABASE_URL=postgresql://livedesk@db.example.com/livedesk REDIS_URL=redis://redis.example.com/0 \
          LIVEDESK_EMBEDDED=0 DEBUG=0

.PHONY: run build test proofs soak check lock messages screenshots
.SILENT:

run build check messages: export LIVEDESK_EMBEDDED := 1
check: export LIVEDESK_DATA := $(CURDIR)/$(VENV)/check

run: build
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py demo --once
	exec $(BIN)/python manage.py serve --host "$(HOST)" --port "$(PORT)" --welcome

# What a release has ready before it starts: packages, Spanish, static files under their hashed names.
build: $(VENV)/.run
	$(BIN)/python manage.py messages --compile
	$(BIN)/python manage.py collectstatic --no-input --verbosity 0

test: $(VENV)/.dev
	$(BIN)/python -m tests.run

# SEED=… replays a run.
proofs: $(VENV)/.dev
	$(BIN)/python -m tests.soak --short

soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak

check: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(DEPLOY) $(BIN)/python manage.py check --deploy --fail-level WARNING
	! grep -n '://' requirements.txt requirements-dev.txt tests/browser/package-lock.json
	echo "Style, types, imports, migrations, deployment and locks are in order."

messages: $(VENV)/.run
	$(BIN)/python manage.py messages

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.screenshots

lock: $(VENV)/.dev
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/uv pip compile -q pyproject.toml --generate-hashes --no-header --universal --python-version 3.11 -o requirements.txt
	$(BIN)/uv pip compile -q pyproject.toml --group dev --generate-hashes --no-header --universal --python-version 3.11 -c requirements.txt -o requirements-dev.txt
	! grep -n '://' requirements.txt requirements-dev.txt

$(VENV)/.run: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Livedesk needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 run")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	echo "Installing Livedesk's packages…"
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	echo "Installing the packages of the tests…"
	$(PIP) -r requirements-dev.txt
	touch $@
