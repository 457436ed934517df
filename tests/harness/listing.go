package harness

import (
	"context"
	"strings"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
	fakeaws "reltio-token-rotator/tests/fake/aws"
)

// directLister lists without HTTP and the SDK if no fault changes the answer.
type directLister struct {
	server *fakeaws.Server
	store  rotator.Lister
}

func (l directLister) List(ctx context.Context) ([]rotator.Parameter, error) {
	listed, ok := l.server.List("/" + Prefix)
	if !ok {
		return l.store.List(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := make([]rotator.Parameter, 0, len(listed))
	for _, p := range listed {
		connection, kind, _ := strings.Cut(strings.TrimPrefix(p.Name, "/"+Prefix+"/"), "/")
		switch kind := rotator.Kind(kind); kind {
		case rotator.KindConfig, rotator.KindState, rotator.KindLease, rotator.KindPending:
			found = append(found, rotator.Parameter{
				Connection: connection, Kind: kind, Value: secret.New(p.Value), Version: p.Version,
			})
		}
	}
	return found, nil
}
