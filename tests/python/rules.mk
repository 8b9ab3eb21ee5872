# The Python binding: it needs no build and nothing but Debian's python3.
.PHONY: check-python
check-python: deps  ## run the table of calls and a round with a hub through the Python binding
	@for t in python3 openssl; do command -v $$t >/dev/null || exec $(MAKE) deps DEPS='python3 openssl'; done
	@$(MAKE) -j$(JOBS) all
	@BUILD=$(BUILD) tests/run -j $(JOBS) tests/python/layout.py tests/python/table.py \
	  tests/python/round.py
