# make demo: sets up by itself and opens the app.   make test: sets up by itself and runs the checks and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test browser lint-js clean

demo: $(VENV)/.app
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) lint-js
	$(BIN)/python -m pytest -rs -n 2 tests --ignore tests/browser
	$(BIN)/python -m pytest -rs tests/browser

# The browser tests, which must not skip.
browser: $(VENV)/.test
	VAR_STUDIO_BROWSER=1 $(BIN)/python -m pytest tests/browser

# Style of the JavaScript and CSS. `make lint-js FIX=--write` mends what it can.
lint-js:
	@if command -v npm >/dev/null; then \
		[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund; \
		npx --no-install biome check --error-on-warnings $(FIX); \
	else \
		echo "There is no npm on the PATH, so the style of the JavaScript and CSS is not checked."; \
	fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test: requirements-test.txt requirements-train.txt $(VENV)/.app
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-train.txt -r requirements-test.txt
	touch $@

clean:
	rm -rf $(VENV)
