package doctor

import (
	"context"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// reachTimeout limits one try at a token host, as a token request is limited.
const reachTimeout = 20 * time.Second

// reachAll tries the token URL of every valid config. A valid config's host is
// within the token hosts.
func (d *Doctor) reachAll(ctx context.Context, all []rotator.Connection) map[string]Check {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	var (
		mu      sync.Mutex
		running sync.WaitGroup
		hosts   = map[string]Check{}
		started = map[string]bool{}
	)
	for _, c := range all {
		url := c.Config.TokenURL
		if c.ConfigError != nil || started[url] {
			continue
		}
		started[url] = true
		running.Go(func() {
			checks := safely(CheckTokenHost, func() []Check { return []Check{d.reach(ctx, url)} })
			mu.Lock()
			defer mu.Unlock()
			hosts[url] = checks[0]
		})
	}
	running.Wait()
	return hosts
}

func (d *Doctor) reach(ctx context.Context, url string) Check {
	found, err := d.Hosts.Reach(ctx, url)
	if err != nil {
		return failed(CheckTokenHost, "%s", messageOf(err))
	}
	return passed(CheckTokenHost, "%s", found)
}
