# Everything that a user or a developer does is one word here; the build itself is CMake's.
#   make demo       train a small model and watch its curve
#   make test       build, and pass every test
# Both install what is missing: Debian packages (as root, or with sudo), Python packages and a
# Kubernetes API server into the user's cache.

PREFIX ?= /usr/local
BUILD_PACKAGES = gcc make cmake ninja-build pkg-config libcurl4-openssl-dev|libcurl4-gnutls-dev libjson-c-dev \
	protobuf-c-compiler libprotobuf-c-dev
STATIC_PACKAGES = $(BUILD_PACKAGES) libssl-dev dpkg-dev
DEMO_PACKAGES = $(BUILD_PACKAGES) python3 python3-venv
TEST_PACKAGES = $(DEMO_PACKAGES) g++ locales clang libclang-rt-dev|libclang-rt-14-dev libcmocka-dev openssl strace e2fsprogs \
	man-db socat perl ruby nodejs rustc default-jdk-headless|openjdk-17-jdk-headless|openjdk-21-jdk-headless
VENV = $$(scripts/make-venv)
PYTHON = $(VENV)/bin/python
# Tests train with the frameworks that are small, too.
TEST_PYTHON = $$(scripts/make-venv tests/trainers/small.txt)/bin/python
TRAINERS = tests/trainers/nodeps.txt tests/trainers/torch-cpu tests/trainers/small.txt tests/trainers/all.txt
# What goes well is not worth reading.
QUIET = >build/build.log 2>&1 || { cat build/build.log; exit 1; }

.PHONY: help
help:
	@echo "make demo          train a small model and watch its curve (a Result as a file)"
	@echo "make demo-cluster  the same against a real Kubernetes API server"
	@echo "make test          build with gcc and clang, and pass every test, with sanitizers too"
	@echo "make test-long     every fault in every way: kills, failing calls, the network; a soak (hours)"
	@echo "make test-trainers train with 20 frameworks, and compare (3.5 GB of Python packages)"
	@echo "make fuzz          throw random input at every parser for FUZZ_SECONDS (3600)"
	@echo "make bench         measure speed and size"
	@echo "make build         build/release/agent/experiments-agent"
	@echo "make static        build/static/agent/experiments-agent, one file of 5 MB that needs no other"
	@echo "make install       into PREFIX ($(PREFIX)), below DESTDIR"
	@echo "make clean         remove build/"

# --- build ---

.PHONY: build
build: packages-build
	@mkdir -p build
	@{ cmake --preset release && cmake --build --preset release; } $(QUIET)

# With a curl of its own, which is built once.
.PHONY: static
static: packages-static
	@mkdir -p build
	@curl=$$(scripts/make-static-curl) && \
		{ cmake --preset static -DCMAKE_PREFIX_PATH=$$curl && cmake --build --preset static; } $(QUIET)

.PHONY: install
install: build
	cmake --install build/release --prefix $(PREFIX)

.PHONY: clean
clean:
	rm -rf build

.PHONY: packages-build packages-static packages-demo packages-test
packages-build:
	@scripts/install-packages '$(subst $() $(),' ',$(strip $(BUILD_PACKAGES)))'
packages-static:
	@scripts/install-packages '$(subst $() $(),' ',$(strip $(STATIC_PACKAGES)))'
packages-demo:
	@scripts/install-packages '$(subst $() $(),' ',$(strip $(DEMO_PACKAGES)))'
packages-test:
	@scripts/install-packages '$(subst $() $(),' ',$(strip $(TEST_PACKAGES)))'

# --- demo ---

.PHONY: demo demo-cluster
demo: packages-demo build
	@exec $(PYTHON) demo/demo.py

demo-cluster: packages-demo build
	@$(PYTHON) tests/cluster/apiserver.py build
	@exec $(PYTHON) demo/demo.py --cluster

# --- test ---

# Warnings are errors with both compilers; every test runs with and without sanitizers.
.PHONY: test
test: packages-test
	@mkdir -p build
	@$(TEST_PYTHON) tests/cluster/apiserver.py build
	@for preset in dev asan clang fuzz; do \
		echo "== $$preset: build" && \
		{ cmake --preset $$preset -DPython3_EXECUTABLE=$(TEST_PYTHON) && cmake --build --preset $$preset; } $(QUIET); \
	done
	@echo "== dev: tests" && ctest --preset dev -LE long --no-tests=error
	@echo "== asan: tests" && ctest --preset asan -LE long --no-tests=error
	@echo "== fuzz: tests" && ctest --preset fuzz --no-tests=error

.PHONY: test-long
test-long: packages-test
	@mkdir -p build
	@$(TEST_PYTHON) tests/cluster/apiserver.py build
	@{ cmake --preset dev -DPython3_EXECUTABLE=$(TEST_PYTHON) && cmake --build --preset dev; } $(QUIET)
	@ctest --preset dev -C Long -L long --no-tests=error

# Stops at the first input that is too much; build/fuzz-corpus has it, and what was learned.
FUZZ_SECONDS ?= 3600
.PHONY: fuzz
fuzz: packages-test
	@mkdir -p build
	@{ cmake --preset fuzz -DPython3_EXECUTABLE=$(PYTHON) && cmake --build --preset fuzz; } $(QUIET)
	@tests/fuzz/run $(FUZZ_SECONDS)

# Frameworks too large for every test. When all of them have run, the tables in docs/trainers.md are theirs.
.PHONY: test-trainers
test-trainers: packages-test build
	@python=$$(scripts/make-venv $(TRAINERS))/bin/python && \
	EXPERIMENTS_AGENT=$(CURDIR)/build/release/agent/experiments-agent EXPERIMENTS_REPORT=$(CURDIR)/docs/trainers.md \
		PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $$python -m pytest -q -p no:cacheprovider tests/trainers/test_trainers.py \
		tests/reporters/test_adapters.py; \
		status=$$?; sed -n '/<!-- runs -->/,/<!-- .runs -->/p' docs/trainers.md; exit $$status

# --- bench ---

.PHONY: bench
bench: packages-test build static
	@$(PYTHON) tests/cluster/apiserver.py build
	@$(PYTHON) tests/bench/bench.py
	@$(PYTHON) tests/bench/bench_socket.py
	@$(PYTHON) tests/bench/bench_costs.py
	@$(PYTHON) tests/bench/bench_run.py
	@$(PYTHON) tests/bench/bench_report_c.py
	@$$(scripts/make-venv tests/bench/report.txt)/bin/python tests/bench/bench_report.py
