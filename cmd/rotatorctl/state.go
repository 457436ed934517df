package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// listing has the parameters of all connections, by connection and kind.
type listing map[string]map[rotator.Kind]rotator.Parameter

// list reads the parameters below a path. It does not decrypt them, so that no
// pending refresh token reaches the operator's machine.
func (o *operator) list(ctx context.Context, path string) (listing, error) {
	all := listing{}
	pages := ssm.NewGetParametersByPathPaginator(o.aws.parameters, &ssm.GetParametersByPathInput{
		Path: &path, Recursive: aws.Bool(true), WithDecryption: aws.Bool(false),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parameters {
			name, kind, ok := strings.Cut(strings.TrimPrefix(aws.ToString(p.Name), "/"+o.prefix()+"/"), "/")
			if !ok {
				continue
			}
			if all[name] == nil {
				all[name] = map[rotator.Kind]rotator.Parameter{}
			}
			all[name][rotator.Kind(kind)] = rotator.Parameter{
				Connection: name, Kind: rotator.Kind(kind), Value: secret.New(aws.ToString(p.Value)), Version: p.Version,
			}
		}
	}
	return all, nil
}

// value returns the value of a parameter, or "" if it does not exist.
func (l listing) value(connection string, kind rotator.Kind) string {
	return l[connection][kind].Value.Reveal()
}

// has reports whether a parameter exists.
func (l listing) has(connection string, kind rotator.Kind) bool {
	_, has := l[connection][kind]
	return has
}

// connections reads the parameters as the function does. It leaves out the pending
// parameter, which is encrypted here.
func (o *operator) connections(all listing, settings rotator.Settings) []rotator.Connection {
	var parameters []rotator.Parameter
	for _, kinds := range all {
		for kind, p := range kinds {
			if kind != rotator.KindPending {
				parameters = append(parameters, p)
			}
		}
	}
	return rotator.Connections(parameters, settings, o.now())
}

// remembered returns what the parameters say about one connection, whatever its
// config contains.
func (o *operator) remembered(all listing, connection string) rotator.Connection {
	for _, c := range o.connections(all, rotator.Settings{}) {
		if c.Name == connection {
			return c
		}
	}
	return rotator.Connection{Name: connection}
}

// isObject reports whether a state or config can be read at all.
func isObject(document string) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal([]byte(document), &fields) == nil && fields != nil
}
