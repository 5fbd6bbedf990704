# Needs Python 3.11 or newer, git and make, and nothing else: uv is used where it is installed; where it is not, it is
# fetched into .uv/ beside this file (Debian's own Python refuses `pip install --user`).

UV  := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
RUN := $(UV) run --locked

# Many organisations stand behind a proxy that signs with an authority of their own, which only the system knows.
ifneq ($(wildcard /etc/ssl/certs),)
export UV_SYSTEM_CERTS ?= 1
endif
# A service account may have no home to keep a cache in.
ifeq ($(shell test -w "$${HOME:-/}" && echo yes),)
export UV_CACHE_DIR ?= .uv/cache
endif

# Python's own default. Where it is switched off, each of some hundred processes of a test compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=
export UV_COMPILE_BYTECODE ?= 1

.PHONY: help demo test check bench simulate kills chaos

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1 - /p' $(MAKEFILE_LIST)

demo: $(UV) ## several nodes on this machine, a story from report to return, the console (ONCE=1: stop after the story)
	@$(RUN) --no-dev arrp demo $(if $(ONCE),--once)

test: $(UV) ## every test, on SQLite and PostgreSQL (ARGS="-k hold" for some of them)
	@$(RUN) pytest -n auto --dist worksteal $(ARGS)

check: $(UV) ## lint and types
	@$(RUN) ruff check
	@$(RUN) mypy -p arrp

bench: $(UV) ## figures, as ratios against a floor measured in the same run
	@$(RUN) python -m bench.run $(ARGS)

simulate: $(UV) ## a million deliveries in simulated time, everything goes wrong, no invariant may break (more than an hour)
	@$(RUN) arrp simulate --deliveries 1000000 $(ARGS)

kills: $(UV) ## each node killed at each of its writes, N of N on both engines (half an hour; ARGS=sqlite for one)
	@$(RUN) python -m tests.node.kills $(ARGS)

chaos: $(UV) ## five processes while everything around them fails, for a quarter of an hour (ARGS="--seconds 120 --seed 7")
	@$(RUN) python -m tests.chaos.run $(ARGS)

.uv/bin/uv:
	@python3 -m venv .uv || { rm -rf .uv; echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv
