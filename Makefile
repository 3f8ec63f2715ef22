# A short front for Meson. `make` builds, `make demo` shows, `make check` tests; see README.md.
BUILD ?= build
CC ?= cc
.PHONY: all setup demo check check-sanitized bench fuzz format install clean

all: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=debugoptimized >/dev/null
	@ninja -C $(BUILD) steward

setup:
	@tools/setup

demo: all
	@STEWARD=$(BUILD)/steward tools/demo

# Every test twice: as built for use, and under AddressSanitizer and UndefinedBehaviorSanitizer.
check: setup
	@tools/check $(BUILD) $(BUILD)-asan

# Beside the peers, as ratios; ONLY=predict runs one comparison. Writes $(BUILD)/bench.json.
ONLY ?=
bench: setup
	@tools/bench $(BUILD)-bench $(BUILD)/bench.json $(ONLY)

# Builds the fuzz targets with libFuzzer and runs each for SECONDS.
SECONDS ?= 60
fuzz: setup
	@tools/fuzz $(BUILD)-fuzz $(SECONDS)

format:
	@find src include tests fuzz bench -name '*.[ch]' | xargs clang-format-14 -i --style=file

# What is installed, without the tests.
install: all
	@ninja -C $(BUILD) installed
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-bench $(BUILD)-fuzz
