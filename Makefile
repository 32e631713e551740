# SPDX-License-Identifier: Apache-2.0
# mod_lbsticky - `make help` lists what there is.
#
# Everything is built under $(B), once per variant: build/ is the product,
# build/asan, build/tsan and build/fuzz are the same sources instrumented.

B       = build
APXS    = apxs
FUZZ_TIME = 60
DESTDIR =
SELF    = $(MAKE) --no-print-directory

PURE    = base table member affinity pick state
ROOMS   = $(sort $(patsubst src/%/,%,$(wildcard src/*/)))

PURE_SRC  = $(sort $(foreach room,$(PURE),$(wildcard src/$(room)/*.c)))
MOD_SRC   = mod_lbsticky.c $(sort $(wildcard src/*/*.c))
UNIT_SRC  = $(sort $(wildcard t/unit/*/*.c))
FUZZ_SRC  = $(sort $(wildcard fuzz/fuzz_*.c))
BENCH_SRC = $(sort $(wildcard bench/bench_*.c bench/sim_*.c))
C_FILES   = $(sort $(wildcard *.[ch] src/*/*.[ch] t/unit/*.h t/unit/*/*.[ch] \
                              fuzz/*.[ch] bench/*.[ch]))

PURE_OBJ  = $(PURE_SRC:%.c=$(B)/%.o)
MOD_OBJ   = $(MOD_SRC:%.c=$(B)/%.o)
UNIT_BIN  = $(UNIT_SRC:%.c=$(B)/%)
FUZZ_BIN  = $(FUZZ_SRC:%.c=$(B)/%)
REPLAY    = $(FUZZ_SRC:fuzz/%.c=$(B)/fuzz/replay_%)
BENCH_BIN = $(BENCH_SRC:%.c=$(B)/%)
LIB       = $(B)/liblbs_pure.a
SO        = $(B)/mod_lbsticky.so

WARN    = -Wall -Wextra -Wshadow -Wconversion -Wcast-align \
          -Wstrict-prototypes -Werror
# LTO and the like come from the outside: make CFLAGS='-O3 -march=native'
ALL_CFLAGS = $(HTTPD_CFLAGS) $(CFLAGS) -std=gnu11 -fPIC -fvisibility=hidden \
             $(WARN) -I. $(HTTPD_INCLUDES) $(EXTRA)
MOD_LIBS   = -ljansson -lcurl
TEST_LIBS  = $(APR_LIBS) -ljansson -lpthread -lm

ASAN = B=build/asan EXTRA='-fsanitize=address,undefined \
       -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
TSAN = B=build/tsan EXTRA='-fsanitize=thread -fno-omit-frame-pointer'
FUZZ = B=build/fuzz CC=clang EXTRA='-fsanitize=fuzzer-no-link,address,undefined \
       -fno-sanitize-recover=undefined'

# What httpd was built with is asked once. Targets that must work before a
# compiler is installed (they install it) do not ask.
NO_CONFIG = test run bootstrap help clean format dist
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(B)/config.mk
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test install check lint unit corpus asan tsan bench fuzz \
        format dist clean help bootstrap FORCE

all: $(SO)                     ## the module: build/mod_lbsticky.so

$(B)/config.mk: Makefile
	@command -v $(APXS) >/dev/null || { \
	    echo "$(APXS) is missing: run tools/bootstrap build" >&2; exit 1; }
	@mkdir -p $(@D)
	@{ echo "CC := $$($(APXS) -q CC)"; \
	   echo "HTTPD_CFLAGS := $$($(APXS) -q CFLAGS) $$(apr-1-config --cppflags)"; \
	   echo "HTTPD_INCLUDES := -isystem $$($(APXS) -q INCLUDEDIR)" \
	        "-isystem $$(apr-1-config --includedir)"; \
	   echo "HTTPD_LDFLAGS := $$($(APXS) -q LDFLAGS)"; \
	   echo "APR_LIBS := $$(apu-1-config --link-ld) $$(apr-1-config --link-ld)"; \
	 } >$@

$(B)/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The list of objects is a prerequisite: a removed source makes a new archive.
$(B)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(MOD_OBJ)' | cmp -s - $@ || echo '$(MOD_OBJ)' >$@

$(SO): $(MOD_OBJ) $(B)/objects
	$(CC) -shared $(EXTRA) -o $@ $(MOD_OBJ) $(HTTPD_LDFLAGS) $(LDFLAGS) \
	    $(MOD_LIBS)

$(LIB): $(PURE_OBJ) $(B)/objects
	@rm -f $@
	ar rcs $@ $(PURE_OBJ)

$(UNIT_BIN) $(BENCH_BIN): $(B)/%: $(B)/%.o $(LIB)
	$(CC) $(EXTRA) -o $@ $< $(LIB) $(TEST_LIBS)

$(FUZZ_BIN): $(B)/%: $(B)/%.o $(LIB)
	$(CC) $(EXTRA) -fsanitize=fuzzer -o $@ $< $(LIB) $(TEST_LIBS)

$(REPLAY): $(B)/fuzz/replay_%: $(B)/fuzz/%.o $(B)/fuzz/replay.o $(LIB)
	$(CC) $(EXTRA) -o $@ $(filter %.o,$^) $(LIB) $(TEST_LIBS)

unit: $(UNIT_BIN)              ## unit tests
	prove -j2 -e '' $(UNIT_BIN)

help:                          ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

clean:                         ## remove all build products
	rm -rf build

-include $(wildcard $(B)/*.d $(B)/src/*/*.d $(B)/t/unit/*/*.d $(B)/fuzz/*.d \
                    $(B)/bench/*.d)
