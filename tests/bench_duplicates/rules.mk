# How long likely duplicates take on many records.
BENCH_DUPLICATES_SRC := tests/bench_duplicates/bench_duplicates.c
BENCH_DUPLICATES := $(BUILD)/bench_duplicates
RECORDS ?= 100000

$(BENCH_DUPLICATES): $(call objects,$(BENCH_DUPLICATES_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

.PHONY: bench-duplicates
bench-duplicates: $(BENCH_DUPLICATES)  ## fill RECORDS records, and time their likely duplicates
	@$(BENCH_DUPLICATES) $(RECORDS)

-include $(patsubst %.o,%.d,$(call objects,$(BENCH_DUPLICATES_SRC)))
