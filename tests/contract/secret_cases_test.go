package contract_test

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	pagePut    = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html"
	pageCreate = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"
	pageDelete = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"
	pageList   = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html"
	pageLimits = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"
)

func secretCases() []contractCase {
	return []contractCase{
		{
			does: "a value is read back as it was written",
			try: func(a account) string {
				return seen(a.create(), a.put("a", " ä+/=%\n\"<&>\u2028 "), a.get("AWSCURRENT"))
			},
			want: "ok, ok, a= ä+/=%\n\"<&>\u2028 ",
		},
		{
			does: "a secret that does not exist is ResourceNotFoundException",
			try:  func(a account) string { return seen(a.get("AWSCURRENT"), a.put("a", "1"), a.labels()) },
			want: "ResourceNotFoundException, ResourceNotFoundException, ResourceNotFoundException",
		},
		{
			does: "a secret without a value is ResourceNotFoundException too",
			try:  func(a account) string { return seen(a.create(), a.get("AWSCURRENT"), a.labels()) },
			want: "ok, ResourceNotFoundException, ",
			// An empty string stands in for no value.
			differs: map[string]string{ministack: "ok, ?=, ?:AWSCURRENT"},
		},
		{
			does: "a label that no version has is ResourceNotFoundException",
			try:  func(a account) string { return seen(a.create(), a.put("a", "1"), a.get("AWSPENDING")) },
			want: "ok, ok, ResourceNotFoundException",
		},
		{
			does: "a version is found by its id",
			try: func(a account) string {
				a.create()
				a.put("a", "1")
				a.put("b", "2")
				out, err := a.secrets.GetSecretValue(a.ctx, &secretsmanager.GetSecretValueInput{
					SecretId: a.secret(), VersionId: aws.String(id("a")),
				})
				if err != nil {
					return code(err)
				}
				return *out.SecretString
			},
			want: "1",
		},
		{
			does: "a secret is found by its ARN",
			try: func(a account) string {
				out, err := a.secrets.CreateSecret(a.ctx, &secretsmanager.CreateSecretInput{Name: a.secret()})
				if err != nil {
					return code(err)
				}
				found, err := a.secrets.DescribeSecret(a.ctx, &secretsmanager.DescribeSecretInput{SecretId: out.ARN})
				if err != nil {
					return code(err)
				}
				return strings.TrimPrefix(*found.Name, a.prefix)
			},
			want: "/secret",
		},
		{
			does: "a secret has one creator",
			try:  func(a account) string { return seen(a.create(), a.create()) },
			want: "ok, ResourceExistsException",
		},
		{
			does: "creating with the same token and value again is the same creation",
			try: func(a account) string {
				create := func(value string) string {
					_, err := a.secrets.CreateSecret(a.ctx, &secretsmanager.CreateSecretInput{
						Name: a.secret(), ClientRequestToken: aws.String(id("a")), SecretString: &value,
					})
					return code(err)
				}
				return seen(create("1"), create("1"), create("2"), a.get("AWSCURRENT"))
			},
			want:    "ok, ok, ResourceExistsException, a=1",
			page:    pageCreate,
			differs: map[string]string{ministack: "ok, ResourceExistsException, ResourceExistsException, ?=1"},
		},
		{
			does: "the same token with the same value is the same write",
			try: func(a account) string {
				a.create()
				return seen(a.put("a", "1"), a.put("b", "2"), a.put("a", "1"), a.labels())
			},
			want:    "ok, ok, ok, a:AWSPREVIOUS b:AWSCURRENT",
			page:    pagePut,
			differs: map[string]string{ministack: "ok, ok, ok, a:AWSCURRENT b:AWSPREVIOUS"},
		},
		{
			does: "the same token with another value is ResourceExistsException",
			try: func(a account) string {
				a.create()
				return seen(a.put("a", "1"), a.put("a", "2"), a.get("AWSCURRENT"))
			},
			want:    "ok, ResourceExistsException, a=1",
			page:    pagePut,
			differs: map[string]string{ministack: "ok, ok, a=2"},
		},
		{
			does: "a token has at least 32 characters",
			try: func(a account) string {
				a.create()
				_, err := a.secrets.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
					SecretId: a.secret(), ClientRequestToken: aws.String("short"), SecretString: aws.String("1"),
				})
				return code(err)
			},
			want:    "InvalidParameterException",
			page:    pagePut,
			differs: map[string]string{ministack: "ok"},
		},
		{
			does: "a write needs a value",
			try: func(a account) string {
				a.create()
				_, err := a.secrets.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{SecretId: a.secret()})
				return code(err)
			},
			want:    "InvalidRequestException",
			page:    pagePut,
			differs: map[string]string{ministack: "ok"},
		},
		{
			does: "an empty value is refused",
			try: func(a account) string {
				// The page gives the least length and not the error.
				return seen(a.create(), fmt.Sprint(a.put("a", "") != "ok"))
			},
			want:    "ok, true",
			page:    pagePut,
			differs: map[string]string{ministack: "ok, false"},
		},
		{
			does: "64 KiB are a value, one byte more is not",
			try: func(a account) string {
				a.create()
				return seen(a.put("a", strings.Repeat("x", 65536)), a.put("b", strings.Repeat("x", 65537)))
			},
			want:    "ok, ValidationException",
			page:    pageLimits,
			differs: map[string]string{ministack: "ok, ok", moto: "ok, ok"},
		},
		{
			does: "a binary value has no string",
			try: func(a account) string {
				a.create()
				_, err := a.secrets.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
					SecretId: a.secret(), ClientRequestToken: aws.String(id("a")), SecretBinary: []byte{0, 255},
				})
				if err != nil {
					return code(err)
				}
				out, err := a.secrets.GetSecretValue(a.ctx, &secretsmanager.GetSecretValueInput{SecretId: a.secret()})
				if err != nil {
					return code(err)
				}
				return fmt.Sprint(out.SecretString == nil, out.SecretBinary)
			},
			want: "true [0 255]",
		},
		{
			does: "a secret scheduled for deletion is InvalidRequestException",
			try: func(a account) string {
				a.create()
				a.put("a", "1")
				_, err := a.secrets.DeleteSecret(a.ctx, &secretsmanager.DeleteSecretInput{
					SecretId: a.secret(), RecoveryWindowInDays: aws.Int64(7),
				})
				return seen(code(err), a.get("AWSCURRENT"), a.put("b", "2"), a.move("AWSCURRENT", "a", "a"))
			},
			want:    "ok, InvalidRequestException, InvalidRequestException, InvalidRequestException",
			page:    pageDelete,
			differs: map[string]string{moto: "ok, InvalidRequestException, ok, InvalidParameterException"},
		},
		{
			does: "the name of a secret scheduled for deletion is taken",
			try: func(a account) string {
				a.create()
				_, err := a.secrets.DeleteSecret(a.ctx, &secretsmanager.DeleteSecretInput{SecretId: a.secret()})
				return seen(code(err), a.create())
			},
			want:    "ok, InvalidRequestException",
			page:    pageCreate,
			differs: map[string]string{ministack: "ok, ResourceExistsException", moto: "ok, ResourceExistsException"},
		},
		{
			does: "a secret deleted without recovery is gone",
			try: func(a account) string {
				a.create()
				_, err := a.secrets.DeleteSecret(a.ctx, &secretsmanager.DeleteSecretInput{
					SecretId: a.secret(), ForceDeleteWithoutRecovery: aws.Bool(true),
				})
				return seen(code(err), a.labels())
			},
			want: "ok, ResourceNotFoundException",
		},
		{
			does: "versions without a label are listed only when asked for",
			try: func(a account) string {
				a.create()
				a.put("a", "1")
				a.put("b", "2")
				a.put("c", "3")
				count := func(all bool) string {
					out, err := a.secrets.ListSecretVersionIds(a.ctx, &secretsmanager.ListSecretVersionIdsInput{
						SecretId: a.secret(), IncludeDeprecated: &all,
					})
					if err != nil {
						return code(err)
					}
					return fmt.Sprint(len(out.Versions))
				}
				return seen(count(false), count(true))
			},
			want: "2, 3",
			page: pageList,
			// MiniStack removes them at once, moto always lists them.
			differs: map[string]string{ministack: "2, 2", moto: "3, 3"},
		},
	}
}
