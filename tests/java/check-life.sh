#!/bin/sh
# Threads, listeners, hooks, texts and leaks of the Java binding.
exec tests/java/jvm Life
