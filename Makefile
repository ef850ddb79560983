# `make` alone lists the targets. Each does its own set-up; what is there stays untouched.
SHELL := /bin/bash
PYTHON_BIN := .venv/bin/python
CHARTS = $(PYTHON_BIN) -c 'import matplotlib' 2>/dev/null
RUNS := 5
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test test-cold check docs bench bench-peers reliability clean distclean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## set up, boot a real VM, run suites/quickstart.robot on it
	@scripts/setup demo
	@code=0; .venv/bin/robot --outputdir results/demo suites/quickstart.robot || code=$$?; \
	echo; echo "Open $(CURDIR)/results/demo/log.html in a browser to see what happened."; exit $$code

test:  ## set up, then lint, types, unit tests and acceptance tests on real VMs
	@scripts/setup test
	@$(PYTHON_BIN) scripts/run_tests.py

test-cold:  ## the acceptance tests with guests that all boot, none a clone of a template
	@scripts/setup test
	@$(PYTHON_BIN) scripts/run_tests.py atest-cold

check:  ## the fast part of the tests: lint, types, unit tests without QEMU
	@scripts/setup test
	@$(PYTHON_BIN) scripts/run_tests.py lint utest-fast

docs:  ## write docs/DtsVirtLibrary*.html, the keyword documentation
	@scripts/setup demo
	@$(PYTHON_BIN) scripts/keyword_docs.py

bench:  ## measure the library against a bare floor script (benchmarks/)
	@scripts/setup demo
	@$(CHARTS) || $(PYTHON_BIN) -m pip install --quiet --no-input -c constraints.txt -e '.[bench]'
	@$(PYTHON_BIN) benchmarks/run.py

bench-peers:  ## measure the library beside labgrid, avocado-vt and QEMU's Python (needs the network)
	@scripts/setup demo
	@$(CHARTS) || $(PYTHON_BIN) -m pip install --quiet --no-input -c constraints.txt -e '.[bench]'
	@$(PYTHON_BIN) -m benchmarks.peers --runs $(RUNS)

reliability:  ## soak, killed runs, parallel runs, fuzzing: hours (reliability/run.py --help)
	@scripts/setup test
	@$(PYTHON_BIN) -m pip install --quiet --constraint constraints.txt atheris
	@$(PYTHON_BIN) reliability/run.py

clean:  ## remove results and caches of tools
	rm -rf results build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf .venv .venv.new
