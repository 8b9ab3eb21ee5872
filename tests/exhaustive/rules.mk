# Every small program in every order, against a reference model.
EXHAUSTIVE_SRC := $(wildcard tests/exhaustive/*.c)
EXHAUSTIVE := $(BUILD)/tests/exhaustive
EXTRA_TESTS += $(EXHAUSTIVE)

$(EXHAUSTIVE): $(call objects,$(EXHAUSTIVE_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

extra-tests: $(EXHAUSTIVE)

.PHONY: exhaustive
exhaustive: $(EXHAUSTIVE)  ## check all small programs in all orders (about a minute)
	@$(EXHAUSTIVE) full

-include $(patsubst %.o,%.d,$(call objects,$(EXHAUSTIVE_SRC)))
