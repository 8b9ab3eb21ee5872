#!/bin/sh
# The data layer of an app (tests/java/sample) with a hub.
exec tests/java/jvm Sample
