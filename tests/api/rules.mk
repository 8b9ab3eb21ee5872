# The table of calls that every binding runs, through the header itself.
CALLS_SRC := tests/api/calls.c
CALLS := $(BUILD)/tests/calls
EXTRA_TESTS += $(CALLS)

$(CALLS): $(call objects,$(CALLS_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

extra-tests: $(CALLS)

-include $(patsubst %.o,%.d,$(call objects,$(CALLS_SRC)))
