# All set up by themselves.   make demo: open the app.   make quick: style, types and the tests that neither train nor need a trained model.
# make test: all checks and tests.   make package: build the wheel and the sdist, and use the wheel elsewhere, offline.   make gpu: tests and figures of a machine with a GPU.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# One thread of torch a worker: the tensors are tiny, and more threads only wait for each other.
# Each worker begins with its half of the files, so that what the tests of a file share is made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
# What fails in a browser is tried once more, for machines too busy to open a page in a minute; both are shown.
AGAIN := --last-failed --last-failed-no-failures none
# Not compiled: of the packages' 180 MB of Python most is never imported; what is, is compiled and kept then.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo quick test browser package audit cluster gpu lint-js clean

demo: $(VENV)/.app
	$(BIN)/python app.py $(ARGS)

quick: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not trained and not slow" tests --ignore tests/browser

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) lint-js
	$(PYTEST) -rs tests --ignore tests/browser
	$(PYTEST) -rs tests/browser || $(PYTEST) $(AGAIN) tests/browser

# The browser tests, which must not skip.
browser: $(VENV)/.test
	VAR_STUDIO_BROWSER=1 $(PYTEST) tests/browser || VAR_STUDIO_BROWSER=1 $(PYTEST) $(AGAIN) tests/browser

package: $(VENV)/.test
	$(BIN)/python tools/check_package.py

# Reports known flaws of the packages that are installed; needs the index that they come from.
audit: $(VENV)/.test
	$(BIN)/pip-audit --progress-spinner off --timeout 5

# Replicas drawn with Ray, which is large and so not among what all tests need.
cluster: $(VENV)/.test
	$(PIP) -r requirements-ray.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs tests/studio/cluster

# About eight minutes; writes runs/gpu/gpu.json and gpu.md.
gpu: $(VENV)/.test
	$(BIN)/python tools/gpu.py $(ARGS)

# Style of the JavaScript and CSS. `make lint-js FIX=--write` mends what it can.
lint-js:
	@if ! command -v npm >/dev/null; then \
		echo "There is no npm on the PATH, so the style of the JavaScript and CSS is not checked."; \
	elif [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund; then \
		npx --no-install biome check --error-on-warnings $(FIX); \
	else \
		echo "npm could not get biome, so the style of the JavaScript and CSS is not checked."; \
	fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.test: requirements-mcp.txt requirements-test.txt requirements-train.txt $(VENV)/.app
	$(PIP) -r requirements.txt -r requirements-mcp.txt -r requirements-train.txt -r requirements-test.txt
	touch $@

clean:
	rm -rf $(VENV)
