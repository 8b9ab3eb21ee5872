# How long a search takes on many records.
BENCH_SEARCH_SRC := tests/bench_search/bench_search.c
BENCH_SEARCH := $(BUILD)/bench_search
RECORDS ?= 100000

$(BENCH_SEARCH): $(call objects,$(BENCH_SEARCH_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

.PHONY: bench-search
bench-search: $(BENCH_SEARCH)  ## fill RECORDS records, and time the first page of searches
	@$(BENCH_SEARCH) $(RECORDS)

-include $(patsubst %.o,%.d,$(call objects,$(BENCH_SEARCH_SRC)))
