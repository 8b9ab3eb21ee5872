# Counts that do not vary, as part of `make check`.
BENCH_SMOKE_SRC := tests/bench_smoke/smoke.c
BENCH_SMOKE := $(BUILD)/tests/bench_smoke
BENCH_SMOKE_WITH := $(addprefix tests/bench/,bench.c report.c village.c) \
                    $(addprefix adapters/cli/,replay_trace.c replay_play.c)

$(BENCH_SMOKE): $(call objects,$(BENCH_SMOKE_SRC) $(BENCH_SMOKE_WITH)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

EXTRA_TESTS += $(BENCH_SMOKE)
extra-tests: $(BENCH_SMOKE)

.PHONY: bench-smoke
bench-smoke: $(BENCH_SMOKE)  ## count allocations, bytes, statements, fsyncs, round trips; RECORD=1 keeps them
	@$(BENCH_SMOKE) $(if $(RECORD),--record)

-include $(patsubst %.o,%.d,$(call objects,$(BENCH_SMOKE_SRC)))
