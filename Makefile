# The commands of the project. `make help` lists them.
#
# Needs GNU make, Python 3.11 or newer and Node 20 or newer; everything else is installed into the
# checkout. ESCAPEMASTER_PORT moves a stack's ports, ESCAPEMASTER_HOME its state.

ifeq ($(MAKE_VERSION),)
$(error GNU make is needed)
endif

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv/bin
DENO := $(VENV)/deno
STACK := $(VENV)/escapemaster

# Where it is set, every process of a stack and every worker of the tests compiles the same anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run it

.PHONY: install
install: ## Make .venv and node_modules from the locks (every other command does it, too)
	@scripts/bootstrap

.PHONY: up
up: install ## Start everything; Ctrl-C stops it
	@$(STACK) up

.PHONY: down
down: install ## Stop a stack that runs elsewhere
	@$(STACK) down

.PHONY: reset
reset: install ## Throw the data away, when you have said yes: make reset, make reset args=--yes
	@$(STACK) reset $(args)

.PHONY: status
status: install ## What runs, and where
	@$(STACK) status

.PHONY: logs
logs: install ## What the parts wrote: make logs, make logs part=worker
	@$(STACK) logs $(part) --follow

##@ Try it

.PHONY: check
check: install ## Linters, formatters, types of Python, SQL, TypeScript, workflows; deploy-check
	@scripts/check

.PHONY: test
test: install ## All tests, on a throw-away stack of their own: make test, make test args="-k hold"
	@$(VENV)/python -m pytest $(args)

.PHONY: attack
attack: install ## What a stranger, a rival or one's own staff could try, over HTTP: make attack args="--only voucher"
	@PYTHONPATH=tests $(VENV)/python -m siege attack $(args)

.PHONY: storm
storm: install ## Everybody at once while parts are killed; then the books are read: make storm args="--seconds 300"
	@PYTHONPATH=tests $(VENV)/python -m siege storm $(args)

.PHONY: siege
siege: install ## What CI runs of both: the attacks that are short, then fifteen seconds of storm
	@PYTHONPATH=tests $(VENV)/python -m siege brief $(args)

.PHONY: mutate
mutate: install ## Loosen each policy, grant and check in turn, and see that the tests notice: make mutate args="--all --log .local/mutants.tsv"
	@$(VENV)/python -m tests.mutation $(args)

.PHONY: bench
bench: install ## Benchmarks against raw PostgreSQL doing the same work: make bench args="--scale large"
	@PYTHONPATH=tests $(VENV)/python -m bench $(args)

##@ Change it

.PHONY: migration
migration: install ## The next migration, from the difference to sql/: make migration name=add_tiers
	@test -n "$(name)" || { echo "say what it does: make migration name=add_tiers" >&2; exit 2; }
	@$(STACK) migration $(name)

.PHONY: types
types: install ## What is generated: client types, the docs' tables, .env.example
	@$(STACK) types
	@$(STACK) pages
	@$(VENV)/python -m escapemaster_dev.deploy --write

.PHONY: lock
lock: install ## The lock files anew, from pyproject.toml and package.json (with Python 3.11)
	@scripts/lock

##@ Ship it

.PHONY: deploy-check
deploy-check: install ## What keeps this checkout from being deployed; needs no account, part of check
	@$(VENV)/python -m escapemaster_dev.deploy
