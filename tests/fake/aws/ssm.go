package aws

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

type putParameterInput struct {
	Name      string
	Value     string
	Type      string
	Overwrite bool
	// These fields are accepted and ignored. A tier other than Standard is refused.
	Description string
	KeyId       string
	Tier        string
}

func (i putParameterInput) subject() string { return i.Name }

type putParameterOutput struct {
	Tier    string
	Version int64
}

func (s *Server) putParameter(in putParameterInput) (putParameterOutput, error) {
	if !s.writes.take() {
		// https://docs.aws.amazon.com/general/latest/gr/ssm.html gives 3 a second.
		return putParameterOutput{}, refuse("ThrottlingException", "Rate exceeded")
	}
	number, err := s.setParameter(in)
	return putParameterOutput{"Standard", number}, err
}

func (s *Server) setParameter(in putParameterInput) (int64, error) {
	if err := checkName(in.Name); err != nil {
		return 0, err
	}
	if err := checkValue(in.Value); err != nil {
		return 0, err
	}
	if in.Tier != "" && in.Tier != "Standard" {
		return 0, refuse("ValidationException", "The fake has the Standard tier only.")
	}
	p := s.parameters[in.Name]
	switch {
	case p != nil && !in.Overwrite:
		return 0, refuse("ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case p != nil && in.Type != "" && in.Type != p.kind:
		// "You can't change a parameter from a String type to a SecureString type."
		// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
		return 0, refuse("HierarchyTypeMismatchException",
			fmt.Sprintf("The parameter has the type %s, which can't be changed to %s.", p.kind, in.Type))
	case p == nil && time.Since(s.deleted[in.Name]) < s.options.RecreateAfter:
		// "After deleting a parameter, wait for at least 30 seconds to create a
		// parameter with the same name." The page does not say what happens to
		// those who do not; this is the error that asks to try again.
		// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
		return 0, refuse("TooManyUpdates", "The parameter was deleted a moment ago.")
	case p == nil && in.Type != typeString && in.Type != typeSecure:
		return 0, refuse("ValidationException", "A parameter type is required when you create a parameter: String or SecureString.")
	}
	if p == nil {
		p = &parameter{name: in.Name, kind: in.Type}
		s.parameters[in.Name] = p
	}
	if s.options.StaleReads {
		p.stale = 1
	}
	return p.write(in.Value), nil
}

type getParameterInput struct {
	Name           string
	WithDecryption bool
}

func (i getParameterInput) subject() string {
	name, _, _ := strings.Cut(i.Name, ":")
	return name
}

type getParameterOutput struct{ Parameter parameterOutput }

// getParameter reads one parameter, or with "name:version" one of its versions.
// Versions are never stale.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (s *Server) getParameter(in getParameterInput) (getParameterOutput, error) {
	name, selector, selects := strings.Cut(in.Name, ":")
	p := s.parameters[name]
	missing := refuse("ParameterNotFound", "Parameter "+name+" not found.")
	if p == nil {
		return getParameterOutput{}, missing
	}
	if !selects {
		r, seen := p.read()
		if !seen {
			return getParameterOutput{}, missing
		}
		return getParameterOutput{p.show(r, in.WithDecryption)}, nil
	}
	number, err := strconv.ParseInt(selector, 10, 64)
	r, exists := p.at(number)
	if err != nil || !exists { // labels, the other kind of selector, are never set here
		return getParameterOutput{}, refuse("ParameterVersionNotFound",
			"Systems Manager could not find version "+selector+" of "+name+".")
	}
	out := p.show(r, in.WithDecryption)
	out.Selector = ":" + selector
	return getParameterOutput{out}, nil
}

type deleteParameterInput struct{ Name string }

func (i deleteParameterInput) subject() string { return i.Name }

func (s *Server) deleteParameter(in deleteParameterInput) (struct{}, error) {
	if s.parameters[in.Name] == nil {
		return struct{}{}, refuse("ParameterNotFound", "Parameter "+in.Name+" not found.")
	}
	delete(s.parameters, in.Name)
	s.deleted[in.Name] = time.Now()
	return struct{}{}, nil
}

type getParametersByPathInput struct {
	Path           string
	Recursive      bool
	WithDecryption bool
	MaxResults     *int
	NextToken      string
}

func (i getParametersByPathInput) subject() string { return i.Path }

type getParametersByPathOutput struct {
	Parameters []parameterOutput
	NextToken  string `json:",omitempty"`
}

// pageToken is what a NextToken holds.
type pageToken struct {
	After string // the last name shown
	Full  bool   // the empty page before this one was shown
}

func (t pageToken) String() string {
	b, _ := json.Marshal(t) // a string and a bool always marshal
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseToken(text string) (pageToken, error) {
	var t pageToken
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return pageToken{}, refuse("InvalidNextToken", "The specified token isn't valid.")
	}
	return t, nil
}

// getParametersByPath lists what is below a path, at most 10 a page. "The
// number of items returned, however, can be between zero and the value of
// MaxResults", with a NextToken nevertheless.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
func (s *Server) getParametersByPath(in getParametersByPathInput) (getParametersByPathOutput, error) {
	size := 10
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 10 {
		return getParametersByPathOutput{}, refuse("ValidationException",
			"1 validation error detected: Value at 'maxResults' failed to satisfy constraint: must be from 1 to 10")
	}
	if !strings.HasPrefix(in.Path, "/") {
		return getParametersByPathOutput{}, refuse("ValidationException", "The parameter path must begin with a slash.")
	}
	var token pageToken
	if in.NextToken != "" {
		var err error
		if token, err = parseToken(in.NextToken); err != nil {
			return getParametersByPathOutput{}, err
		}
	}
	out := getParametersByPathOutput{Parameters: []parameterOutput{}}
	if s.options.EmptyPages && !token.Full {
		out.NextToken = pageToken{token.After, true}.String()
		return out, nil
	}

	names := slices.DeleteFunc(s.below(in.Path, in.Recursive), func(name string) bool { return name <= token.After })
	if len(names) > size {
		names = names[:size]
		out.NextToken = pageToken{After: names[size-1]}.String()
	}
	for _, name := range names {
		p := s.parameters[name]
		if r, seen := p.latestBy(time.Now().Add(-s.lag)); seen {
			out.Parameters = append(out.Parameters, p.show(r, in.WithDecryption))
		}
	}
	return out, nil
}

// below returns the sorted names below a path: all of them, or those on the next
// level.
func (s *Server) below(path string, recursive bool) []string {
	prefix := strings.TrimSuffix(path, "/") + "/"
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.parameters)), func(name string) bool {
		rest, inside := strings.CutPrefix(name, prefix)
		return !inside || !recursive && strings.Contains(rest, "/")
	})
}
