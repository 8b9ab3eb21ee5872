# Measuring. `make bench` builds optimised (across files, too), plays the traces, checks each
# run's result before it prints a figure, and writes build/bench.json. Ratios of one run can be
# compared; figures of different machines cannot.
RUNS ?= 5
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_CLI := adapters/cli/replay_trace.c adapters/cli/replay_play.c adapters/cli/replay_process.c
BENCH_BUILD := $(BUILD)/lto
BENCH_CFLAGS := -O3 -g -march=native -flto=auto

.PHONY: bench
bench: deps  ## measure, five runs each (ten minutes); RUNS=n SUITE="grid …"
	@$(MAKE) BUILD=$(BENCH_BUILD) CFLAGS='$(BENCH_CFLAGS)' $(BENCH_BUILD)/bench $(BENCH_BUILD)/qianmod
	@mkdir -p build/bench
	@COMMIT=$$(git rev-parse --short HEAD 2>/dev/null) $(BENCH_BUILD)/bench --runs $(RUNS) \
	  --json build/bench.json $(BENCH_OPTIONS) $(SUITE)

.PHONY: bench-text
bench-text:  ## measure typing alone
	@$(MAKE) bench SUITE=text

# The peers are installed into build/, by their exact versions, and played before qianmo's own
# figures in the same run.
PEER_RUNS ?= 3
PEERS_DIR := build/peers
PEERS_C := $(addprefix tests/bench/,bench.c report.c) $(BENCH_CLI)

.PHONY: bench-peers bench-readme
bench-peers: deps  ## measure the peers too, and print ratios (Node >= 20, npm; up to an hour; PEER_RUNS=n)
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && \
	  npm --version >/dev/null 2>&1 || \
	  { echo 'bench-peers needs Node 20 or newer, and npm' >&2; exit 1; }
	@mkdir -p $(PEERS_DIR)
	@cp tests/bench/peers/*.mjs tests/bench/peers/*.json $(PEERS_DIR)
	@cd $(PEERS_DIR) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(MAKE) BUILD=$(BENCH_BUILD) CFLAGS='$(BENCH_CFLAGS)' $(BENCH_BUILD)/sqlite_sync
	@COMMIT=$$(git rev-parse --short HEAD 2>/dev/null) QIANMO_ROOT=$(CURDIR) SQLITE_SYNC=$(CURDIR)/$(BENCH_BUILD)/sqlite_sync \
	  node $(PEERS_DIR)/run.mjs $(PEER_RUNS) $(PEERS) || echo 'bench-peers: not all peers have figures' >&2
	@$(MAKE) bench BENCH_OPTIONS='--peers build/bench-peers.json'

bench-readme:  ## write the tables of README.md from build/bench.json and build/bench-peers.json
	@perl tests/bench/readme.pl

$(BUILD)/sqlite_sync: $(call objects,tests/bench/peers/sqlite_sync.c $(PEERS_C)) $(LIB)
	$(LINK) -o $@ $^ $(PKG_LIBS) -lm

$(BUILD)/bench: $(call objects,$(BENCH_SRC) $(BENCH_CLI)) $(LIB)
	$(LINK) -o $@ $^ $(PKG_LIBS) -lm

-include $(patsubst %.o,%.d,$(call objects,$(BENCH_SRC) tests/bench/peers/sqlite_sync.c))
