# The Node binding: Debian's nodejs, and koffi from npm into $(BUILD)/node.
KOFFI := 3.3.4

$(BUILD)/node/node_modules/koffi/package.json:
	@mkdir -p $(BUILD)/node
	cd $(BUILD)/node && npm install --no-save --silent koffi@$(KOFFI)

.PHONY: check-node
check-node: deps  ## run the table of calls and a round with a hub through the Node binding
	@for t in node npm openssl; do command -v $$t >/dev/null || exec $(MAKE) deps DEPS='nodejs npm openssl'; done
	@$(MAKE) -j$(JOBS) all
	@$(MAKE) $(BUILD)/node/node_modules/koffi/package.json
	@BUILD=$(BUILD) tests/run -j $(JOBS) tests/node/table.js
