// Package cost calculates docs/cost.md: what a month costs, from the calls,
// bytes and durations that the fakes count and the public prices. Its test
// holds the page to it; after a change
//
//	go test ./tests/cost -update
//
// writes the page's tables anew.
package cost
