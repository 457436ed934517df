// Package faults_test injects every fault into every external call of a refresh,
// and checks the rotator's promises in each failure case.
//
// The failure cases are not written by hand. A situation (a token is due, a
// refresh token is pending, the refresh token has expired, …) is run once without a
// fault, which gives the list of the external calls that a refresh makes in it.
// Each of these calls then meets each row of faults (fault_test.go), for each
// kind of provider, with and without a password; and before each of them an
// operator writes new credentials. A method of an interface of rotator.Rotator
// that is in no such list fails the test: a new external call needs its cases.
//
// To add a fault, add a row. A case may have several injections, so that a second
// fault follows a first.
//
// All cases run in one process and in simulated time, over the real stores, the
// real token client and the fakes of AWS and Reltio. In killed_test.go, the real
// binary is killed.
package faults_test
