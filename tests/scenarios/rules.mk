.PHONY: scenarios
scenarios:  ## play the five scenarios of fixtures/scenarios over TLS (VIA=memory: in one process)
	@$(MAKE) -j$(JOBS) all
	@BUILD=$(BUILD) tests/scenarios/play
