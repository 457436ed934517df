package contract_test

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

const (
	pagePutParameter  = "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"
	pageGetParameter  = "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html"
	pageGetByPath     = "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html"
	pageParameterSize = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
)

func parameterCases() []contractCase {
	return []contractCase{
		{
			does: "the version counts the writes, also of the same value",
			try: func(a account) string {
				return seen(a.write("p", "x"), a.write("p", "x"), a.write("p", "y"), a.read("p", false))
			},
			want: "1, 2, 3, 3=y",
		},
		{
			does: "without Overwrite one writer creates and the others learn it",
			try: func(a account) string {
				return seen(a.write("p", "x", noOverwrite), a.write("p", "y", noOverwrite), a.read("p", false))
			},
			want: "1, ParameterAlreadyExists, 1=x",
		},
		{
			does: "an overwrite may leave the type out, a creation may not",
			try: func(a account) string {
				return seen(a.write("p", "x", untyped), a.write("p", "x"), a.write("p", "y", untyped))
			},
			want:    "ValidationException, 1, 2",
			page:    pagePutParameter,
			differs: map[string]string{moto: "1, 2, 3"},
		},
		{
			does: "a type cannot be changed",
			try: func(a account) string {
				return seen(a.write("p", "x"), a.write("p", "y", secure), a.read("p", true))
			},
			want:    "1, HierarchyTypeMismatchException, 1=x",
			page:    pagePutParameter,
			differs: map[string]string{ministack: "1, 2, 2=y", moto: "1, 2, 2=y"},
		},
		{
			does: "every earlier version can be read",
			try: func(a account) string {
				a.write("p", "x")
				a.write("p", "y")
				return seen(a.read("p:1", false), a.read("p:2", false))
			},
			want: "1=x, 2=y",
		},
		{
			does: "a version that is not there differs from a parameter that is not there",
			try: func(a account) string {
				a.write("p", "x")
				return seen(a.read("p:2", false), a.read("q:1", false), a.read("q", false))
			},
			want: "ParameterVersionNotFound, ParameterNotFound, ParameterNotFound",
			page: pageGetParameter,
		},
		{
			does: "100 versions are kept",
			try: func(a account) string {
				for n := range 101 {
					a.write("p", fmt.Sprint(n+1))
				}
				return seen(a.read("p:1", false), a.read("p:2", false), a.read("p", false))
			},
			want:    "ParameterVersionNotFound, 2=2, 101=101",
			page:    pagePutParameter,
			differs: map[string]string{ministack: "1=1, 2=2, 101=101"},
		},
		{
			does: "a deleted parameter begins again at version 1",
			try: func(a account) string {
				a.write("p", "x")
				a.write("p", "y")
				return seen(a.drop("p"), a.read("p", false), a.drop("p"), a.write("p", "z"))
			},
			want: "ok, ParameterNotFound, ParameterNotFound, 1",
		},
		{
			does: "a SecureString is readable only when decrypted",
			try: func(a account) string {
				a.write("p", "hidden", secure)
				shown := a.read("p", false)
				return seen(a.read("p", true), fmt.Sprint(shown != "1=hidden"))
			},
			want: "1=hidden, true",
		},
		{
			does: "a listing decrypts when asked to",
			try: func(a account) string {
				a.write("p", "hidden", secure)
				first := func(decrypted bool) bool {
					out, err := a.ssm.GetParametersByPath(a.ctx, &ssm.GetParametersByPathInput{
						Path: aws.String("/" + a.prefix), WithDecryption: &decrypted,
					})
					return err == nil && len(out.Parameters) == 1 && *out.Parameters[0].Value == "hidden"
				}
				return fmt.Sprint(first(true), first(false))
			},
			want: "true false",
		},
		{
			does: "4096 bytes are a value, one more is not, and nothing is not",
			try: func(a account) string {
				return seen(a.write("p", strings.Repeat("x", 4096)), a.write("p", strings.Repeat("x", 4097)), a.write("p", ""))
			},
			want:    "1, ValidationException, ValidationException",
			page:    pageParameterSize,
			differs: map[string]string{ministack: "1, 2, 3", moto: "1, 2, ValidationException"},
		},
		{
			does: "a value cannot refer to another parameter",
			try: func(a account) string {
				return seen(a.write("p", "{}"), a.write("p", `{"a":{"b":{}}}`), a.write("p", "{{ssm:q}}"))
			},
			want:    "1, 2, ValidationException",
			page:    pagePutParameter,
			differs: map[string]string{ministack: "1, 2, 3", moto: "1, 2, 3"},
		},
		{
			does: "a listing is recursive when asked to",
			try: func(a account) string {
				a.write("a", "x")
				a.write("b/c", "x")
				a.write("b/d/e", "x")
				return seen(a.list(&ssm.GetParametersByPathInput{}),
					a.list(&ssm.GetParametersByPathInput{Recursive: aws.Bool(true)}))
			},
			want: "[a], [a b/c b/d/e]",
		},
		{
			does: "a listing does not show a sibling whose name begins alike",
			try: func(a account) string {
				a.write("a", "x")
				sibling := a
				sibling.prefix += "x"
				sibling.write("b", "x")
				return a.list(&ssm.GetParametersByPathInput{Recursive: aws.Bool(true)})
			},
			want: "[a]",
		},
		{
			does: "a listing of nothing is empty and no error",
			try:  func(a account) string { return a.list(&ssm.GetParametersByPathInput{}) },
			want: "[]",
		},
		{
			does: "a page has 10 parameters, and fewer when asked to",
			try: func(a account) string {
				for n := range 11 {
					a.write(string(rune('a'+n)), "x")
				}
				return seen(a.list(&ssm.GetParametersByPathInput{}),
					a.list(&ssm.GetParametersByPathInput{MaxResults: aws.Int32(6)}))
			},
			want: "[a b c d e f g h i j] [k], [a b c d e f] [g h i j k]",
		},
		{
			does: "a page that is just full need not promise another",
			try: func(a account) string {
				for n := range 10 {
					a.write(string(rune('a'+n)), "x")
				}
				return a.list(&ssm.GetParametersByPathInput{})
			},
			want:    "[a b c d e f g h i j]",
			differs: map[string]string{moto: "[a b c d e f g h i j] []"},
		},
		{
			does: "a page has at most 10",
			try: func(a account) string {
				return a.list(&ssm.GetParametersByPathInput{MaxResults: aws.Int32(11)})
			},
			want:    "ValidationException",
			page:    pageGetByPath,
			differs: map[string]string{ministack: "[]"},
		},
	}
}
