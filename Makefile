# Everything runs in a virtual environment of the project's own; the first call makes it, later ones are quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# For make demo: SERVE=0 lets it end when the shop is searched, PORT is where the shop is served.
SERVE ?= 1
PORT ?= 8000
# For make fuzz: how many requests, over all routes together.
FUZZ ?= 10000

.DEFAULT_GOAL := help
.PHONY: help demo test check parity fuzz format clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/base  ## Draw a shop, index it, search it, and serve it until Ctrl-C (SERVE=0: just end; PORT=8000)
	$(BIN)/lookalike demo --port $(PORT) $(if $(filter 0 no,$(SERVE)),--no-serve)

test: $(VENV)/dev  ## Run the tests
	$(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/dev  ## Format, lint, types, import rules, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal

parity: $(VENV)/torch  ## Install torch, and run the tests that compare with it
	$(BIN)/pytest tests/adapters/test_encoder_onnx_parity.py tests/adapters/test_encoder_torch.py \
		tests/adapters/test_model_export.py tests/contract/test_encoder.py

fuzz: $(VENV)/dev  ## Send the service 10,000 made-up requests and print the counts (FUZZ=300: fewer)
	LOOKALIKE_FUZZ=$(FUZZ) $(BIN)/pytest -s tests/service/test_schema_fuzz.py

format: $(VENV)/dev  ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) demo-shop .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# A torch that is there already stays, if it is new enough.
$(VENV)/torch: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[torch]'
	touch $@
