# qianmo: `make help` lists the targets. Sources are found by their place in the
# tree; objects go to $(BUILD). Everything comes from Debian packages (see DEPS).

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= 2
MAKEFLAGS += --no-print-directory

DEPS := gcc make pkg-config libuv1-dev libsqlite3-dev libmsgpack-dev libssl-dev libzstd-dev \
        zlib1g-dev libutf8proc-dev libjansson-dev libcmocka-dev
LIB_MODULES := libuv sqlite3 msgpack libssl libcrypto libzstd zlib libutf8proc jansson

# Evaluated at first use and once: pkg-config may be what `make deps` installs.
pkg_once = $(eval $(1) := $$(shell pkg-config $(2)) $(3))$($(1))
PKG_CFLAGS = $(call pkg_once,PKG_CFLAGS,--cflags $(LIB_MODULES) cmocka)
PKG_LIBS = $(call pkg_once,PKG_LIBS,--libs $(LIB_MODULES),-lm)
TEST_LIBS = $(call pkg_once,TEST_LIBS,--libs cmocka)

WARNINGS := -Wall -Wextra -Wshadow -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef -Wpointer-arith
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif

ifeq ($(SANITIZE),thread)
CFLAGS ?= -O1 -g
SANITIZERS := -fsanitize=thread -fno-omit-frame-pointer
else ifdef SANITIZE
CFLAGS ?= -O1 -g
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
CFLAGS ?= -O2 -g
NO_UNDEFINED := -Wl,--no-undefined
endif
ALL_CFLAGS = $(CFLAGS) $(SANITIZERS) -std=c11 $(WARNINGS) -I. $(PKG_CFLAGS)
LINK = $(CC) $(CFLAGS) $(SANITIZERS) $(LDFLAGS) -Wl,--as-needed

CORE_SRC := $(wildcard core/*.c core/crdt/*.c)
LIB_SRC := $(CORE_SRC) $(wildcard sync/*.c sync/uv/*.c adapters/sqlite/*.c adapters/json/*.c \
           adapters/handle/*.c)
# QM_NO_NET=1: without libuv, sockets and TLS; stand-ins take their place (SPEC S24.13).
ifdef QM_NO_NET
LIB_MODULES := $(filter-out libuv libssl zlib,$(LIB_MODULES))
LIB_SRC := $(filter-out sync/uv/% sync/tls%,$(LIB_SRC)) $(wildcard adapters/handle/no_net/*.c)
endif
# One rule for adapters/cli: qianmod*.c is the hub's, i18n*.c and cli_*.c are shared,
# the rest is the command's.
CLI_ALL := $(wildcard adapters/cli/*.c)
CLI_SHARED := $(wildcard adapters/cli/i18n*.c adapters/cli/cli_*.c)
CLI_HUB := $(wildcard adapters/cli/qianmod*.c)
CLI_COMMAND := $(filter-out $(CLI_SHARED) $(CLI_HUB),$(CLI_ALL))

TEST_DIRS := unit store prop
TEST_SRC := $(wildcard $(TEST_DIRS:%=tests/%/test_*.c))
SUPPORT_SRC := $(wildcard $(TEST_DIRS:%=tests/%/support*.c))
ifdef QM_NO_NET
TEST_SRC := $(shell grep -LE 'sync/(uv/|tls)|support_(hub|live)|qianmod' $(TEST_SRC)) \
            tests/unit/no_net_link.c
SUPPORT_SRC := $(shell grep -LE 'sync/(uv/|tls)|support_(hub|live)' $(SUPPORT_SRC))
endif
E2E := $(wildcard tests/e2e/*.sh)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
VERSION := 0.1.0
SONAME := libqianmo.so.0
LIB := $(BUILD)/libqianmo.a
SHARED := $(BUILD)/libqianmo.so
PROGRAMS := $(if $(wildcard adapters/cli/qianmo.c),$(BUILD)/qianmo) \
            $(if $(wildcard adapters/cli/qianmod.c),$(BUILD)/qianmod)
TESTS := $(BUILD)/tests/core_alone \
         $(foreach t,$(TEST_SRC),$(BUILD)/tests/$(basename $(notdir $(t))))

.PHONY: all help year deps demo check check-run asan asan-run tsan tsan-run lint words tests install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIB) $(SHARED) $(PROGRAMS)  ## build the libraries and the programs (default)

help:  ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

deps:  ## install the Debian packages that are missing
	@if ! command -v dpkg-query >/dev/null; then \
	  pkg-config --exists $(LIB_MODULES) cmocka && exit 0; \
	  echo 'not Debian: install the libraries of $(LIB_MODULES) cmocka' >&2; exit 1; \
	fi; \
	missing=; for p in $(DEPS); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || \
	    missing="$$missing $$p"; \
	done; \
	test -z "$$missing" && exit 0; \
	if test "$$(id -u)" = 0; then as=env; \
	elif sudo -n true 2>/dev/null; then as='sudo -n env'; \
	else echo "run this first: sudo apt-get install$$missing" >&2; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$as apt-get -q update </dev/null && \
	$$as DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
	  $$missing </dev/null

demo: deps  ## show two phones and a hub at work (KEEP=1 keeps their files)
	@$(MAKE) all
	@BUILD=$(BUILD) KEEP=$(KEEP) tests/e2e/demo

check: deps  ## lint, build and run all tests
	@$(MAKE) check-run LINTERS='tests/lint/lint tests/lint/lint_test tests/lint/rules tests/lint/programs'

asan: deps  ## build with AddressSanitizer and UBSan and run all tests
	@$(MAKE) check-run BUILD=$(BUILD)/asan SANITIZE=1

# What has threads: the hub's loops and store threads, the handle, live push between them.
TSAN_TESTS = $(foreach t,test_live test_live_handle test_uv_hub test_uv_many test_uv_shards test_handle,$(BUILD)/tests/$(t))

tsan: deps  ## build with ThreadSanitizer and run the tests that have threads
	@$(MAKE) tsan-run BUILD=$(BUILD)/tsan SANITIZE=thread

tsan-run:
	@$(MAKE) -j$(JOBS) $(TSAN_TESTS) || { echo '0 passed, 1 failed'; exit 1; }
	@BUILD=$(BUILD) TSAN_OPTIONS='halt_on_error=1 $(TSAN_OPTIONS)' tests/run -j $(JOBS) $(TSAN_TESTS)

# A build that fails counts as a failed test, so that the last line is always a sum.
check-run:
	@$(MAKE) -j$(JOBS) all tests || { echo '0 passed, 1 failed'; exit 1; }
	@BUILD=$(BUILD) tests/run -j $(JOBS) $(LINTERS) $(TESTS) $(EXTRA_TESTS) $(E2E)

extra-tests:

tests: $(TESTS) extra-tests  ## build the test programs

year: $(BUILD)/tests/test_year  ## play a year of edits and show that what is stored stays small
	@QM_YEAR_DAYS=$(or $(YEAR_DAYS),365) $(BUILD)/tests/test_year

words:  ## core/words.c from fixtures/dictionary/words.txt
	@perl fixtures/dictionary/words.pl >core/words.c.new && mv core/words.c.new core/words.c

lint:  ## check the rules of layering and form
	@tests/lint/lint

$(LIB): $(call objects,$(LIB_SRC))
	@rm -f $@
	$(AR) rcs $@ $^

# Symbols carry a version, and nothing but the header's functions is there. (What a sanitizer
# adds must stay visible.)
EXPORTS := $(if $(SANITIZERS),,-Wl,--version-script=core/qianmo.map)

$(SHARED): $(call objects,$(LIB_SRC)) core/qianmo.map
	$(LINK) $(NO_UNDEFINED) -shared -Wl,-soname,$(SONAME) $(EXPORTS) -o $@ $(filter %.o,$^) \
	  $(PKG_LIBS)

$(BUILD)/qianmo: $(call objects,$(CLI_COMMAND) $(CLI_SHARED)) $(LIB)
	$(LINK) -o $@ $^ $(PKG_LIBS)

$(BUILD)/qianmod: $(call objects,$(CLI_HUB) $(CLI_SHARED)) $(LIB)
	$(LINK) -o $@ $^ $(PKG_LIBS)

# Whole objects and no archive: a symbol that core lacks stops the link.
$(BUILD)/tests/core_alone: $(call objects,tests/lint/core_alone.c $(CORE_SRC))
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

# A test may use the support files of its own directory.
define test_program
$(BUILD)/tests/$(basename $(notdir $(1))): $(call objects,$(1) \
    $(filter $(dir $(1))%,$(SUPPORT_SRC))) $(LIB)
	@mkdir -p $$(@D)
	$$(LINK) -o $$@ $$^ $$(TEST_LIBS) $$(PKG_LIBS)
endef
$(foreach t,$(TEST_SRC),$(eval $(call test_program,$(t))))

# core and sync are plain C11 and watch their conversions; what meets the system
# may use POSIX. Library symbols are hidden unless qianmo.h exports them.
posix_dirs := sync/uv/% adapters/% tests/%
library_dirs := core/% sync/% adapters/sqlite/% adapters/json/% adapters/handle/%
flags_of = $(if $(filter $(posix_dirs),$(1)),-D_POSIX_C_SOURCE=200809L,-Wconversion) \
           $(if $(filter $(library_dirs),$(1)),-fPIC -fvisibility=hidden) \
           $(if $(QM_NO_NET),-DQM_NO_NET)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call flags_of,$<) -MMD -MP -c -o $@ $<

install: all  ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig
	$(if $(strip $(PROGRAMS)),install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin)
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(SHARED) $(DESTDIR)$(PREFIX)/lib/libqianmo.so.$(VERSION)
	ln -sf libqianmo.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libqianmo.so
	install -d $(DESTDIR)$(PREFIX)/include/qianmo
	install -m 644 core/qianmo.h core/err.h core/slice.h $(DESTDIR)$(PREFIX)/include/qianmo
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: qianmo' 'Description: offline-first sync for household and incident records' \
	  'Version: $(VERSION)' 'Libs: -L$${libdir} -lqianmo' 'Libs.private: $(PKG_LIBS)' \
	  'Cflags: -I$${includedir}/qianmo' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/qianmo.pc

# Tests that are programs of another kind (simulator, fuzzers, fault runs) bring their own
# targets, and add to EXTRA_TESTS what belongs to `make check`.
include $(wildcard tests/*/rules.mk adapters/*/rules.mk)

clean:  ## remove what was built
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(call objects,$(LIB_SRC) $(CLI_ALL) $(TEST_SRC) $(SUPPORT_SRC) \
                                    tests/lint/core_alone.c))
