#!/bin/sh
# fixtures/api/calls.json through the Java binding.
exec tests/java/jvm Table
