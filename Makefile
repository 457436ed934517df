# `make help` lists the targets. Go and make are enough for run, test and
# ci-quick; the others first install their tools, at the versions below, in .tools.
# The text after ## is the target's help; | begins a new line.

SAM_VERSION         := 1.170.0
AWS_VERSION         := 1.46.3
MINISTACK_VERSION   := 1.5.33
TRANSLATOR_VERSION  := 1.115.0
CBOR_VERSION        := 6.3.0
MOTO_VERSION        := 5.2.1
CHECKOV_VERSION     := 3.3.30
GOFUMPT_VERSION     := v0.12.0
STATICCHECK_VERSION := v0.8.2
ACTIONLINT_VERSION  := v1.7.12
GOVULNCHECK_VERSION := v1.9.0

# The version in reports: the tag of a release, or a commit after it. Sources that
# lie in another repository, or in none, have no version.
VERSION := $(shell test -z "$$(git rev-parse --show-prefix 2>/dev/null || echo none)" && \
	git describe --tags --always --dirty --match 'v[0-9]*' 2>/dev/null)

# Relative, because make splits a path at a blank. GNU make 3.81 and bash 3.2, which
# macOS has, must be enough: tests/checkout looks for what they lack.
TOOLS := .tools
SAM   := $(TOOLS)/bin/sam
export PATH := $(CURDIR)/$(TOOLS)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

# A go.work in a folder above, flags and pip settings of the user do not matter.
# -mod=readonly is the default; an empty value would not replace "go env -w".
export GOWORK   := off
export GOFLAGS  := -mod=readonly
export PIP_USER := 0

# An empty file with the version in its name marks an installed tool, so that a
# new version above is installed and an old one is not installed twice.
GOFUMPT     := $(TOOLS)/bin/installed-gofumpt-$(GOFUMPT_VERSION)
STATICCHECK := $(TOOLS)/bin/installed-staticcheck-$(STATICCHECK_VERSION)
ACTIONLINT  := $(TOOLS)/bin/installed-actionlint-$(ACTIONLINT_VERSION)
GOVULNCHECK := $(TOOLS)/bin/installed-govulncheck-$(GOVULNCHECK_VERSION)
GO_TOOLS    := $(GOFUMPT) $(STATICCHECK) $(ACTIONLINT) $(GOVULNCHECK)
SAM_CLI     := $(TOOLS)/sam/installed-$(SAM_VERSION)
AWS_CLI     := $(TOOLS)/aws/installed-$(AWS_VERSION)
MINISTACK   := $(TOOLS)/ministack/installed-$(MINISTACK_VERSION)-$(TRANSLATOR_VERSION)-$(CBOR_VERSION)
PROGRAMS    := $(SAM_CLI) \
               $(AWS_CLI) \
               $(MINISTACK) \
               $(TOOLS)/moto/installed-$(MOTO_VERSION) \
               $(TOOLS)/checkov/installed-$(CHECKOV_VERSION) \
               $(TOOLS)/python/installed $(TOOLS)/java/installed $(TOOLS)/node/installed

# A virtual environment does not survive when its folder or its Python has moved:
# then the marks are removed, and the tools are installed again.
ifneq ($(filter tools build deploy-local invoke-local lint $(TOOLS)/%,$(MAKECMDGOALS)),)
MOVED := $(shell for tool in sam aws ministack moto checkov python; do \
	test -d $(TOOLS)/$$tool || continue; \
	python=$$(sed -n -e '1s,^\#!\(/.*python.*\)$$,\1,p' -e "2s,^.*exec' \"\([^\"]*\)\".*,\1,p" $(TOOLS)/$$tool/bin/pip 2>/dev/null); \
	"$$python" -c 'import pip' 2>/dev/null || { rm -f $(TOOLS)/$$tool/installed*; echo $$tool; }; done)
ifneq ($(MOVED),)
$(warning this folder or its Python has moved: $(MOVED) will be installed again)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help run test test-all simulate explore bench pictures ci-quick ci lint lint-go lint-templates vulncheck fmt tools
.PHONY: have-go build release deploy deploy-local invoke-local clean build-RotateFunction
.PHONY: delete seed status refresh logs check add-connection remove-connection probe version

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { n = split($$2, line, "|"); printf "  make %-17s %s\n", $$1, line[1]; \
		for (i = 2; i <= n; i++) printf "%25s%s\n", "", line[i] }' $(firstword $(MAKEFILE_LIST))

# Older releases of Go from 1.21 on download what go.mod asks for.
have-go:
	@case "$$(go env GOVERSION 2>/dev/null)" in \
	go1.2[6-9]*|go1.[3-9][0-9]*|go[2-9]*|devel*) ;; \
	*) echo "needs Go 1.26 or later (https://go.dev/dl); found: $$(cd / && GOTOOLCHAIN=local go version 2>&1 | tail -n 1)" >&2; exit 1 ;; \
	esac

run test test-all release simulate explore bench pictures lint-go ci-quick ci vulncheck version: have-go
deploy delete deploy-local invoke-local build-RotateFunction $(GO_TOOLS): have-go
seed status refresh logs check add-connection remove-connection probe: have-go

run: ## run the function on this machine, without AWS, or with|your own CREDENTIALS=file TOKEN_URL=https://...|[API_URL=https://...] [SAVE_TO=file]|[PROXY=http://host:3128] [RUN_FOR=30s] [YES=true]
	@echo "Building: about two minutes the first time, then a few seconds."
	@go build -o .build/demo ./cmd/demo
	@.build/demo

# Several packages wait more than they work: four of them run at once.
test: ## each kind of test, in about 90 seconds
	@echo "about a minute and a half on two idle cores, and as long for compiling at first;"
	@echo "each package prints a line when it has ended"
	go test -p 4 -timeout 20m ./...

test-all: ## every case of every test
	TESTS=all go test -p 4 -timeout 40m ./...

simulate: ## 90 days of faults, compared with other solutions|[SEED=1]
	@cd tests/simulation && go test -count=1 -timeout 20m -args -long -seed $(or $(SEED),1)

explore: ## random faults and edits, against the promises|[SCHEDULES=10000] [SEED=1]; a minute without SCHEDULES
	@cd tests/explore && go test -count=1 -timeout 0 -run TestExplore -args -schedules $(or $(SCHEDULES),0) -seed $(or $(SEED),1) $(if $(TABLE),-table)

bench: ## measure speed, memory, calls and size|[REPEAT=15] [ONLY=name]
	@go build -o .build/bench ./bench
	@.build/bench $(if $(REPEAT),-repeat $(REPEAT)) $(if $(ONLY),-only "$(ONLY)")

pictures: ## draw the pictures of the pages, in docs/pictures
	@go test -count=1 -run TestPicturesAreCurrent ./tests/docs -args -draw
	@go test -count=1 -run TestPicturesAreCurrent ./tests/simulation -args -draw

# The unit tests, and the tests of the pages.
UNIT := ./functions/... ./rotator/... ./cmd/... ./tests/fake/... ./tests/harness/... ./tests/docs

ci-quick: lint-go ## before a commit: formatting, vet, unit tests
	go test $(UNIT)

ci: ## before a merge: every check, in about half an hour
	@.ci/steps

lint: lint-go $(ACTIONLINT) ## static checks; of the templates after make tools
	$(TOOLS)/bin/actionlint -shellcheck= -pyflakes=
	@if test -x $(SAM) && test -x $(TOOLS)/bin/checkov; then $(MAKE) --no-print-directory lint-templates; \
	else echo "template.yaml and connection.yaml not checked: make tools first"; fi

lint-go: $(GOFUMPT) $(STATICCHECK)
	@test -z "$$($(TOOLS)/bin/gofumpt -l .)" || { $(TOOLS)/bin/gofumpt -d .; echo "run: make fmt"; exit 1; }
	go vet ./...
	$(TOOLS)/bin/staticcheck ./...
	go mod tidy -diff

# checkov runs offline, with its built-in rules. A rule that is skipped is named at
# the resource, with the reason.
lint-templates:
	$(SAM) validate --lint --template template.yaml
	$(SAM) validate --lint --template connection.yaml
	@env -u BC_API_KEY LOG_LEVEL=CRITICAL checkov --framework cloudformation --compact --quiet \
		--file template.yaml connection.yaml --skip-download

# The step passes where the database cannot be reached, and says so.
vulncheck: $(GOVULNCHECK) ## known vulnerabilities in the code that is called
	@if said=$$(govulncheck ./... 2>&1); then echo "$$said"; exit 0; fi; \
	case "$$said" in \
	'govulncheck: fetching vulnerabilities:'*) echo "known vulnerabilities not checked: no answer from https://vuln.go.dev" ;; \
	*) echo "$$said" >&2; exit 1 ;; \
	esac

fmt: $(GOFUMPT) ## format the code
	$(TOOLS)/bin/gofumpt -w .

build: $(SAM_CLI) ## build what is deployed, into .aws-sam
	$(SAM) build

release: ## the function's zip, templates and checksums, to publish|[VERSION=v0.1.0]
	@rm -rf .build/function
	@$(MAKE) -s --no-print-directory build-RotateFunction ARTIFACTS_DIR=.build/function
	@go run ./cmd/release -version "$(VERSION)" -bootstrap .build/function/bootstrap -to .build/release

# $(call rotatorctl,COMMAND,FLAGS): what an operator does with a stack. A value
# that an operator gives reaches the program through the environment, to which
# make exports it, so that it may hold any character.
define rotatorctl
@go build -ldflags "-X main.release=$(VERSION)" -o .build/rotatorctl ./cmd/rotatorctl
@.build/rotatorctl $(1) -stack "$$STACK" $(2)
endef
connection = $(if $(CONNECTION),-connection "$$CONNECTION")
yes = $(if $(filter true 1 yes,$(1)),$(2))
values = $(if $(PARAMETERS),-parameters "$$PARAMETERS") $(if $(TAGS),-tags "$$TAGS")
export STACK CONNECTION PARAMETERS TAGS FILE SET SINCE TOKEN_URL CREDENTIALS API_URL SAVE_TO

deploy: ## deploy or update a stack|STACK=name [PARAMETERS="AlarmEmail=..."]|[TAGS="owner=..."] [YES=true]
	$(call rotatorctl,deploy,$(values) -check-only)
	@$(MAKE) -s --no-print-directory $(SAM_CLI)
	@.build/rotatorctl deploy -stack "$$STACK" $(values) $(call yes,$(YES),-yes)

delete: ## delete a stack; its secrets are retained|STACK=name [YES=true]
	$(call rotatorctl,delete,$(call yes,$(YES),-yes))

deploy-local: ## deploy to an emulator of AWS and test the result|[AUTH=true]  with IAM enforced|[KEEP=true]  leave it running instead
	@echo "about $(if $(call yes,$(KEEP),-keep),two,seven) minutes, and two more to install tools at first"
	@$(MAKE) -s --no-print-directory $(SAM_CLI) $(AWS_CLI) $(MINISTACK)
	@go run ./cmd/deploy-local $(call yes,$(AUTH),-auth) $(call yes,$(KEEP),-keep)

invoke-local: ## run one event under sam local|EVENT=events/refresh-now.json|[ENGINE=own]  with a Docker engine of its own, as root
	@echo "about a minute, and one more to install the SAM CLI at first"
	@$(MAKE) -s --no-print-directory $(SAM_CLI)
	@go run ./cmd/invoke-local $(if $(filter own,$(ENGINE)),-own) $(EVENT)

seed: ## write credentials and prove that they work|STACK=name [CONNECTION=default]|[FILE=credentials.json] [KEEP=true]
	$(call rotatorctl,seed,$(connection) $(if $(FILE),-file "$$FILE") $(call yes,$(KEEP),-keep))

status: ## the state of each connection|STACK=name [JSON=true]
	$(call rotatorctl,status,$(call yes,$(JSON),-json))

check: ## problems, and how to solve each of them|STACK=name [JSON=true] [VERBOSE=true]
	$(call rotatorctl,check,$(call yes,$(JSON),-json) $(call yes,$(VERBOSE),-v))

refresh: ## new tokens now; the old ones may end|STACK=name [CONNECTION=name] [SET=alternate]
	$(call rotatorctl,refresh,$(connection) $(if $(SET),-set "$$SET") $(call yes,$(JSON),-json))

logs: ## the function's log|STACK=name [SINCE=1h] [FOLLOW=true] [METRICS=true]
	$(call rotatorctl,logs,$(if $(SINCE),-since "$$SINCE") $(call yes,$(FOLLOW),-follow) $(call yes,$(METRICS),-metrics))

add-connection: ## add a connection, for another tenant or user|STACK=name CONNECTION=name [TOKEN_URL=https://...]|[PARAMETERS="Scope=..."] [TAGS="owner=..."]
	$(call rotatorctl,add-connection,$(connection) $(if $(TOKEN_URL),-token-url "$$TOKEN_URL") $(values))

remove-connection: ## delete a connection and its secrets|STACK=name CONNECTION=name|[KEEP_SECRETS=true] [YES=true]
	$(call rotatorctl,remove-connection,$(connection) $(call yes,$(YES),-yes) $(call yes,$(KEEP_SECRETS),-keep-secrets))

probe: ## what a Reltio tenant does; needs no AWS account|CREDENTIALS=credentials.json [TOKEN_URL=https://...]|[API_URL=https://...] [SAVE_TO=file] [YES=true]
	@go build -ldflags "-X main.release=$(VERSION)" -o .build/rotatorctl ./cmd/rotatorctl
	@.build/rotatorctl probe $(if $(CREDENTIALS),-credentials "$$CREDENTIALS") $(if $(TOKEN_URL),-token-url "$$TOKEN_URL") \
		$(if $(API_URL),-api-url "$$API_URL") $(if $(SAVE_TO),-save-to "$$SAVE_TO") $(call yes,$(YES),-yes)

version: ## the version of rotatorctl
	@go run -ldflags "-X main.release=$(VERSION)" ./cmd/rotatorctl version

clean: ## remove what was built; .tools stays
	rm -rf .aws-sam .build

# sam build calls this, see BuildMethod in template.yaml. -trimpath removes the
# folders of this machine from the binary. The same sources and the same Go give
# the same bytes: tests/template builds twice and compares. The version comes from
# git here, because Go itself does not find it in every folder.
build-RotateFunction:
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1 go build -trimpath -buildvcs=false -tags lambda.norpc \
		-ldflags "-s -w -X main.release=$(VERSION)" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/rotate

tools: $(PROGRAMS) $(GO_TOOLS) ## install SAM CLI, AWS CLI, emulators and linters

# Each tool has its own virtual environment, because their requirements conflict.
# $(call pip,FOLDER,COMMAND,PACKAGES)
define pip
@python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { echo "needs Python 3.10" \
	"or later with its venv module (Debian: apt-get install python3-venv); found: $$(python3 --version 2>&1)" >&2; exit 1; }
@echo "installing $(3)"
@rm -rf $(TOOLS)/$(1) && python3 -m venv $(TOOLS)/$(1)
@$(TOOLS)/$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(3)
@mkdir -p $(TOOLS)/bin && ln -sf ../$(1)/bin/$(2) $(TOOLS)/bin/$(2)
@touch $@
endef

$(SAM_CLI):
	$(call pip,sam,sam,aws-sam-cli==$(SAM_VERSION))

$(TOOLS)/aws/installed-%:
	$(call pip,aws,aws,awscli==$*)

# The AWS SDK asks CloudWatch in CBOR, for which MiniStack needs a package.
$(MINISTACK):
	$(call pip,ministack,ministack,ministack==$(MINISTACK_VERSION) aws-sam-translator==$(TRANSLATOR_VERSION) cbor2==$(CBOR_VERSION))

$(TOOLS)/moto/installed-%:
	$(call pip,moto,moto_server,"moto[server]==$*")

$(TOOLS)/checkov/installed-%:
	$(call pip,checkov,checkov,checkov==$*)

# The versions are in the files, and are those that a job would run.
$(TOOLS)/python/installed: tests/readers/requirements.txt bench/peer/requirements.txt
	$(call pip,python,mypy,$(addprefix -r ,$^))

# What the readers for Java and Node depend on. Without Maven or npm their tests
# skip; with CI set this fails.
# $(call depends,FOLDER,COMMAND,WHAT TO INSTALL,HOW)
define depends
@if command -v $(2) >/dev/null; then \
	echo "installing what examples/$(1) depends on"; rm -rf $(TOOLS)/$(1); mkdir -p $(TOOLS); \
	cp -r examples/$(1) $(TOOLS)/$(1) && (cd $(TOOLS)/$(1) && $(4)) && touch $@; \
else echo "examples/$(1) will not be tested: install $(3), then make tools"; test -z "$$CI"; fi
endef

$(TOOLS)/java/installed: examples/java/pom.xml
	$(call depends,java,mvn,a JDK 11 or later with Maven,\
		mvn -q -B package dependency:copy-dependencies -DoutputDirectory=lib)

$(TOOLS)/node/installed: examples/node/package-lock.json
	$(call depends,node,npm,Node.js 20 or later with npm,\
		npm ci --ignore-scripts --no-audit --no-fund --silent)

# $(call go-tool,PACKAGE@VERSION)
define go-tool
GOBIN="$(CURDIR)/$(TOOLS)/bin" go install $(1)
@touch $@
endef

$(GOFUMPT):
	$(call go-tool,mvdan.cc/gofumpt@$(GOFUMPT_VERSION))

$(STATICCHECK):
	$(call go-tool,honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION))

$(ACTIONLINT):
	$(call go-tool,github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION))

$(GOVULNCHECK):
	$(call go-tool,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))
