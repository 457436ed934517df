package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"go.yaml.in/yaml/v3"
)

// template is a CloudFormation template of this project.
type template struct {
	body       string
	parameters map[string]templateParameter
}

// templateParameter is what a template says about a value.
type templateParameter struct {
	Type                  string   `yaml:"Type"`
	Default               *string  `yaml:"Default"`
	AllowedPattern        string   `yaml:"AllowedPattern"`
	AllowedValues         []string `yaml:"AllowedValues"`
	MinValue              *float64 `yaml:"MinValue"`
	MaxValue              *float64 `yaml:"MaxValue"`
	MinLength             *int     `yaml:"MinLength"`
	MaxLength             *int     `yaml:"MaxLength"`
	ConstraintDescription string   `yaml:"ConstraintDescription"`
}

func (o *operator) readTemplate(name string) (template, error) {
	path := filepath.Join(o.source, name)
	body, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return template{}, fmt.Errorf("there is no %s: run this in the project's folder, or name it (-source)", path)
	}
	if err != nil {
		return template{}, err
	}
	return parseTemplate(string(body))
}

func parseTemplate(body string) (template, error) {
	var document struct {
		Parameters map[string]templateParameter `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal([]byte(body), &document); err != nil {
		return template{}, fmt.Errorf("the template cannot be read: %w", err)
	}
	return template{body: body, parameters: document.Parameters}, nil
}

// check returns all mistakes in the values, before anything is made.
func (t template) check(values pairs) error {
	var mistakes []error
	for _, v := range values.list {
		parameter, known := t.parameters[v.name]
		if !known {
			var names []string
			for name := range t.parameters {
				names = append(names, name)
			}
			slices.Sort(names)
			mistakes = append(mistakes, fmt.Errorf("there is no parameter %s; possible are %s", v.name, strings.Join(names, ", ")))
			continue
		}
		if !parameter.allows(v.value) {
			mistakes = append(mistakes, fmt.Errorf("%s %s", v.name, orText(parameter.ConstraintDescription, "has a value that the template does not allow")))
		}
	}
	return errors.Join(mistakes...)
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return strings.TrimSpace(text)
}

// allows reports whether CloudFormation accepts the value. If Go cannot read the
// pattern, CloudFormation checks it.
func (p templateParameter) allows(value string) bool {
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value) {
		return false
	}
	if p.Type == "Number" {
		number, err := strconv.ParseFloat(value, 64)
		if err != nil || p.MinValue != nil && number < *p.MinValue || p.MaxValue != nil && number > *p.MaxValue {
			return false
		}
	}
	if p.MinLength != nil && len(value) < *p.MinLength || p.MaxLength != nil && len(value) > *p.MaxLength {
		return false
	}
	if p.AllowedPattern == "" {
		return true
	}
	pattern, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`)
	if err != nil {
		return true
	}
	// The pattern of a list is for each of its values.
	if p.Type == "CommaDelimitedList" {
		return !slices.ContainsFunc(strings.Split(value, ","), func(v string) bool { return !pattern.MatchString(strings.TrimSpace(v)) })
	}
	return pattern.MatchString(value)
}

// values returns the parameters of a change: the named ones and, for an existing
// stack, the others unchanged.
func (t template) values(named pairs, existing map[string]string) []types.Parameter {
	var all []types.Parameter
	for _, v := range named.list {
		all = append(all, types.Parameter{ParameterKey: &v.name, ParameterValue: &v.value})
	}
	for name := range t.parameters {
		if _, isNamed := named.get(name); isNamed {
			continue
		}
		if _, exists := existing[name]; exists {
			previous := true
			all = append(all, types.Parameter{ParameterKey: &name, UsePreviousValue: &previous})
		}
	}
	slices.SortFunc(all, func(a, b types.Parameter) int { return strings.Compare(*a.ParameterKey, *b.ParameterKey) })
	return all
}

// tagsOf returns the tags of a change: the stack's own and the named ones.
func tagsOf(existing, named pairs) []types.Tag {
	all := pairs{list: slices.Clone(existing.list)}
	for _, tag := range named.list {
		_ = all.add(tag.name + "=" + tag.value) // it was checked when it was given
	}
	var tags []types.Tag
	for _, tag := range all.list {
		tags = append(tags, types.Tag{Key: &tag.name, Value: &tag.value})
	}
	return tags
}
