# Everything a newcomer needs, one word each; the work is done by the scripts in scripts/.

.DEFAULT_GOAL := build
.PHONY: build run test simulate chaos fuzz sanitize lint format clean deps

build: deps   ## the release binary, at bin/duragraph
	scripts/build.sh release

run:          ## the example project served and one run played; the server stays up until Ctrl-C
	scripts/run.sh

test:         ## every test; the last line is "N passed, N failed"
	scripts/test.sh

simulate:     ## SEEDS=n simulated worlds from seed FIRST=k on; a seed that breaks a guarantee is explained
	SEEDS="$(SEEDS)" FIRST="$(FIRST)" scripts/simulate.sh

chaos:        ## MINUTES=n (10) of faults on a deployment under load, or KILLS=n on `duragraph dev`; SEED names the storm (a new one)
	MINUTES="$(MINUTES)" KILLS="$(KILLS)" SEED="$(SEED)" MIXED="$(MIXED)" ROLLOUT="$(ROLLOUT)" scripts/chaos.sh

sanitize:     ## unit tests, conformance, durability and deployment under ThreadSanitizer, then AddressSanitizer with UBSan
	scripts/sanitize.sh tsan
	scripts/sanitize.sh asan

fuzz:         ## libFuzzer on TARGET (all of them), for SECONDS (60) each
	scripts/fuzz.sh $(or $(SECONDS),60) $(TARGET)

lint:         ## formatting and static analysis, nothing is changed
	scripts/lint.sh

format:       ## the C++ sources rewritten in the project's format
	scripts/format.sh

clean:        ## what was built, virtual environments included; the data of served projects stays
	rm -rf build bin tests/node_modules examples/*/.venv

deps:
	scripts/install-deps.sh
