# The Java binding, its Kotlin layer and the sample: a JDK from Debian, installed only for this, and
# the Kotlin compiler (with kotlinx-coroutines) from npm in $(BUILD)/java.
JAVA_DEPS := default-jdk-headless nodejs npm
KOTLIN := 2.4.20
JAVA := $(BUILD)/java
JAVA_SRC := $(wildcard adapters/java/org/qianmo/*.java)
JNI_SRC := $(wildcard adapters/java/jni/*.c)
JAVA_TESTS := $(wildcard tests/java/*.java tests/java/sample/*.java)
KOTLIN_LAYER := $(wildcard adapters/java/kotlin/*.kt)
KOTLIN_TESTS := $(wildcard tests/java/*.kt)
KOTLINC := $(JAVA)/node_modules/kotlin-compiler
# (Of options: newer JDKs say that 8 is old.)
JAVAC = javac --release 8 -encoding UTF-8 -Xlint:all,-options -Werror
# Where the javac that is found keeps jni.h.
JNI_FLAGS = $(shell d=$$(dirname "$$(readlink -f "$$(command -v javac)")")/../include; \
              echo "-I$$d -I$$d/linux")

$(JAVA)/libqianmo_jni.so: $(JNI_SRC) adapters/java/jni/qianmo_jni.h core/qianmo.h $(SHARED)
	@mkdir -p $(@D)
	ln -sf libqianmo.so $(BUILD)/$(SONAME)
	$(LINK) $(ALL_CFLAGS) -Wconversion -D_POSIX_C_SOURCE=200809L $(JNI_FLAGS) -fPIC \
	  -fvisibility=hidden $(NO_UNDEFINED) -shared -o $@ $(JNI_SRC) -L$(BUILD) -lqianmo \
	  -Wl,-rpath,'$$ORIGIN/..' -lpthread

$(JAVA)/classes.done: $(JAVA_SRC)
	@rm -rf $(JAVA)/classes && mkdir -p $(JAVA)/classes
	$(JAVAC) -d $(JAVA)/classes $(JAVA_SRC)
	@touch $@

$(JAVA)/tests.done: $(JAVA_TESTS) $(JAVA)/classes.done
	@rm -rf $(JAVA)/tests && mkdir -p $(JAVA)/tests
	$(JAVAC) -cp $(JAVA)/classes -d $(JAVA)/tests $(JAVA_TESTS)
	@touch $@

$(KOTLINC)/package.json:
	@mkdir -p $(JAVA)
	cd $(JAVA) && npm install --no-save --silent kotlin-compiler@$(KOTLIN)

KOTLIN_JARS := $(KOTLINC)/lib/kotlin-stdlib.jar:$(KOTLINC)/lib/kotlinx-coroutines-core-jvm.jar
$(JAVA)/kotlin.done: $(KOTLIN_LAYER) $(KOTLIN_TESTS) $(JAVA)/tests.done | $(KOTLINC)/package.json
	@rm -rf $(JAVA)/kotlin && mkdir -p $(JAVA)/kotlin
	java -Xmx1g -cp $(KOTLINC)/lib/kotlin-compiler.jar org.jetbrains.kotlin.cli.jvm.K2JVMCompiler \
	  -kotlin-home $(KOTLINC) -no-stdlib -no-reflect -jvm-target 1.8 -Werror -Xexplicit-api=strict \
	  -cp $(KOTLIN_JARS):$(JAVA)/classes -d $(JAVA)/kotlin $(KOTLIN_LAYER)
	java -Xmx1g -cp $(KOTLINC)/lib/kotlin-compiler.jar org.jetbrains.kotlin.cli.jvm.K2JVMCompiler \
	  -kotlin-home $(KOTLINC) -no-stdlib -no-reflect -jvm-target 1.8 -Werror \
	  -cp $(KOTLIN_JARS):$(JAVA)/classes:$(JAVA)/tests:$(JAVA)/kotlin -d $(JAVA)/kotlin $(KOTLIN_TESTS)
	@touch $@

.PHONY: check-java check-java-run
check-java: deps  ## run calls, a round with a hub, threads, leaks and a sample through the Java binding
	@test -e "$$(dirname "$$(readlink -f "$$(command -v javac)")")/../include/jni.h" || \
	  $(MAKE) deps DEPS='$(JAVA_DEPS)'
	@for t in java npm; do command -v $$t >/dev/null || exec $(MAKE) deps DEPS='$(JAVA_DEPS)'; done
	@$(MAKE) -j$(JOBS) all
	@$(MAKE) check-java-run

check-java-run: $(JAVA)/libqianmo_jni.so $(JAVA)/tests.done $(JAVA)/kotlin.done
	@BUILD=$(BUILD) tests/run -j $(JOBS) $(wildcard tests/java/check-*)
