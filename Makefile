# cardswitch. `make` alone prints what there is.

FUZZTIME ?= 1m
JOBS     ?= 2
CYCLES   ?= 1000
SEEDS    ?= 0
FIRST    ?= 0
TIME     ?= 8m
MINUTES  ?= 10
KILLS    ?= 20
OLD      ?=
BENCH    ?=
# The program needs no C: it is one static file that runs anywhere.
export CGO_ENABLED ?= 0

.PHONY: help run test race pkcs11 memory lint fuzz crash torture drill upgrade cluster week world world-breaks conform bench build clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  FUZZTIME=$(FUZZTIME) is for each parser, JOBS=$(JOBS) of them at once; \
CYCLES=$(CYCLES) for crash, MINUTES=$(MINUTES) for torture, KILLS=$(KILLS) for drill, with SHARDS=1 of two shards; \
OLD= is a commit for upgrade; SEVERAL=1 for world plays several nodes only; BENCH= are flags of bench"

build: ## build bin/cardswitch
	@go build -trimpath -o bin/cardswitch ./cmd/cardswitch

run: build ## show the switch at work, with merchants and issuers
	@./bin/cardswitch demo

test: ## vet and run all tests
	@go vet ./...
	@go test -timeout 10m ./...

# What runs side by side is what the detector looks at: properties have fewer cases there.
race: ## run the tests with the race detector (needs a C compiler)
	@CGO_ENABLED=1 go test -race -short -timeout 20m ./...

pkcs11: ## test the driver for PKCS#11 tokens on SoftHSM (needs a C compiler)
	@CGO_ENABLED=1 go vet -tags pkcs11 ./hsm/... ./switch/keys
	@CGO_ENABLED=1 go test -tags pkcs11 -timeout 10m ./hsm/... ./switch/keys

memory: ## hold that unloaded keys are gone from memory (Go's experiment runtimesecret)
	@GOEXPERIMENT=runtimesecret go vet ./hsm/soft
	@GOEXPERIMENT=runtimesecret go test ./hsm/soft

lint: ## hold formatting, layers and the order of the house
	@test -z "$$(gofmt -l cmd conformance dr hsm routing spec store switch)" || \
		{ gofmt -l cmd conformance dr hsm routing spec store switch; echo "hint: gofmt -w"; exit 1; }
	@go vet ./...
	@go test ./conformance

fuzz: ## fuzz every parser for FUZZTIME, JOBS of them side by side
	@JOBS=$(JOBS) .ci/fuzz $(FUZZTIME)

crash: build ## kill the switch and cut its links CYCLES times under load, then count the money
	@./bin/cardswitch crash --cycles $(CYCLES)

torture: build ## hurt switch, partners, links and disk for MINUTES, then compare the books
	@./bin/cardswitch torture --duration $(MINUTES)m $(if $(SEED),--seed $(SEED))

drill: build ## hurt the active one of three nodes, KILLS times and more, and measure each takeover
	@./bin/cardswitch drill lab --kills $(KILLS) $(if $(SHARDS),--shards)

upgrade: build ## replace nodes of an older commit's program (OLD=) by this one's under load, and back
	@OLD=$(OLD) .ci/upgrade

cluster: ## hurt seeded clusters of nodes for TIME, and measure takeovers on their own clock
	@go test -count=1 -run '^(TestKeptSeeds|TestBreaksAreFound|TestTakeoverTimes)$$' -v ./dr/replica
	@go test -count=1 -run '^TestFreshSeeds$$' -v -timeout 0 ./dr/replica -for $(TIME)

week: ## show seven business days, a wrong entry named, and books that agree to the yen
	@go test -count=1 -v -run TestWeek ./conformance/week

world: ## play kept worlds, then SEEDS fresh ones (0: as many as fit in TIME), JOBS side by side
	@go test -count=1 -run '^TestKept$$' ./conformance/world
	@go test -count=1 -run '^TestMany$$' -v -timeout 0 ./conformance/world -many \
		-seeds $(SEEDS) -first $(FIRST) -for $(TIME) -jobs $(JOBS) $(if $(SEVERAL),-several)

world-breaks: ## break each promise in a copy, and show which seed finds it
	@go test -count=1 -run '^TestBreaks$$' -v -timeout 0 ./conformance/world -breaks

conform: ## run the scenario suite against the switch
	@go test -count=1 ./conformance/suite

bench: build ## measure the switch, beside a moov-based one; writes bench.json
	@./bin/cardswitch bench $(BENCH)

clean: ## remove what was built
	@rm -rf bin bench.json
