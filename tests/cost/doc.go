// Package cost calculates docs/cost.md: the cost of a month from the public prices
// and the calls, bytes and durations that the fakes count. Its test fails if the
// page differs. After a change
//
//	go test ./tests/cost -update
//
// writes the tables of the page.
package cost
