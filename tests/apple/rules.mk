# The Apple layer: what can be looked at with clang and a Swift grammar; there is no Swift compiler
# in Debian. clang, node and the grammar are installed only for this.
APPLE_DEPS := clang python3 nodejs npm
TREE_SITTER := web-tree-sitter@0.20.8 tree-sitter-wasms@0.1.13

$(BUILD)/apple/node_modules/tree-sitter-wasms/package.json:
	@mkdir -p $(BUILD)/apple
	cd $(BUILD)/apple && npm install --no-save --silent $(TREE_SITTER)

.PHONY: check-apple
check-apple: deps  ## check the module map, the privacy manifest and the syntax of the Swift layer
	@for t in clang python3 node npm; do command -v $$t >/dev/null || exec $(MAKE) deps DEPS='$(APPLE_DEPS)'; done
	@$(MAKE) -j$(JOBS) all
	@$(MAKE) $(BUILD)/apple/node_modules/tree-sitter-wasms/package.json
	@BUILD=$(BUILD) tests/run -j $(JOBS) tests/apple/check-module.sh tests/apple/check-swift.js
