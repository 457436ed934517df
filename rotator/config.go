package rotator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config is a connection's effective configuration: the fields of its config
// parameter, and the function's settings for those that it leaves out.
type Config struct {
	TokenURL      string
	RefreshBefore time.Duration
	Scope         string
	Enabled       bool
	// RefreshEndsToken says that a refresh ends the published token, as with Reltio's
	// opaque tokens. It is false if that token lives on, as a JWT does.
	RefreshEndsToken bool
}

// parseConfig reads a config. It rejects an unknown field, because a misspelt
// setting would silently have no effect.
func parseConfig(document string, settings Settings) (Config, error) {
	config := Config{TokenURL: settings.TokenURL, RefreshBefore: settings.RefreshBefore, Enabled: true, RefreshEndsToken: true}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &fields); err != nil || fields == nil {
		return config, configError("the config parameter is not a JSON object; write {} for the stack's settings")
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if err := config.set(field, fields[field], settings); err != nil {
			return config, err
		}
	}
	return config, nil
}

func (c *Config) set(field string, value json.RawMessage, settings Settings) error {
	switch field {
	case "token_url":
		if !decode(value, &c.TokenURL) {
			return configError("config field token_url must be a string")
		}
		if err := settings.checkTokenURL(c.TokenURL); err != nil {
			return configError("config field token_url: " + err.Error())
		}
	case "refresh_before_seconds":
		var seconds int64
		if !decode(value, &seconds) {
			return configError("config field refresh_before_seconds must be a whole number")
		}
		seconds = min(max(seconds, -1), int64(2*maxLifetime/time.Second)) // out of range either way; keeps the product in range
		c.RefreshBefore = time.Duration(seconds) * time.Second
		if err := settings.checkRefreshBefore(c.RefreshBefore); err != nil {
			return configError("config field refresh_before_seconds: " + err.Error())
		}
	case "scope":
		if !decode(value, &c.Scope) {
			return configError("config field scope must be a string of scopes separated by spaces")
		}
	case "enabled":
		if !decode(value, &c.Enabled) {
			return configError("config field enabled must be true or false")
		}
	case "refresh_ends_token":
		if !decode(value, &c.RefreshEndsToken) {
			return configError("config field refresh_ends_token must be true or false")
		}
	default:
		return configError(fmt.Sprintf("config field %s is unknown; possible are token_url, refresh_before_seconds, scope, enabled, refresh_ends_token", quoted(field)))
	}
	return nil
}

// decode is json.Unmarshal, but it rejects null.
func decode(value json.RawMessage, into any) bool {
	return string(value) != "null" && json.Unmarshal(value, into) == nil
}

// quoted returns a field's name in quotes, unless it could be a value that was
// written in place of a name. A token has digits, and no field's name has any.
func quoted(field string) string {
	if madeOf(field, 40, lower+upper+"_-") {
		return `"` + field + `"`
	}
	return "(one whose name is not repeated here)"
}

func configError(message string) error { return &Error{Code: ConfigInvalid, Message: message} }
