# Cuts at every byte and crashes at every write.
FAULTS_SRC := $(wildcard tests/faults/*.c)
FAULTS := $(BUILD)/tests/faults
EXTRA_TESTS += $(FAULTS)

# The hub of the TLS part is a process of its own.
$(FAULTS): $(call objects,$(FAULTS_SRC) adapters/cli/replay_process.c) $(LIB) | $(BUILD)/qianmod
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

extra-tests: $(FAULTS)

.PHONY: faults
faults: $(FAULTS)  ## cut a sync at every byte and crash at every write (some minutes)
	@$(FAULTS) full

-include $(patsubst %.o,%.d,$(call objects,$(FAULTS_SRC)))
