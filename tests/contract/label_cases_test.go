package contract_test

import "fmt"

const (
	pageStage    = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html"
	pageDescribe = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html"
	// No AWS page says this; Terraform's provider quotes the error from AWS.
	seenCurrentStays = "https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/secretsmanager/secret_version.go"
)

// labelCases are about which version has AWSCURRENT and AWSPREVIOUS. Because of
// these rules, no operator's write is lost when a refresh token is saved at the same
// moment.
func labelCases() []contractCase {
	three := func(a account) {
		a.create()
		a.put("a", "1")
		a.put("b", "2")
		a.put("c", "3")
	}
	return []contractCase{
		{
			does: "AWSPREVIOUS follows AWSCURRENT from write to write",
			try: func(a account) string {
				a.create()
				a.put("a", "1")
				a.put("b", "2")
				first := a.labels()
				a.put("c", "3")
				return seen(first, a.labels())
			},
			want: "a:AWSPREVIOUS b:AWSCURRENT, b:AWSPREVIOUS c:AWSCURRENT",
		},
		{
			does: "a description leaves out versions without labels",
			try: func(a account) string {
				three(a)
				return a.describe(true)
			},
			want:    "b:AWSPREVIOUS c:AWSCURRENT",
			page:    pageDescribe,
			differs: map[string]string{moto: "a: b:AWSPREVIOUS c:AWSCURRENT"},
		},
		{
			does: "the first version has no version before it",
			try: func(a account) string {
				return seen(a.create(), a.put("a", "1"), a.labels())
			},
			want: "ok, ok, a:AWSCURRENT",
			// The empty string from the creation.
			differs: map[string]string{ministack: "ok, ok, ?:AWSPREVIOUS a:AWSCURRENT"},
		},
		{
			does: "a write with a label of its own leaves AWSCURRENT where it is",
			try: func(a account) string {
				three(a)
				return seen(a.put("d", "4", "MINE"), a.labels())
			},
			want: "ok, b:AWSPREVIOUS c:AWSCURRENT d:MINE",
		},
		{
			does: "a label is on one version at a time",
			try: func(a account) string {
				three(a)
				a.put("d", "4", "MINE")
				a.put("e", "5", "MINE")
				return a.labels()
			},
			want:    "b:AWSPREVIOUS c:AWSCURRENT e:MINE",
			page:    pageStage,
			differs: map[string]string{ministack: "b:AWSPREVIOUS c:AWSCURRENT d:MINE e:MINE"},
		},
		{
			does: "a label of one's own is taken off, and AWSCURRENT stays where it is",
			try: func(a account) string {
				three(a)
				a.put("d", "4", "MINE")
				return seen(a.move("MINE", "d", ""), a.labels())
			},
			want: "ok, b:AWSPREVIOUS c:AWSCURRENT",
			page: pageStage,
		},
		{
			does: "taking a label off a version that does not bear it is refused",
			try: func(a account) string {
				three(a)
				return seen(a.move("MINE", "b", ""), a.labels())
			},
			want: "InvalidParameterException, b:AWSPREVIOUS c:AWSCURRENT",
			page: pageStage,
		},
		{
			does: "the same write again does not put its label back",
			try: func(a account) string {
				three(a)
				a.put("d", "4", "MINE")
				a.move("MINE", "d", "")
				return seen(a.put("d", "4", "MINE"), a.labels())
			},
			want: "ok, b:AWSPREVIOUS c:AWSCURRENT",
			page: pagePut,
			// It removes versions without labels at once, so this one is new.
			differs: map[string]string{ministack: "ok, b:AWSPREVIOUS c:AWSCURRENT d:MINE"},
		},
		{
			does: "the first version is AWSCURRENT whatever label is asked for",
			try: func(a account) string {
				return seen(a.create(), a.put("a", "1", "MINE"), a.labels())
			},
			want:    "ok, ok, a:AWSCURRENT+MINE",
			page:    pagePut,
			differs: map[string]string{ministack: "ok, ok, ?:AWSCURRENT a:MINE"},
		},
		{
			does: "moving AWSCURRENT back swaps it with AWSPREVIOUS",
			try: func(a account) string {
				three(a)
				return seen(a.move("AWSCURRENT", "c", "b"), a.labels(), a.get("AWSCURRENT"))
			},
			want: "ok, b:AWSCURRENT c:AWSPREVIOUS, b=2",
		},
		{
			does: "moving AWSCURRENT to a version without labels takes AWSPREVIOUS along",
			try: func(a account) string {
				three(a)
				return seen(a.move("AWSCURRENT", "c", "a"), a.labels())
			},
			want: "ok, a:AWSCURRENT c:AWSPREVIOUS",
			// It removes versions without labels at once.
			differs: map[string]string{ministack: "ResourceNotFoundException, b:AWSPREVIOUS c:AWSCURRENT"},
		},
		{
			does: "moving AWSCURRENT from a version that has lost it is refused",
			try: func(a account) string {
				three(a)
				a.put("d", "4", "MINE")
				return seen(a.move("AWSCURRENT", "b", "d"), a.labels())
			},
			want: "InvalidParameterException, b:AWSPREVIOUS c:AWSCURRENT d:MINE",
			page: pageStage,
		},
		{
			does: "moving AWSCURRENT from nowhere is refused",
			try: func(a account) string {
				three(a)
				return seen(a.move("AWSCURRENT", "", "b"), a.labels())
			},
			want: "InvalidParameterException, b:AWSPREVIOUS c:AWSCURRENT",
			page: pageStage,
		},
		{
			does: "AWSCURRENT cannot be removed",
			try: func(a account) string {
				three(a)
				return seen(a.move("AWSCURRENT", "c", ""), a.labels())
			},
			want:    "InvalidParameterException, b:AWSPREVIOUS c:AWSCURRENT",
			page:    seenCurrentStays,
			differs: map[string]string{ministack: "ok, b:AWSPREVIOUS", moto: "ok, c:AWSPREVIOUS"},
		},
		{
			does: "moving a label to a version that is not there is ResourceNotFoundException",
			try: func(a account) string {
				three(a)
				return seen(a.move("AWSCURRENT", "c", "d"), a.labels())
			},
			want:    "ResourceNotFoundException, b:AWSPREVIOUS c:AWSCURRENT",
			page:    pageStage,
			differs: map[string]string{moto: "InvalidParameterException, b:AWSPREVIOUS"},
		},
		{
			does: "a write after a move takes over as any other",
			try: func(a account) string {
				three(a)
				a.move("AWSCURRENT", "c", "b")
				return seen(a.put("d", "4"), a.labels())
			},
			want:    "ok, b:AWSPREVIOUS d:AWSCURRENT",
			differs: map[string]string{moto: "ok, b:AWSCURRENT c:AWSPREVIOUS d:AWSCURRENT"},
		},
		{
			does: "the 101st version within a day is refused",
			try: func(a account) string {
				a.create()
				last, lastErr := 0, ""
				for last < 101 && (lastErr == "" || lastErr == "ok") {
					last++
					lastErr = a.putNumbered(last)
				}
				return fmt.Sprint(last, " ", lastErr)
			},
			want:    "101 LimitExceededException",
			page:    pageLimits,
			differs: map[string]string{ministack: "101 ok", moto: "101 ok"},
		},
	}
}
