# The commands of the project, each a script in scripts/ that can be run directly.
# `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help build test lint quickstart size bench fleet image sbom clean

help: ## list these targets
	@awk -F ': ## ' '/^[a-z]+: ## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the release binary for the static target and say where it is
	@scripts/build

test: ## install what the tests need, then run all of them
	@scripts/test

lint: ## check format, lints, licences and scripts
	@scripts/lint

quickstart: ## show a rotation reach a running app, with a vault of its own
	@scripts/quickstart

size: ## measure the binary and the memory of an idle agent
	@scripts/size

bench: ## measure against floors taken in the same run
	@scripts/bench

fleet: ## run a thousand agents on one vault that throttles like Key Vault
	@scripts/fleet

image: ## build the image from source and say how large it is
	@scripts/image

sbom: ## list what is in the binary, as CycloneDX
	@scripts/sbom

clean: ## remove everything that was built or installed here
	@scripts/clean
