# Fuzzing. `make check` plays the kept corpora (fixtures/fuzz) and everything that once failed
# (fixtures/crash/fuzz-*); `make fuzz T=target S=seconds` searches, and needs clang.

FUZZ_CLANG ?= clang
S ?= 60
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c tests/fuzz/support*.c)
FUZZ_ALL := $(filter-out tests/fuzz/fuzz_main.c tests/fuzz/fuzz_replay.c tests/fuzz/fuzz_seeds.c, \
            $(FUZZ_SRC)) tests/unit/support_frames.c tests/unit/support_batch.c \
            adapters/cli/replay_trace.c
FUZZ_REPLAY := $(BUILD)/tests/fuzz_replay
FUZZ_SEEDS := $(BUILD)/tests/fuzz_seeds

EXTRA_TESTS += $(FUZZ_REPLAY)
extra-tests: $(FUZZ_REPLAY) $(FUZZ_SEEDS)

$(FUZZ_REPLAY): $(call objects,tests/fuzz/fuzz_replay.c $(FUZZ_ALL)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

# Writes the first inputs of each target; what searching added to them stands in the corpora.
$(FUZZ_SEEDS): $(call objects,tests/fuzz/fuzz_seeds.c $(FUZZ_ALL)) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

# Everything once more for libFuzzer, which wants to see every branch.
FUZZ_BUILD := $(BUILD)/fuzz
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz_objects = $(patsubst %.c,$(FUZZ_BUILD)/obj/%.o,$(1))
FUZZ_OBJECTS := $(call fuzz_objects,$(FUZZ_ALL) $(LIB_SRC))

$(FUZZ_BUILD)/obj/%.o: %.c Makefile tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(FUZZ_CLANG) -O1 -g $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link -std=c11 -I. \
	  -D_POSIX_C_SOURCE=200809L $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_BUILD)/libfuzzed.a: $(FUZZ_OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(FUZZ_BUILD)/fuzz_%: tests/fuzz/fuzz_main.c $(FUZZ_BUILD)/libfuzzed.a
	$(FUZZ_CLANG) -O1 -g $(FUZZ_SANITIZE) -fsanitize=fuzzer -std=c11 -I. -DFUZZ_TARGET=fuzz_$* \
	  -o $@ $^ $(PKG_LIBS)

# libFuzzer's own bookkeeping and ASan's quarantine come on top of the 64 MiB that a target
# may hold (tests/fuzz/fuzz.h counts them).
FUZZ_LIMITS := -timeout=5 -malloc_limit_mb=64 -rss_limit_mb=700 -max_len=8192 -entropic=0

.PHONY: fuzz fuzz-pack
fuzz: $(FUZZ_REPLAY) $(if $(T),$(FUZZ_BUILD)/fuzz_$(T))  ## search for inputs that break T=target, S=seconds
	@test -n "$(T)" || { echo 'which target? make fuzz T=batch S=60'; exit 1; }
	@mkdir -p $(FUZZ_BUILD)/corpus/$(T) $(FUZZ_BUILD)/found
	@$(FUZZ_REPLAY) --unpack $(T) $(FUZZ_BUILD)/corpus/$(T)
	ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=1 $(FUZZ_BUILD)/fuzz_$(T) \
	  $(FUZZ_LIMITS) -max_total_time=$(S) -dict=fixtures/fuzz/qianmo.dict -print_final_stats=1 \
	  -artifact_prefix=$(FUZZ_BUILD)/found/$(T)- $(FUZZ_BUILD)/corpus/$(T)

# Keeps what covers most with least of what was found.
fuzz-pack: $(FUZZ_REPLAY) $(if $(T),$(FUZZ_BUILD)/fuzz_$(T))  ## take what `make fuzz T=` found into fixtures/
	@rm -rf $(FUZZ_BUILD)/merged/$(T) && mkdir -p $(FUZZ_BUILD)/merged/$(T)
	$(FUZZ_BUILD)/fuzz_$(T) -merge=1 -max_len=4096 $(FUZZ_BUILD)/merged/$(T) \
	  $(FUZZ_BUILD)/corpus/$(T)
	$(FUZZ_REPLAY) --pack $(T) $(FUZZ_BUILD)/merged/$(T)

-include $(FUZZ_OBJECTS:.o=.d) $(patsubst %.o,%.d,$(call objects,$(FUZZ_SRC)))
