# One door for people and for CI. Everything is done by the scripts beside it; PYTHON=... chooses the interpreter.
.PHONY: help demo test fuzz chaos coverage check format constraints bench release-pages

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: ## Install into .venv and run the chat example.
	@scripts/demo $(ARGS)

test: ## Install what the tests need and run them all; ARGS="-k name" passes options to pytest.
	@scripts/test $(ARGS)

fuzz: ## Feed parsers with mutated input, beside others; ARGS="--seconds 60 --seed 1", ARGS=--help says more.
	@scripts/fuzz $(ARGS)

chaos: ## Cut wires, stop processes, flood, and check every message; ARGS="--minutes 5 --seed 1", 2 minutes without.
	@scripts/chaos $(ARGS)

coverage: ## Run the unit tests and show the lines and branches that they leave out.
	@scripts/coverage $(ARGS)

check: ## Check format, lint and types; changes nothing.
	@scripts/check

bench: ## Measure side by side with others; WHAT="webhook fanout" chooses parts, ARGS="--list" passes options.
	@scripts/bench $(WHAT) $(ARGS)

release-pages: ## For a release only: measure everything and write its tables and charts into docs/.
	@scripts/bench --page docs $(ARGS)

format: ## Format, and fix what the linter can fix.
	@scripts/format

constraints: ## Write constraints.txt anew: the newest versions that fit pyproject.toml.
	@scripts/constraints
