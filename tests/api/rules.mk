# The table of calls that every binding runs, through the header itself.
CALLS_SRC := tests/api/calls.c
CALLS := $(BUILD)/tests/calls
EXTRA_TESTS += $(CALLS)

$(CALLS): $(call objects,$(CALLS_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

extra-tests: $(CALLS)

-include $(patsubst %.o,%.d,$(call objects,$(CALLS_SRC)))

.PHONY: cold
cold: $(BUILD)/tests/test_phone  ## start an app on 100,000 records and show what that reads (a minute)
	@QM_COLD_RECORDS=100000 $(BUILD)/tests/test_phone
