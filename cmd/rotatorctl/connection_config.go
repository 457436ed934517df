package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// configField returns the field of a connection's config for a name, which is the
// field's own or that of the stack's parameter with the same meaning. It returns ""
// for other names.
func configField(name string) string {
	switch name {
	case "TokenUrl", "token_url":
		return "token_url"
	case "RefreshBeforeSeconds", "refresh_before_seconds":
		return "refresh_before_seconds"
	case "Scope", "scope":
		return "scope"
	case "Enabled", "enabled":
		return "enabled"
	case "RefreshEndsToken", "refresh_ends_token":
		return "refresh_ends_token"
	}
	return ""
}

// configValue is the value as JSON.
func configValue(field, text string) (any, error) {
	switch field {
	case "refresh_before_seconds":
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s must be a whole number", field)
		}
		return seconds, nil
	case "enabled", "refresh_ends_token":
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%s must be true or false", field)
		}
		return text == "true", nil
	}
	return text, nil
}

// newConfig returns the connection's config with the given settings, or "" if none
// was given. The function's own code checks it before anything is made.
func (o *operator) newConfig(ctx context.Context, main stack) (string, error) {
	if len(o.settings) == 0 {
		return "", nil
	}
	all, err := o.list(ctx, o.parameter(o.connection, ""))
	if err != nil {
		return "", said(err)
	}
	fields := map[string]any{}
	if current := all.value(o.connection, rotator.KindConfig); current != "" && current != switchedOff {
		decoder := json.NewDecoder(bytes.NewReader([]byte(current)))
		decoder.UseNumber() // numbers stay as they were written
		if err := decoder.Decode(&fields); err != nil || fields == nil {
			return "", fmt.Errorf("nothing was changed: the parameter %s is not a JSON object; correct it, then repeat this", o.parameter(o.connection, "config"))
		}
	}
	for field, value := range o.settings {
		fields[field] = value
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		return "", err
	}
	config := string(bytes.TrimSpace(text.Bytes()))
	judged := rotator.Connections([]rotator.Parameter{{Connection: o.connection, Kind: rotator.KindConfig, Value: secret.New(config)}}, stackSettings(main), o.now())
	if err := judged[0].ConfigError; err != nil {
		return "", fmt.Errorf("nothing was changed: %s", sentenceOf(err))
	}
	return config, nil
}

// stackSettings are the function's settings as the stack's parameters make them.
func stackSettings(main stack) rotator.Settings {
	seconds, err := strconv.Atoi(main.parameters["RefreshBeforeSeconds"])
	if err != nil {
		seconds = 600
	}
	return settingsOf(map[string]string{
		"TOKEN_URL": main.parameters["TokenUrl"], "TOKEN_HOSTS": main.parameters["TokenHosts"], "AWS_ENDPOINT_URL": main.parameters["AwsEndpointUrl"],
		"REFRESH_BEFORE": (time.Duration(seconds) * time.Second).String(), "HEARTBEAT": "1m",
	})
}

// writeConfig writes the connection's config. The template's value is always {},
// because otherwise CloudFormation would overwrite what an operator wrote.
func (o *operator) writeConfig(ctx context.Context, config string) error {
	if config == "" {
		return nil
	}
	name := o.parameter(o.connection, "config")
	_, err := o.aws.parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: &config, Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("the connection exists without its settings: %w\nTo write them, repeat this: %s", said(err), o.like("add-connection", "connection", o.connection))
	}
	return nil
}

// updated executes the update of a stack and makes sure that the connection's config
// stays. CloudFormation passes the stack's tags on to the parameter, and overwrites
// it with the template's {} when they change.
func (o *operator) updated(ctx context.Context, connection string, p proposal) error {
	if p.change.create {
		return o.execute(ctx, p)
	}
	config := func(ctx context.Context) (string, error) {
		all, err := o.list(ctx, o.parameter(connection, ""))
		return all.value(connection, rotator.KindConfig), said(err)
	}
	before, err := config(ctx)
	if err != nil {
		return err
	}
	failure := o.execute(ctx, p)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	after, err := config(ctx)
	if err == nil && after != before && after == "{}" {
		name := o.parameter(connection, "config")
		_, err = o.aws.parameters.PutParameter(ctx, &ssm.PutParameterInput{
			Name: &name, Value: &before, Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		})
		if err == nil {
			o.say("CloudFormation wrote {} over the config of %s, because tags changed; the config is restored.", connection)
		}
	}
	if err != nil {
		return errors.Join(failure, fmt.Errorf("the config of %s may have been reset to {}; it was: %s\n%w", connection, before, said(err)))
	}
	return failure
}
