# The simulator. Its disks stand in for the few system calls that the store makes beside
# SQLite, so those are wrapped at link time.
SIM_SRC := $(wildcard tests/sim/*.c)
SIM_WRAP := -Wl,--wrap=open,--wrap=close,--wrap=fsync,--wrap=stat,--wrap=unlink
SEED ?= 1
SEEDS ?= 40
DAYS ?= 10

$(BUILD)/sim: $(call objects,$(SIM_SRC)) $(LIB)
	$(LINK) $(SIM_WRAP) -o $@ $^ $(PKG_LIBS)

# Device-days in `make check`: eight devices, so many seeds of so many days.
$(BUILD)/tests/sim_short: $(BUILD)/sim tests/sim/rules.mk
	@mkdir -p $(@D)
	@printf '%s\n' '#!/bin/sh' \
	  'SEED=$${SEED:-1} SEEDS=$(SIM_CHECK_SEEDS) DAYS=6 KEEP=fixtures/crash \' \
	  '  exec $(abspath $(BUILD)/sim) -t' > $@
	@chmod +x $@

ifdef SANITIZE
SIM_CHECK_SEEDS ?= 14
else
SIM_CHECK_SEEDS ?= 42
endif

# What once failed is played again.
SIM_SCRIPTS := $(wildcard fixtures/crash/sim-*)
$(BUILD)/tests/sim_scripts: $(BUILD)/sim $(SIM_SCRIPTS) tests/sim/rules.mk
	@mkdir -p $(@D)
	@printf '%s\n' '#!/bin/sh' 'exec $(abspath $(BUILD)/sim) -t $(SIM_SCRIPTS)' > $@
	@chmod +x $@

# Planted bugs whose place in the source has moved are planted no more.
$(BUILD)/tests/sim_mutants: tests/sim/rules.mk
	@mkdir -p $(@D)
	@printf '%s\n' '#!/bin/sh' 'exec perl tests/sim/mutants.pl -n' > $@
	@chmod +x $@

SIM_TESTS := $(BUILD)/tests/sim_short $(BUILD)/tests/sim_mutants $(if $(SIM_SCRIPTS),$(BUILD)/tests/sim_scripts)
EXTRA_TESTS += $(SIM_TESTS)
extra-tests: $(SIM_TESTS)

.PHONY: sim sim-mutants
sim: $(BUILD)/sim  ## simulate SEEDS worlds from SEED on, DAYS days each; or SCRIPT=file
	@SEED=$(SEED) SEEDS=$(SEEDS) DAYS=$(DAYS) KEEP=fixtures/crash $(BUILD)/sim $(SCRIPT)

sim-mutants: $(BUILD)/sim  ## plant every bug of tests/sim/mutants.pl and see that the simulator finds it
	@BUILD=$(BUILD) CC='$(CC)' CFLAGS='$(CFLAGS)' PKG_CFLAGS='$(PKG_CFLAGS)' \
	  PKG_LIBS='$(PKG_LIBS)' perl tests/sim/mutants.pl $(MUTANTS)

-include $(patsubst %.o,%.d,$(call objects,$(SIM_SRC)))
