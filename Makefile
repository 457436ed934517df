# `make help` lists what can be done here. Go and make are enough for run and
# test; the rest first puts its tools, at the versions below, into .tools.

SAM_VERSION         := 1.170.0
AWS_VERSION         := 1.46.3
MINISTACK_VERSION   := 1.5.33
TRANSLATOR_VERSION  := 1.115.0
MOTO_VERSION        := 5.2.1
CHECKOV_VERSION     := 3.3.30
GOFUMPT_VERSION     := v0.12.0
STATICCHECK_VERSION := v0.8.2

# Where a guided deployment keeps what was answered, a section a stack; git
# ignores it.
ANSWERS := samconfig.local.toml

# What reports say is running: a release's tag, or the commit after one.
VERSION := $(shell git describe --tags --always --dirty --match 'v[0-9]*' 2>/dev/null)

TOOLS := $(CURDIR)/.tools
SAM   := $(TOOLS)/bin/sam
export PATH := $(TOOLS)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

# An empty file with the version in its name tells what is installed: quick when
# all is there, and installed anew after a change above.
GOFUMPT     := $(TOOLS)/bin/installed-gofumpt-$(GOFUMPT_VERSION)
STATICCHECK := $(TOOLS)/bin/installed-staticcheck-$(STATICCHECK_VERSION)
SAM_CLI     := $(TOOLS)/sam/installed-$(SAM_VERSION)
AWS_CLI     := $(TOOLS)/aws/installed-$(AWS_VERSION)
PROGRAMS    := $(SAM_CLI) \
               $(AWS_CLI) \
               $(TOOLS)/ministack/installed-$(MINISTACK_VERSION)-$(TRANSLATOR_VERSION) \
               $(TOOLS)/moto/installed-$(MOTO_VERSION) \
               $(TOOLS)/checkov/installed-$(CHECKOV_VERSION) \
               $(TOOLS)/python/installed

.DEFAULT_GOAL := help
.PHONY: help run test simulate bench lint lint-templates fmt tools build deploy deploy-local invoke-local clean build-RotateFunction
.PHONY: seed status refresh logs check add-connection remove-connection

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## watch the real function keep a token fresh on this machine, without AWS
	@go build -o .build/demo ./cmd/demo
	@.build/demo

test: ## all tests that need only Go
	go test ./...

simulate: ## 90 days of trouble: this rotator beside what people use in its place [SEED=1]
	@cd tests/simulation && go test -count=1 -timeout 10m -args -long -seed $(or $(SEED),1)

bench: ## speed, memory, calls and size, beside what people would use instead: [REPEAT=15]
	@go build -o .build/bench ./bench
	@.build/bench $(if $(REPEAT),-repeat $(REPEAT)) $(if $(ONLY),-only "$(ONLY)")

lint: $(GOFUMPT) $(STATICCHECK) ## formatting and static checks of the code and, after make tools, the templates
	@test -z "$$(gofumpt -l .)" || { gofumpt -d .; echo "run: make fmt"; exit 1; }
	go vet ./...
	staticcheck ./...
	go mod tidy -diff
	@if test -x $(SAM) && test -x $(TOOLS)/bin/checkov; then $(MAKE) --no-print-directory lint-templates; \
	else echo "template.yaml and connection.yaml not checked: make tools first"; fi

# checkov would ask its maker's server for guidelines; what it knows by itself is
# what counts. What it is told to skip stands beside the resource, with a reason.
lint-templates:
	$(SAM) validate --lint --template template.yaml
	$(SAM) validate --lint --template connection.yaml
	@env -u BC_API_KEY LOG_LEVEL=CRITICAL checkov --framework cloudformation --compact --quiet \
		--file template.yaml connection.yaml --skip-download

fmt: $(GOFUMPT) ## format the code
	gofumpt -w .

build: $(SAM_CLI) ## build what is deployed, into .aws-sam
	$(SAM) build

# A stack that exists keeps what it was told, wherever that was: only a new one
# is asked. A change set that nobody executed leaves one that is under review.
told := aws cloudformation describe-stacks --stack-name "$(STACK)" --output text \
	--query "Stacks[?StackStatus!='REVIEW_IN_PROGRESS'].StackName" 2>/dev/null

deploy: $(SAM_CLI) $(AWS_CLI) ## deploy or update: STACK=name [PARAMETERS="AlarmEmail=…"] [TAGS="owner=…"] [YES=true]
	@test -n "$(STACK)" || { echo 'say which stack: make deploy STACK=reltio-tokens' >&2; exit 2; }
	$(SAM) build
	@test -f $(ANSWERS) || echo 'version = 0.1' > $(ANSWERS)
	@test -n "$(PARAMETERS)$$($(told))" || ask="--guided --config-file $(ANSWERS) --config-env $(STACK)"; \
	set -x; $(SAM) deploy --stack-name $(STACK) $$ask $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS)) \
		$(if $(TAGS),--tags $(TAGS)) $(call yes,$(YES),--no-confirm-changeset)

deploy-local: tools ## deploy to an emulator of AWS and see that it works: [AUTH=true] with IAM enforced
	@go run ./cmd/deploy-local $(if $(filter true 1 yes,$(AUTH)),-auth)

invoke-local: $(SAM_CLI) ## run one event under sam local: EVENT=events/refresh-now.json
	@go run ./cmd/invoke-local $(if $(filter own,$(ENGINE)),-own) $(EVENT)

# $(call rotatorctl,COMMAND,FLAGS): what a person does with a deployed stack.
define rotatorctl
@go build -o .build/rotatorctl ./cmd/rotatorctl
@.build/rotatorctl $(1) -stack "$(STACK)" $(if $(CONNECTION),-connection "$(CONNECTION)") $(2)
endef
yes = $(if $(filter true 1 yes,$(1)),$(2))

seed: $(AWS_CLI) ## put credentials and prove them: STACK=name [CONNECTION=default] [FILE=credentials.json]
	$(call rotatorctl,seed,$(if $(FILE),-file "$(FILE)"))

status: $(AWS_CLI) ## how each connection is: STACK=name
	$(call rotatorctl,status)

check: $(AWS_CLI) ## what is wrong, and what mends it: STACK=name [JSON=true]
	$(call rotatorctl,check,$(call yes,$(JSON),-json))

refresh: $(AWS_CLI) ## new tokens now; the old ones end: STACK=name [CONNECTION=name]
	$(call rotatorctl,refresh)

logs: $(AWS_CLI) ## what the function said: STACK=name [SINCE=1h] [FOLLOW=true]
	$(call rotatorctl,logs,$(if $(SINCE),-since "$(SINCE)") $(call yes,$(FOLLOW),-follow))

add-connection: $(AWS_CLI) ## a further tenant or user: STACK=name CONNECTION=name [TOKEN_URL=https://…]
	$(call rotatorctl,add-connection,$(if $(TOKEN_URL),-token-url "$(TOKEN_URL)") $(if $(PARAMETERS),-parameters "$(PARAMETERS)"))

remove-connection: $(AWS_CLI) ## delete it, its secrets too: STACK=name CONNECTION=name [KEEP_SECRETS=true] [YES=true]
	$(call rotatorctl,remove-connection,$(call yes,$(YES),-yes) $(call yes,$(KEEP_SECRETS),-keep-secrets))

clean: ## remove what was built; .tools stays
	rm -rf .aws-sam .build

# sam build calls this, see BuildMethod in template.yaml. -trimpath keeps this
# machine's folders out of the binary.
# The same sources and the same Go make the same bytes, wherever and whenever:
# tests/template builds twice and compares. What git knows of the version is
# given, since Go itself looks for it in some folders only.
build-RotateFunction:
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1 go build -trimpath -buildvcs=false -tags lambda.norpc \
		-ldflags "-s -w -X main.release=$(VERSION)" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/rotate

tools: $(PROGRAMS) $(GOFUMPT) $(STATICCHECK) ## SAM CLI, AWS CLI, emulators and linters, into .tools

# Each in a virtual environment of its own: their requirements contradict.
# $(call pip,FOLDER,COMMAND,PACKAGES)
define pip
@echo "installing $(3)"
@test -x $(TOOLS)/$(1)/bin/pip || python3 -m venv $(TOOLS)/$(1) || \
	{ echo "needs Python 3 with its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
@$(TOOLS)/$(1)/bin/pip install --quiet --disable-pip-version-check $(3)
@mkdir -p $(TOOLS)/bin && ln -sf ../$(1)/bin/$(2) $(TOOLS)/bin/$(2)
@touch $@
endef

$(SAM_CLI):
	$(call pip,sam,sam,aws-sam-cli==$(SAM_VERSION))

$(TOOLS)/aws/installed-%:
	$(call pip,aws,aws,awscli==$*)

$(TOOLS)/ministack/installed-$(MINISTACK_VERSION)-$(TRANSLATOR_VERSION):
	$(call pip,ministack,ministack,ministack==$(MINISTACK_VERSION) aws-sam-translator==$(TRANSLATOR_VERSION))

$(TOOLS)/moto/installed-%:
	$(call pip,moto,moto_server,"moto[server]==$*")

$(TOOLS)/checkov/installed-%:
	$(call pip,checkov,checkov,checkov==$*)

# Its versions are in the file; what is checked is what a job would run.
$(TOOLS)/python/installed: tests/readers/requirements.txt bench/peer/requirements.txt
	$(call pip,python,mypy,$(addprefix -r ,$^))

$(GOFUMPT):
	GOBIN=$(TOOLS)/bin go install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)
	@touch $@

$(STATICCHECK):
	GOBIN=$(TOOLS)/bin go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@touch $@
