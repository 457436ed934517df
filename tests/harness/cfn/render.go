package cfn

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// removed is what AWS::NoValue becomes; rendering drops it.
type removed struct{}

// Placeholder matches ${NAME} in the text of Fn::Sub. Its first group is NAME.
var Placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

// Render evaluates the functions in value. The Ref of a resource becomes its
// logical id, and GetAtt becomes the id and the attribute.
func (s Stack) Render(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			if item = s.Render(item); item != (removed{}) {
				list = append(list, item)
			}
		}
		return list
	case Object:
		if len(value) == 1 {
			for name, argument := range value {
				if result, ok := s.function(name, argument); ok {
					return result
				}
			}
		}
		m := Object{}
		for key, item := range value {
			if item = s.Render(item); item != (removed{}) {
				m[key] = item
			}
		}
		return m
	}
	return value
}

func (s Stack) function(name string, argument any) (result any, ok bool) {
	arguments, _ := argument.([]any)
	switch name {
	case "Ref":
		return s.ref(argument.(string)), true
	case "Fn::GetAtt":
		return argument, true
	case "Fn::Sub":
		return s.sub(argument, arguments), true
	case "Fn::If":
		if s.Condition(arguments[0].(string)) {
			return s.Render(arguments[1]), true
		}
		return s.Render(arguments[2]), true
	case "Fn::Equals":
		return s.Render(arguments[0]) == s.Render(arguments[1]), true
	case "Fn::Not":
		return !s.Render(arguments[0]).(bool), true
	case "Fn::And":
		return !slices.Contains(s.Render(arguments).([]any), any(false)), true
	case "Fn::Or":
		return slices.Contains(s.Render(arguments).([]any), any(true)), true
	case "Fn::Split":
		list := []any{}
		for item := range strings.SplitSeq(s.Render(arguments[1]).(string), arguments[0].(string)) {
			list = append(list, item)
		}
		return list, true
	case "Fn::Join":
		var text []string
		for _, item := range s.Render(arguments[1]).([]any) {
			text = append(text, fmt.Sprint(item))
		}
		return strings.Join(text, arguments[0].(string)), true
	}
	return nil, false
}

// sub evaluates Fn::Sub, with or without a map of variables.
func (s Stack) sub(argument any, arguments []any) string {
	text, own := argument, Object{}
	if arguments != nil {
		text = arguments[0]
		maps.Copy(own, s.Render(arguments[1]).(Object))
	}
	return Placeholder.ReplaceAllStringFunc(text.(string), func(match string) string {
		name := match[2 : len(match)-1]
		if value, ok := own[name]; ok {
			return fmt.Sprint(value)
		}
		return fmt.Sprint(s.ref(name))
	})
}

func (s Stack) ref(name string) any {
	if name == "AWS::NoValue" {
		return removed{}
	}
	if value, ok := s.Pseudo[name]; ok {
		return value
	}
	if value, ok := s.Parameters[name]; ok {
		return value
	}
	return name
}
