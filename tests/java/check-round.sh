#!/bin/sh
# Two phones and a hub through the Java binding.
exec tests/java/jvm Round
