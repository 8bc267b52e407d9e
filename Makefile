SHELL := bash -o pipefail
.DEFAULT_GOAL := help

# The product is built and tested as its image is: without cgo and without paths of this machine, so that each package is
# compiled once. The sandbox is no part of the product.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
ASIDE := env -u CGO_ENABLED -u GOFLAGS

# Linters are built from pinned sources, apart from the product's go.mod. A new version is a new file name.
GOLANGCI_LINT := $(CURDIR)/bin/tools/golangci-lint-v2.15.0
GOFUMPT := $(CURDIR)/bin/tools/gofumpt-v0.12.0
AXE_VERSION := 4.14.1
AXE_SHA256 := e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
AXE := bin/tools/axe-core-$(AXE_VERSION).js
SANDBOX := e2e/sandbox
# The sandbox says which Kubernetes it is, as a release does.
KUBERNETES := $(shell sed -n 's|^\s*k8s.io/kubernetes v||p' $(SANDBOX)/go.mod)
VERSION := -X k8s.io/component-base/version.gitVersion=v$(KUBERNETES) \
  -X k8s.io/component-base/version.gitMajor=$(word 1,$(subst ., ,$(KUBERNETES))) -X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))
ISSUER := e2e/issuer

.PHONY: axe browser promtool tools screenshots help build sandbox image test fuzz soak sops lint fmt generate verify demo bench
help: ## Show this text
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: sandbox ## Build bin/transom, bin/sandbox and bin/issuer (the first time takes minutes: the sandbox is Kubernetes)
	go build -o bin/transom ./cmd/transom
	cd $(ISSUER) && go build -o $(CURDIR)/bin/issuer .

sandbox:
	cd $(SANDBOX) && $(ASIDE) go build -ldflags="-s -w $(VERSION)" -o $(CURDIR)/bin/sandbox .

image: ## Build the container image as an OCI layout in bin/image, for ARCH (amd64,arm64); PUSH=REF pushes it
	go run ./cmd/image --out bin/image $(if $(ARCH),--arch $(ARCH)) $(if $(PUSH),--push $(PUSH))

# Tests of whole fleets wait more than they compute: four at a time take a third of the time.
test: build axe browser promtool tools ## Run every test, against the real binaries, real API servers and real Git
	cd $(SANDBOX) && $(ASIDE) go test -count=1 -timeout 30m ./...
	go test -count=1 -timeout 60m -parallel 4 ./...

# The console is looked at in Chromium.
browser:
	@command -v chromium >/dev/null || { apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } || \
	  { echo "the tests of the console need chromium on the PATH; install it" >&2; exit 1; }

# Pages are checked by axe-core for people who see little or use a keyboard alone. The package is pinned by its checksum.
axe: $(AXE)

$(AXE):
	@command -v npm >/dev/null || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends npm; } || \
	  { echo "the tests of the console need npm on the PATH to fetch axe-core; install it" >&2; exit 1; }
	@d=$$(mktemp -d) && (cd $$d && NODE_EXTRA_CA_CERTS=$(wildcard /etc/ssl/certs/ca-certificates.crt) npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && echo "$(AXE_SHA256)  axe-core-$(AXE_VERSION).tgz" | sha256sum --check --quiet && \
	  tar -xzf axe-core-$(AXE_VERSION).tgz package/axe.min.js) && install -D -m 644 $$d/package/axe.min.js $@ && rm -r $$d || \
	  { echo "axe-core $(AXE_VERSION) is not there or not the one that is pinned" >&2; exit 1; }

# Signatures are made and verified by the tools that Git runs for them. Commands of the pages, which a test follows, ask with curl.
tools:
	@command -v ssh-keygen >/dev/null && command -v gpg >/dev/null && command -v curl >/dev/null || { apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends openssh-client gnupg curl; } || \
	  { echo "the tests need ssh-keygen, gpg and curl on the PATH; install them" >&2; exit 1; }

# The alert rules are tested by Prometheus's own tool. It is taken out of Debian's package: installing that would start a server.
promtool:
	@command -v promtool >/dev/null || test -x bin/tools/promtool || { d=$$(mktemp -d) && chmod 755 $$d && (cd $$d && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && \
	  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) && install -D $$d/usr/bin/promtool bin/tools/promtool && rm -r $$d; } || \
	  { echo "the tests of the alert rules need promtool on the PATH; install it" >&2; exit 1; }

# Coverage guides the fuzzer in our code, and in the parser of YAML where that is what is fuzzed. go test -fuzz counts in all of Kubernetes and the
# standard library, whatever -gcflags say: that compiles for an hour, and each execution reads millions of counters. So a target's test is
# compiled by itself, and what is not counted in comes from the cache.
COUNTED := -gcflags=transom.dev/...=-d=libfuzzer
PARSER := -gcflags=go.yaml.in/...=-d=libfuzzer

# What is interesting is kept where go clean -fuzzcache looks.
fuzz: ## Fuzz every target for FUZZ (45s), or that with the name TARGET; what fails is kept in testdata/fuzz
	@corpus=$$(go env GOCACHE)/fuzz; \
	grep -roH --include='*_test.go' '^func Fuzz$(or $(TARGET:Fuzz%=%),[A-Za-z]*)(' . | sed 's|/[^/]*:func | |; s|($$||' | sort | \
	  while read -r dir target; do \
	    bin=$(CURDIR)/bin/fuzz/$$(echo "$$dir" | tr / _).test && parser= && case $$dir in */strictyaml|*/yamledit) parser="$(PARSER)" ;; esac && \
	    go test -c $(COUNTED) $$parser -ldflags='-s -w' -o "$$bin" "$$dir" && echo "== $$target" && \
	    (cd "$$dir" && "$$bin" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(or $(FUZZ),45s) -test.fuzzminimizetime 10x \
	      -test.fuzzcachedir "$$corpus/transom.dev/$${dir#./}") || exit 1; done

soak: build ## Fuzz every target for SOAK (10m each), what is found is kept in testdata/fuzz; then measure large merges and many clusters
	$(MAKE) fuzz FUZZ=$(or $(SOAK),10m)
	go test -run '^$$' -bench 'PushToLiveBesideCrowds|CheckOfCrowds|ManyClusters' -benchtime 1x -timeout 120m ./e2e

sops: ## Prove with the real SOPS that sealed files are its own, both ways (the first time compiles the SDKs of five clouds: minutes)
	cd e2e/sops && go mod tidy -diff && go test -count=1 ./...

lint: $(GOLANGCI_LINT) ## Check style and common mistakes
	$(GOLANGCI_LINT) run ./...
	cd $(SANDBOX) && $(ASIDE) $(GOLANGCI_LINT) run ./...
	cd $(ISSUER) && $(GOLANGCI_LINT) run ./...

fmt: $(GOFUMPT) ## Format all Go code
	$(GOFUMPT) -w .

generate: ## Rewrite the state that the examples show
	go test ./examples -update

verify: promtool ## Check that go.mod files are tidy and that what is generated is true
	go mod tidy -diff && (cd $(SANDBOX) && go mod tidy -diff) && cd $(ISSUER) && go mod tidy -diff
	go test -count=1 ./examples

demo: build ## Four clusters, a platform and a daemon to play with; Ctrl-C ends it all
	bin/transom demo

screenshots: browser ## Pictures of every page of the console at URL (default: that of make demo) in bin/screenshots
	go run ./e2e/screenshots $(if $(URL),-url $(URL)) -dir bin/screenshots

bench: build ## Measure; ends with a figure a line: name value unit
	@go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./... | tee /dev/stderr | awk '$(FIGURES)'

# A benchmark reports a figure as a metric whose unit is NAME:UNIT.
FIGURES := /^Benchmark/ { for (i = 4; i <= NF; i += 2) if (split($$i, m, ":") == 2) all = all m[1] " " $$(i-1) " " m[2] "\n" } END { printf "\n%s", all }

$(GOLANGCI_LINT):
	GOBIN=$(@D)/build go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 && mv $(@D)/build/golangci-lint $@

$(GOFUMPT):
	GOBIN=$(@D)/build go install mvdan.cc/gofumpt@v0.12.0 && mv $(@D)/build/gofumpt $@
