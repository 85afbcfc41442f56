# Interlock needs Go and nothing else to build and run; the tests drive a
# browser, which they install where they may.

.PHONY: build demo test check bench fuzz

build: ## the one binary
	go build -o bin/interlock ./cmd/interlock

demo: ## a whole network on this machine, with sample cases
	go run ./cmd/interlock demo

test: ## everything, with the race detector
	go test -race -timeout 45m ./...

check: ## formatting, vet, staticcheck and known vulnerabilities
	./scripts/check

bench: ## speed, side by side with a reference in the same run; writes BENCHMARKS.md
	go run ./testnet/bench

fuzz: ## every fuzz target, a minute each
	./scripts/fuzz 60s
