# The library for other machines and other C libraries, and the one that brings its dependencies
# along. These are built as static archives from Debian's source packages (adapters/native/
# sources, dependencies) into build/deps; nothing of that is part of `make check`.
#
# A toolchain, by the name of the target: compiler, prefix of its tools, OpenSSL's name for it,
# flags for everything, what CMake must know, and what runs its programs here.
DEPS_DIR := build/deps
NATIVE_DEPS := dpkg-dev cmake perl tcl binutils
MUSL_DEPS := musl-tools linux-libc-dev
CROSS_DEPS := qemu-user
CROSS_DEPS_aarch64 := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
CROSS_DEPS_armhf := gcc-arm-linux-gnueabihf libc6-dev-armhf-cross

native_cc := gcc
native_openssl := $(if $(filter aarch64,$(shell uname -m)),linux-aarch64,linux-x86_64)

musl_cc := musl-gcc
musl_openssl := $(native_openssl)
musl_flags := -idirafter $(CURDIR)/$(DEPS_DIR)/musl/kernel
musl_ldflags := -static

aarch64_cc := aarch64-linux-gnu-gcc
aarch64_tools := aarch64-linux-gnu-
aarch64_openssl := linux-aarch64
aarch64_cmake := -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
aarch64_run := qemu-aarch64 -L /usr/aarch64-linux-gnu

# Files beyond 2 GB and years beyond 2038 on 32 bits.
armhf_cc := arm-linux-gnueabihf-gcc
armhf_tools := arm-linux-gnueabihf-
armhf_openssl := linux-armv4
armhf_flags := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
armhf_cmake := -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=armv7l
armhf_run := qemu-arm -L /usr/arm-linux-gnueabihf

# $(1): target. Builds what it is linked with, once.
port_parts = CC='$($(1)_cc)' AR='$($(1)_tools)ar' RANLIB='$($(1)_tools)ranlib' HOST_CC=gcc \
  FLAGS='$($(1)_flags)' OPENSSL_TARGET=$($(1)_openssl) CMAKE_OPTIONS='$($(1)_cmake)' JOBS=$(JOBS) \
  adapters/native/dependencies $(DEPS_DIR) $(1)

# The same Makefile with that in the place of what pkg-config says.
port_dir = $(CURDIR)/$(DEPS_DIR)/$(1)
port_archives = $(foreach n,uv ssl crypto sqlite3 zstd utf8proc jansson z,$(port_dir)/lib/lib$(n).a)
port_make = $(MAKE) BUILD=build/$(1) CC='$(if $(CCACHE),$(CCACHE) )$($(1)_cc)' AR='$($(1)_tools)ar' \
  TOOLS='$($(1)_tools)' CFLAGS='-O2 -g -ffunction-sections -fdata-sections $($(1)_flags)' \
  LDFLAGS='-Wl,--gc-sections -Wl,-z,max-page-size=16384 -Wl,-z,relro,-z,now -Wl,--build-id $($(1)_ldflags)' \
  PKG_CFLAGS='-isystem $(port_dir)/include' PKG_LIBS='$(port_archives) -lm -lpthread' \
  TEST_LIBS='$(port_dir)/lib/libcmocka.a'

# musl-gcc looks into its own headers only; those of the kernel are added by name.
MUSL_KERNEL := $(DEPS_DIR)/musl/kernel
$(MUSL_KERNEL):
	@mkdir -p $@.new
	@ln -sfn /usr/include/linux $@.new/linux
	@ln -sfn /usr/include/asm-generic $@.new/asm-generic
	@ln -sfn /usr/include/$$(gcc -print-multiarch)/asm $@.new/asm
	@mv $@.new $@

.PHONY: self-contained native-parts native-sources
native-sources:
	@$(MAKE) deps DEPS='$(NATIVE_DEPS)'
	@adapters/native/sources $(DEPS_DIR)

native-parts: native-sources $(if $(filter musl,$(TARGET)),$(MUSL_KERNEL))
	@$(call port_parts,$(TARGET))

# As it is shipped, with its symbols in a file beside it.
$(BUILD)/stripped/libqianmo.so: $(SHARED)
	@mkdir -p $(@D)
	$(TOOLS)objcopy --only-keep-debug $< $@.debug
	$(TOOLS)strip --strip-unneeded -o $@ $<
	cd $(@D) && $(TOOLS)objcopy --add-gnu-debuglink=$(@F).debug $(@F)

# $(1): target, $(2): programs. What an app packs, and the tests that run against it. A test that
# starts qianmod finds in $BUILD one that can be started here.
port_run = mkdir -p build/$(1)/here && \
  printf '%s\n' '\#!/bin/sh' 'exec $($(1)_run) $(CURDIR)/build/$(1)/qianmod "$$@"' >build/$(1)/here/qianmod && \
  chmod +x build/$(1)/here/qianmod && \
  BUILD=build/$(1)/here LIBRARY=build/$(1)/stripped/libqianmo.so TARGET=$(1) CC='$($(1)_cc)' \
  FLAGS='$($(1)_flags)' TOOLS='$($(1)_tools)' RUNNER='$($(1)_run)' TEST_SECONDS=1800 \
  tests/run -j $(JOBS) $(2)

# A few tests to each of what is linked in.
SELF_TESTS := $(addprefix build/native/tests/,test_mp test_zip test_norm test_hash test_crypto \
  test_ca test_tls test_store_sqlite test_query test_schema_json test_handle test_handle_hub \
  test_uv_hub)

self-contained: deps  ## build libqianmo.so with all its dependencies inside, and check it
	@$(MAKE) native-parts TARGET=native
	@$(call port_make,native) -j$(JOBS) build/native/stripped/libqianmo.so $(SELF_TESTS)
	@$(call port_run,native,tests/native/library $(SELF_TESTS))

# All unit, store and property tests on another C library or another machine.
port_tests = build/$(1)/tests/core_alone \
  $(foreach t,$(TEST_SRC),build/$(1)/tests/$(basename $(notdir $(t))))

.PHONY: port plain-tests
plain-tests: $(if $(QM_NO_NET),$(SHARED)) $(TESTS)

port:
	@$(MAKE) native-parts TARGET=$(TARGET)
	@$(call port_make,$(TARGET)) -j$(JOBS) plain-tests build/$(TARGET)/qianmod $(PORT_ALSO) || \
	  { echo '0 passed, 1 failed'; exit 1; }
	@$(call port_run,$(TARGET),$(PORT_SCRIPTS) $(call port_tests,$(TARGET)))

.PHONY: musl cross
musl: deps  ## build statically against musl, and run the unit, store and property tests
	@$(MAKE) deps DEPS='$(MUSL_DEPS)'
	@$(MAKE) port TARGET=musl

cross: deps  ## build for TARGET=aarch64 or armhf, check the library, and run the same tests in qemu
	@test -n '$(CROSS_DEPS_$(TARGET))' || { echo 'TARGET=aarch64 or TARGET=armhf' >&2; exit 1; }
	@$(MAKE) deps DEPS='$(CROSS_DEPS) $(CROSS_DEPS_$(TARGET))'
	@$(MAKE) port TARGET=$(TARGET) PORT_ALSO=build/$(TARGET)/stripped/libqianmo.so \
	  PORT_SCRIPTS=tests/native/library

# Without the network: what is used of other libraries is looked up in what was built.
no_net_make = $(MAKE) BUILD=build/no-net QM_NO_NET=1
.PHONY: no-net no-net-run
no-net: deps  ## build without libuv, sockets and TLS, and run the tests that need none
	@$(no_net_make) no-net-run

no-net-run:
	@$(MAKE) -j$(JOBS) plain-tests || { echo '0 passed, 1 failed'; exit 1; }
	@BUILD=$(BUILD) tests/run -j $(JOBS) tests/native/no_net $(TESTS)

# `make check` runs its test against the ordinary library, before whose objects the stand-ins
# are linked.
NO_NET_LINK := $(BUILD)/tests/no_net_link
NO_NET_OBJECTS := $(call objects,tests/unit/no_net_link.c $(wildcard adapters/handle/no_net/*.c) \
  $(addprefix tests/unit/support_,handle.c dir.c))
ifndef QM_NO_NET
$(BUILD)/obj/no_net/handle_link.o: adapters/handle/handle_link.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call flags_of,$<) -DQM_NO_NET -MMD -MP -c -o $@ $<

$(NO_NET_LINK): $(NO_NET_OBJECTS) $(BUILD)/obj/no_net/handle_link.o $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

EXTRA_TESTS += $(NO_NET_LINK)
extra-tests: $(NO_NET_LINK)
endif

-include $(NO_NET_OBJECTS:.o=.d) $(BUILD)/obj/no_net/handle_link.d
