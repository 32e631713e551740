# SPDX-License-Identifier: Apache-2.0
# mod_lbsticky - `make help` lists what there is.
#
# Everything is built under $(B), once per variant: build/ is the product,
# build/asan, build/tsan and build/fuzz are the same sources instrumented.

B       = build
APXS    = apxs
FUZZ_TIME = 60
MINUTES = 5
FAULTS  = 20000
CHANGES = 10000
SEEDS   = 1000000
DESTDIR =
PREFIX  = /usr/local
# A Debian package says /usr/share/zsh/vendor-completions.
ZSH_DIR = $(PREFIX)/share/zsh/site-functions
STATE   = /var/lib/apache2/lbsticky
VERSION = 1.0
NAME    = mod_lbsticky-$(VERSION)
SELF    = $(MAKE) --no-print-directory

PURE    = base table evidence member affinity foreign roster sharing pick state preview view

PURE_SRC  = $(sort $(foreach room,$(PURE),$(wildcard src/$(room)/*.c)))
MOD_SRC   = mod_lbsticky.c $(sort $(wildcard src/*/*.c src/*/*/*.c))
UNIT_SRC  = $(sort $(wildcard t/unit/*/*.c))
TOOL_SRC  = $(sort $(wildcard t/tools/*.c))
LOAD_SRC  = $(sort $(wildcard t/preload/*.c t/modules/*.c))
FUZZ_SRC  = $(sort $(wildcard fuzz/fuzz_*.c))
BENCH_SRC = $(sort $(wildcard bench/bench_*.c bench/sim_*.c))
C_FILES   = $(sort $(wildcard *.[ch] src/*/*.[ch] src/*/*/*.[ch] t/unit/*.h t/unit/*/*.[ch] \
                              t/tools/*.c t/preload/*.[ch] t/modules/*.c fuzz/*.[ch] bench/*.[ch]))

ASSETS    = $(sort $(wildcard src/view/assets/*))

PURE_OBJ  = $(PURE_SRC:%.c=$(B)/%.o)
MOD_OBJ   = $(MOD_SRC:%.c=$(B)/%.o)
UNIT_BIN  = $(UNIT_SRC:%.c=$(B)/%)
TOOL_BIN  = $(TOOL_SRC:%.c=$(B)/%) $(LOAD_SRC:%.c=$(B)/%.so)
FUZZ_BIN  = $(FUZZ_SRC:%.c=$(B)/%)
REPLAY    = $(FUZZ_SRC:fuzz/%.c=$(B)/fuzz/replay_%)
BENCH_BIN = $(BENCH_SRC:%.c=$(B)/%)
LIB       = $(B)/liblbs_pure.a
SO        = $(B)/mod_lbsticky.so

# A warning stops nobody who only wants the module; in CI it does: .ci/run
# passes WERROR=-Werror, and t/lint/headers.t compiles all of it so.
WERROR  =
WARN    = -Wall -Wextra -Wshadow -Wconversion -Wcast-align \
          -Wstrict-prototypes $(WERROR)
# CPPFLAGS, CFLAGS and LDFLAGS are yours: make CFLAGS='-O3 -march=native'
ALL_CFLAGS = $(HTTPD_CFLAGS) $(CPPFLAGS) $(CFLAGS) -std=gnu11 -fPIC -fvisibility=hidden \
             $(WARN) $(ALIGN) -I. $(HTTPD_INCLUDES) $(EXTRA)
MOD_LIBS   = -ljansson -lcurl -lm $(CARES_LIBS)
TEST_LIBS  = $(APR_LIBS) -ljansson -lpthread -lm

ASAN = B=build/asan EXTRA='-fsanitize=address,undefined \
       -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
TSAN = B=build/tsan EXTRA='-fsanitize=thread -fno-omit-frame-pointer'
FUZZ = B=build/fuzz CC=clang EXTRA='-fsanitize=fuzzer-no-link,address,undefined \
       -fno-sanitize-recover=undefined'

# What httpd was built with is asked once. Targets that must work before a
# compiler is installed (they install it) do not ask.
NO_CONFIG = test check run cluster help clean format dist deb deb-life deb-check \
            rpm release compilers httpds debian13 fuzz chaos churn discover-others scale apps bench proof ports
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(B)/config.mk
endif

# Where httpd is in reach, APR's arrays and rings are: their macros cast a char
# pointer to what it points to, and clang warns at each use.
ifneq ($(findstring clang,$(CC)),)
$(filter-out $(PURE_OBJ),$(MOD_OBJ)): ALIGN = -Wno-cast-align
endif

# make V=1 shows the commands, without it their results.
say = $(if $(V),,@printf '%-5s %s\n' $(1) $@;)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run cluster test test-built install check check-built lint unit \
        unit-built tools-built soak proof ports corpus replay-built asan tsan bench \
        bench-built chaos churn discover-others scale apps fuzz fuzz-built format dist deb deb-life deb-check compilers \
        httpds rpm release debian13 clean help FORCE

all: $(SO)                     ## the module: build/mod_lbsticky.so

$(B)/config.mk: Makefile
	@command -v $(APXS) >/dev/null || { \
	    echo "$(APXS) is missing: run tools/bootstrap build" >&2; exit 1; }
	@mkdir -p $(@D)
	@{ echo "CC := $$($(APXS) -q CC)"; \
	   echo "HTTPD_CFLAGS := $$($(APXS) -q CFLAGS) $$(apr-1-config --cppflags)"; \
	   echo "HTTPD_INCLUDES := -isystem $$($(APXS) -q INCLUDEDIR)" \
	        "-isystem $$(apr-1-config --includedir)"; \
	   echo "HTTPD_MODULES := $$($(APXS) -q libexecdir)"; \
	   echo "HTTPD_HEADERS := $$($(APXS) -q INCLUDEDIR)"; \
	   echo "HTTPD_LDFLAGS := $$($(APXS) -q LDFLAGS)"; \
	   ! pkg-config --exists libcares || \
	   echo "CARES_CFLAGS := -DLBS_HAVE_CARES $$(pkg-config --cflags libcares)"; \
	   echo "CARES_LIBS := $$(pkg-config --libs libcares 2>/dev/null)"; \
	   echo "APR_LIBS := $$(apu-1-config --link-ld) $$(apr-1-config --link-ld)"; \
	 } >$@

$(B)/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Blocks of shared memory are named by how they are laid out.
SHARED_H = $(sort $(wildcard src/base/*.h src/member/*.h src/table/*.h \
                             src/state/*.h src/roster/*.h src/httpd/shared/*.h))
$(B)/src/httpd/shared/lbs_shared.o: $(SHARED_H)
$(B)/src/httpd/shared/lbs_shared.o: \
    EXTRA += -DLBS_LAYOUT=$(shell cat $(SHARED_H) | cksum | cut -d' ' -f1)

# Names are looked up with c-ares where it is there.
$(B)/src/httpd/resolve/lbs_resolve.o: EXTRA += $(CARES_CFLAGS)

# A module built without it, for a test of what httpd -t says then.
NO_CARES = $(B)/t/no-cares
$(NO_CARES).o: src/httpd/resolve/lbs_resolve.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(NO_CARES).so: $(NO_CARES).o $(MOD_OBJ) $(B)/objects
	$(call say,LINK) $(CC) -shared $(EXTRA) -o $@ $< \
	    $(filter-out %/lbs_resolve.o,$(MOD_OBJ)) $(HTTPD_LDFLAGS) $(LDFLAGS) \
	    -ljansson -lcurl -lm

# The page's style and script are part of this object, byte for byte.
$(B)/src/view/lbs_assets.o: $(ASSETS)

# The list of objects is a prerequisite: a removed source makes a new archive.
$(B)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(MOD_OBJ)' | cmp -s - $@ || echo '$(MOD_OBJ)' >$@

$(SO): $(MOD_OBJ) $(B)/objects
	$(call say,LINK) $(CC) -shared $(EXTRA) -o $@ $(MOD_OBJ) $(HTTPD_LDFLAGS) $(LDFLAGS) \
	    $(MOD_LIBS)

$(LIB): $(PURE_OBJ) $(B)/objects
	@rm -f $@
	$(call say,AR) ar rcs $@ $(PURE_OBJ)

$(UNIT_BIN) $(TOOL_SRC:%.c=$(B)/%) $(BENCH_BIN): $(B)/%: $(B)/%.o $(LIB)
	$(call say,LINK) $(CC) $(EXTRA) -o $@ $< $(LIB) $(TEST_LIBS)

# Loaded into an httpd that is tested: by LD_PRELOAD, or as a module of it.
$(LOAD_SRC:%.c=$(B)/%.so): $(B)/%.so: $(B)/%.o
	$(call say,LINK) $(CC) -shared $(EXTRA) -o $@ $< -Wl,--as-needed -ldl -ljansson

$(FUZZ_BIN): $(B)/%: $(B)/%.o $(LIB)
	$(call say,LINK) $(CC) $(EXTRA) -fsanitize=fuzzer -o $@ $< $(LIB) $(TEST_LIBS)

$(REPLAY): $(B)/fuzz/replay_%: $(B)/fuzz/%.o $(B)/fuzz/replay.o $(LIB)
	$(call say,LINK) $(CC) $(EXTRA) -o $@ $(filter %.o,$^) $(LIB) $(TEST_LIBS)

run:                           ## the demonstration, ready to look at
	tools/bootstrap build run
	$(SELF) all
	exec demo/run

cluster:                       ## two machines, either may die; root; ONCE=1
	tools/bootstrap build cluster
	$(SELF) all
	exec demo/cluster/run

test:                          ## everything; the last line counts it
	tools/bootstrap build run test
	$(SELF) test-built
test-built: all unit-built tools-built
	$(SELF) $(ASAN) replay-built
	LBS_BUILD=$(B) tools/test

check:                         ## lint, unit tests, corpus replay; a minute
	tools/bootstrap build check
	$(SELF) check-built
check-built: all unit-built
	$(SELF) $(ASAN) replay-built
	LBS_BUILD=$(B) tools/test lint unit corpus

lint: all $(LIB)               ## source guards: includes, names, docs, format
	LBS_BUILD=$(B) tools/test lint

unit: unit-built               ## unit tests
	LBS_BUILD=$(B) tools/test unit
unit-built: $(UNIT_BIN)
tools-built: $(TOOL_BIN) $(B)/t/no-cares.so

corpus:                        ## what the fuzzers once found, replayed
	$(SELF) $(ASAN) replay-built
	LBS_BUILD=build tools/test corpus
replay-built: $(REPLAY)

# The preloaded libraries belong to gcc; the harness hands them to httpd.
asan:                          ## unit tests and t/*.t with ASan and UBSan
	$(SELF) tools-built
	$(SELF) $(ASAN) all unit-built replay-built
	LBS_BUILD=build/asan tools/test unit
	LBS_MODULE=$(CURDIR)/build/asan/mod_lbsticky.so LBS_ONCE=1 \
	LBS_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    tools/test corpus httpd

# In httpd it sees this module alone, among the threads of one child. Files that
# this is not for say so in a line of their own:
#     # Not under tsan: REASON
tsan:                          ## unit tests and most t/*.t, thread sanitizer
	$(SELF) tools-built
	$(SELF) $(TSAN) all unit-built
	setarch -R env LBS_BUILD=build/tsan tools/test unit
	LBS_MODULE=$(CURDIR)/build/tsan/mod_lbsticky.so LBS_WITHOUT=tsan LBS_ONCE=1 \
	LBS_PRELOAD="$$(gcc -print-file-name=libtsan.so)" \
	    setarch -R tools/test httpd

bench:                         ## benchmarks and simulations, TSV
	tools/bootstrap build run bench
	$(SELF) bench-built
bench-built: all $(BENCH_BIN)
	@for b in $(BENCH_BIN) $(wildcard bench/*.sh); do \
	    echo "# $$b"; ./$$b || exit 1; done

chaos:                         ## members that fail, beside stock, nginx and HAProxy
	tools/bootstrap build run chaos
	$(SELF) all
	tools/chaos

discover-others:               ## name servers that fail, beside nginx and HAProxy; 2 min
	tools/bootstrap build run chaos
	$(SELF) all
	tools/discover-others

churn:                         ## members that come and go, CHANGES=10000; MPM=event
	tools/bootstrap build run
	$(SELF) all
	CHANGES=$(CHANGES) tools/churn $(MPM)

scale:                         ## two members, eight, two, under load; a minute
	tools/bootstrap build run
	$(SELF) all
	tools/scale

soak: all tools-built $(B)/t/unit/sim/sim ## accidents, MINUTES=5; simulations, SEEDS=; SEED=
	MINUTES='$(MINUTES)' $(if $(SEED),SEED='$(SEED)') LBS_BUILD=$(B) tools/soak
	FAULTS=$(FAULTS) $(if $(SEED),SEED='$(SEED)') prove -It/lib t/700-faults.t
	first=$(or $(SEED),$$(date +%s)000000); seq 0 9 | xargs -P "$$(nproc)" -I{} sh -c \
	    "$(B)/t/unit/sim/sim $$(($(SEEDS) / 10)) \$$(($$first + {} * $(SEEDS) / 10))"

proof:                         ## spin models of shared memory, states visited; 3 min
	tools/bootstrap proof
	proof/run

ports:                         ## unit tests on i386, arm64 and s390x, by qemu-user
	tools/bootstrap ports
	tools/ports

apps:                          ## real applications behind a pool, a table
	tools/bootstrap build apps
	$(SELF) all
	tools/apps

fuzz:                          ## libFuzzer, FUZZ_TIME=60 seconds per target
	tools/bootstrap build fuzz
	$(SELF) $(FUZZ) fuzz-built
	@for f in $(FUZZ_SRC:fuzz/fuzz_%.c=%); do \
	    mkdir -p build/fuzz/new/$$f; \
	    build/fuzz/fuzz/fuzz_$$f -max_total_time=$(FUZZ_TIME) -timeout=5 \
	        -max_len=70000 -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=build/fuzz/new/$$f- \
	        build/fuzz/new/$$f fuzz/corpus/$$f || exit 1; done
fuzz-built: $(FUZZ_BIN)

format:                        ## clang-format, in place
	clang-format -i $(C_FILES)

install: all                   ## module, lbctl, directory of the state file; DESTDIR
	install -D -m 644 -t '$(DESTDIR)$(HTTPD_MODULES)' $(SO)
	install -D -m 644 -t '$(DESTDIR)$(HTTPD_HEADERS)' mod_lbsticky.h
	install -D -m 755 -t '$(DESTDIR)$(PREFIX)/bin' bin/lbctl
	install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/lbctl/LBCtl' share/lbctl/LBCtl/*.pm
	install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/man/man1' docs/lbctl.1
	install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
	    share/bash-completion/completions/lbctl
	install -D -m 644 -t '$(DESTDIR)$(ZSH_DIR)' share/zsh/site-functions/_lbctl
	install -d -m 700 '$(DESTDIR)$(STATE)'
	@echo 'Load it with:' \
	    'LoadModule lbsticky_module $(HTTPD_MODULES)/mod_lbsticky.so'

dist:                          ## a tarball that builds from itself
	@mkdir -p build
	tools/tarball $(VERSION) build/$(NAME).tar.gz
	rm -rf build/dist && mkdir build/dist
	tar -xzf build/$(NAME).tar.gz -C build/dist
	$(SELF) -C build/dist/$(NAME) all
	rm -rf build/dist
	@echo build/$(NAME).tar.gz

deb:                           ## Debian packages: build/deb/*.deb
	tools/bootstrap build deb
	tools/deb build/deb

rpm:                           ## RPM packages, where rpmbuild is: build/rpm/RPMS
	tools/bootstrap build rpm
	$(SELF) dist
	rm -rf build/rpm && mkdir -p build/rpm/SOURCES
	cp build/$(NAME).tar.gz build/rpm/SOURCES
	rpmbuild -bb $(if $(wildcard /etc/debian_version),--nodeps) \
	    --define '_topdir $(CURDIR)/build/rpm' packaging/rpm/mod_lbsticky.spec

release:                       ## tarball, SBOM, checksums, SIGN_KEY= signs them
	tools/bootstrap build
	$(SELF) all dist
	tools/release $(VERSION)

deb-life:                      ## install ... purge under traffic, a table; root
	tools/bootstrap run chroot
	tools/deb-life

deb-check:                     ## packages: lintian, autopkgtest, a table; root
	tools/bootstrap chroot
	tools/deb-check

compilers:                     ## gcc 12-14, clang 14-19, a table; RELEASE=trixie
	tools/bootstrap build
	tools/compilers $(if $(RELEASE),--in $(RELEASE))

httpds:                        ## the tests' core with httpd 2.4.49 ..., a table
	tools/bootstrap build test
	$(SELF) all tools-built
	tools/httpds

# What `make check` needs is installed in there.
debian13:                      ## `make check` in a Debian 13; root
	tools/bootstrap chroot
	tools/chroot trixie sh -ec 'cd /src && apt-get -q update >/dev/null && \
	    apt-get -q -y --no-install-recommends install make perl >/dev/null 2>&1 && \
	    make check WERROR=$(WERROR)'

help:                          ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

clean:                         ## remove all build products
	rm -rf build

-include $(wildcard $(B)/*.d $(B)/src/*/*.d $(B)/src/*/*/*.d $(B)/t/unit/*/*.d \
                    $(B)/t/tools/*.d $(B)/t/preload/*.d $(B)/t/modules/*.d $(B)/fuzz/*.d \
                    $(B)/bench/*.d)
