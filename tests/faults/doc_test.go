// Package crash_test breaks every external call of a refresh in every way that
// can be thought of, and holds the rotator to its promises in each case.
//
// The cells are not written down by hand. A situation (a token is due, an
// pending refresh token waits, the refresh token is dead, …) is run once undisturbed, which
// gives the list of the external calls that a refresh makes in it. Each of
// these calls then gets each fault, for each kind of provider, with and without
// a password; and each of them a person who puts new credentials just before
// it. A method of an interface of rotator.Rotator that is in no such list fails
// the test: a new external call cannot come without its cells.
//
// In one process and in simulated time for all cells, over the real stores, the
// real token endpoint client and the fakes of AWS and Reltio. In
// killed_test.go, the real binary is killed for real.
package crash_test
