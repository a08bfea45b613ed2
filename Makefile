# `make` says what there is. Everything runs with Go and a C compiler alone, but check, which also fetches its linter.

GO       ?= go
FUZZTIME ?= 30s
# More arguments for go test, such as -race or -v.
TESTFLAGS ?=
# The linter is pinned here and not in go.mod, which would grow by its two hundred modules.
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## everything in one process, with simulated traffic under attack
	$(GO) run ./cmd/sundew run --demo

.PHONY: build
build: ## bin/sundew
	$(GO) build -trimpath -o bin/sundew ./cmd/sundew

.PHONY: test
test: ## all tests that need no other program; others say what they miss
	$(GO) test $(TESTFLAGS) ./...

.PHONY: lint
lint: ## formatting and linters
	$(GOLANGCI) fmt --diff
	$(GOLANGCI) run

.PHONY: check
check: lint ## what a change must pass
	$(GO) test -race $(TESTFLAGS) ./...
	$(GO) mod tidy -diff

.PHONY: bench
bench: ## every benchmark
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each, 30s
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+\(f \*testing\.F\)' . \
	  | sed -E 's#^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]+).*#\1 \2#' | LC_ALL=C sort -u \
	  | while read -r package target; do \
	      echo "$$package $$target"; \
	      $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	    done

.PHONY: recipes
recipes: ## the example configurations, with the real nginx and HAProxy
	deploy/dev/check-recipes.sh
