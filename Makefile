# make demo: the main job, end to end, on real hosts   make test: everything that must hold   make help: the rest
PREFIX ?= /usr/local
DESTDIR ?=
HOSTS ?= 3
CARGO ?= cargo
BUILD_PACKAGES = build-essential pkg-config perl make libssl-dev
LAB_PACKAGES = mmdebstrap openssh-client openssh-server iproute2 util-linux procps curl iptables openipmi ipmitool freeipmi-tools busybox-static isc-dhcp-client isc-dhcp-relay atftp tftp-hpa dnsmasq-base python3-venv kmod \
    qemu-system-x86 ipxe ipxe-qemu seabios ovmf squashfs-tools python3-yaml xorriso ansible-core
BENCH_PACKAGES = sqlite3 time kea-admin kea-dhcp4-server nginx-light wrk

BIN = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

.PHONY: help build release demo demo-metal test test-install lint docs bench fuzz lab lab-root install man packages clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: ## Build for development
	$(CARGO) build --locked --workspace

# What is tested uses the machine's OpenSSL, which spares minutes of compiling; what is installed has its own inside.
lint docs test test-install: export OPENSSL_NO_VENDOR = 1

release:
	$(CARGO) build --locked --release --workspace

packages:
	@.ci/packages $(BUILD_PACKAGES) $(LAB_PACKAGES)

lab-root: packages build
	target/debug/lab root

demo: packages release ## Bring up hosts, make, power and enter containers, lose a host, clean up
	@target/release/lab root
	@tests/demo/run

demo-metal: packages release ## Servers without a system boot an image, become Docker hosts and carry containers: minutes, for they are emulated
	@target/release/lab root
	@METAL=1 tests/demo/run

lab: packages release ## A shell in which xcrane commands work on HOSTS=3 real hosts
	@target/release/lab root
	@target/release/lab shell $(HOSTS)

lint: ## Format and lints, warnings denied
	$(CARGO) fmt --all --check
	@# The list of commands is a macro, behind which cargo does not look for files.
	rustfmt --edition 2024 --check src/commands/*.rs
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

test: packages lint docs lab-root ## Format, lints, docs and all tests, on real hosts
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    $(CARGO) nextest run --locked --workspace --no-fail-fast; \
	else $(CARGO) test --locked --workspace --no-fail-fast; fi

test-install: packages lab-root ## Debian's installer runs to its end on an emulated machine: from a quarter of an hour to a whole one
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    $(CARGO) nextest run --locked --workspace --run-ignored only -E 'test(install::)'; \
	else $(CARGO) test --locked --test e2e install:: -- --ignored; fi

bench: packages ## Speed beside rivals, as ratios, in about ten minutes; GUESTS=24 for fewer containers
	@.ci/packages $(BENCH_PACKAGES)
	@tests/bench/run

SECONDS ?= 600
fuzz: ## Hostile input for all that reads from the network, SECONDS=600 for each of six targets
	@.ci/packages $(BUILD_PACKAGES)
	@tests/fuzz/run $(SECONDS)

man: release ## Man pages into target/man
	@mkdir -p target/man
	target/release/xcrane man target/man

install: release ## Binary, links, man pages, completion and systemd unit under PREFIX
	install -d $(BIN) $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_conf.d
	install -m755 target/release/xcrane $(BIN)/xcrane
	$(BIN)/xcrane link --target xcrane $(BIN)
	$(BIN)/xcrane man $(SHARE)/man/man1
	$(BIN)/xcrane completion bash > $(SHARE)/bash-completion/completions/xcrane
	$(BIN)/xcrane completion zsh > $(SHARE)/zsh/site-functions/_xcrane
	install -d $(UNITS)
	sed 's|@BIN@|$(PREFIX)/bin|' src/daemon/xcrane.service.in > $(UNITS)/xcrane.service
	install -D -m644 src/daemon/xcrane.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/xcrane.conf
	[ -n "$(DESTDIR)" ] || systemd-sysusers $(PREFIX)/lib/sysusers.d/xcrane.conf
	$(BIN)/xcrane completion fish > $(SHARE)/fish/vendor_conf.d/xcrane.fish

clean:
	$(CARGO) clean
