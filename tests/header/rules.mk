# The public header on its own: two compilers, its ABI, its reference, what generators of bindings
# need. clang, abigail-tools and python3 are installed only for this.
HEADER_DEPS := clang abigail-tools python3

.PHONY: check-header reference
check-header: deps  ## compile the header as C and C++ with gcc and clang, and compare its ABI
	@$(MAKE) deps DEPS='$(HEADER_DEPS)'
	@$(MAKE) -j$(JOBS) all
	@BUILD=$(BUILD) tests/run -j $(JOBS) tests/e2e/header.sh tests/e2e/embed.sh tests/header/abi tests/header/ffi

reference: ## write manual pages and one page of HTML about qianmo.h to $(BUILD)/reference
	@mkdir -p $(BUILD)/reference/man3
	@adapters/reference/reference man $(BUILD)/reference/man3
	@adapters/reference/reference html $(BUILD)/reference/qianmo.html
