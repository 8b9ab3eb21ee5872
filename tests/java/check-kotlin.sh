#!/bin/sh
# The Kotlin layer with a hub.
build=${BUILD:-build}/java
lib=$build/node_modules/kotlin-compiler/lib
CLASSES=$build/kotlin:$lib/kotlin-stdlib.jar:$lib/kotlinx-coroutines-core-jvm.jar exec tests/java/jvm FlowsKt
