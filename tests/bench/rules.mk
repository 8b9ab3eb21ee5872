# Measuring. `make bench` builds optimised, plays the traces, checks each run's result before
# it prints a figure, and writes build/bench.json. Ratios of one run can be compared; figures
# of different machines cannot.
RUNS ?= 5
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_CLI := adapters/cli/replay_trace.c adapters/cli/replay_play.c adapters/cli/replay_process.c
BENCH_BUILD := $(BUILD)/o3

.PHONY: bench
bench: deps  ## measure, five runs each (some minutes); RUNS=n SUITE="grid …"
	@$(MAKE) BUILD=$(BENCH_BUILD) CFLAGS='-O3 -g -march=native' $(BENCH_BUILD)/bench $(BENCH_BUILD)/qianmod
	@mkdir -p build/bench
	@COMMIT=$$(git rev-parse --short HEAD 2>/dev/null) $(BENCH_BUILD)/bench --runs $(RUNS) \
	  --json build/bench.json $(SUITE)

.PHONY: bench-text
bench-text:  ## measure typing alone
	@$(MAKE) bench SUITE=text

$(BUILD)/bench: $(call objects,$(BENCH_SRC) $(BENCH_CLI)) $(LIB)
	$(LINK) -o $@ $^ $(PKG_LIBS) -lm

-include $(patsubst %.o,%.d,$(call objects,$(BENCH_SRC)))
