package main

import (
	"fmt"
	"testing"
	"time"
)

func TestPairs(t *testing.T) {
	for argument, want := range map[string]string{
		"Scope=read write":                          "[{Scope read write}]",
		"Scope=read write RefreshBeforeSeconds=300": "[{Scope read write} {RefreshBeforeSeconds 300}]",
		"owner=Data Team  cost-centre=42 ":          "[{owner Data Team} {cost-centre 42}]",
		"AlarmEmail=o'brien@example.com":            "[{AlarmEmail o'brien@example.com}]",
		`owner="Data" Team`:                         `[{owner "Data" Team}]`,
		"a=1 a=2":                                   "[{a 2}]",
		"a=":                                        "[{a }]",
		"":                                          "[]",
	} {
		var p pairs
		if err := p.addAll(argument); err != nil {
			t.Errorf("%q: %v", argument, err)
		}
		if got := fmt.Sprint(p.list); got != want {
			t.Errorf("%q is read as %s, wanted %s", argument, got, want)
		}
	}
	var p pairs
	if p.addAll("no") == nil || p.add("=x") == nil {
		t.Error("an argument that is no pair is taken")
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "6h": 6 * time.Hour, "2d": 48 * time.Hour, "1.5d": 36 * time.Hour} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "-1h", "0d", "xd", "1w"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// If make started the program, messages name make targets.
func TestLike(t *testing.T) {
	o := &operator{options: options{stack: "tokens"}}
	made := &operator{options: options{stack: "tokens"}, inMake: true}
	for _, test := range []struct {
		arguments  []string
		flags, set string
	}{
		{nil, "rotatorctl seed -stack tokens", "make seed STACK=tokens"},
		{[]string{"connection", "emea"}, "rotatorctl seed -stack tokens -connection emea", "make seed STACK=tokens CONNECTION=emea"},
		{[]string{"parameter", "A=b"}, "rotatorctl seed -stack tokens -parameter A=b", `make seed STACK=tokens PARAMETERS="A=b"`},
		{[]string{"keep-secrets", ""}, "rotatorctl seed -stack tokens -keep-secrets", "make seed STACK=tokens KEEP_SECRETS=true"},
	} {
		if got := o.like("seed", test.arguments...); got != test.flags {
			t.Errorf("%v: %s", test.arguments, got)
		}
		if got := made.like("seed", test.arguments...); got != test.set {
			t.Errorf("%v: %s", test.arguments, got)
		}
	}
}

func TestTemplateParameters(t *testing.T) {
	for _, name := range []string{"template.yaml", "connection.yaml"} {
		o := &operator{options: options{source: "../.."}}
		tmpl, err := o.readTemplate(name)
		if err != nil {
			t.Fatal(err)
		}
		for parameter, p := range tmpl.parameters {
			if p.Default != nil && !p.allows(*p.Default) {
				t.Errorf("%s: %s does not allow its own default %q", name, parameter, *p.Default)
			}
		}
	}
	list := templateParameter{Type: "CommaDelimitedList", AllowedPattern: "^$|^sg-[0-9]+$"}
	number := templateParameter{Type: "Number", AllowedValues: []string{"1", "30"}}
	for _, test := range []struct {
		parameter templateParameter
		value     string
		want      bool
	}{
		{list, "", true},
		{list, "sg-1, sg-2", true},
		{list, "sg-1,x", false},
		{number, "30", true},
		{number, "31", false},
		{templateParameter{AllowedPattern: "a(?=b)"}, "x", true}, // left to CloudFormation
	} {
		if got := test.parameter.allows(test.value); got != test.want {
			t.Errorf("%+v allows %q: %t", test.parameter, test.value, got)
		}
	}
}
