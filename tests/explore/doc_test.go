// Package explore_test searches for failures that no other test names. It draws
// schedules of heartbeats, of what operators and jobs do, and of faults of external
// calls; runs each in simulated time, over the real stores, the real token client
// and the fakes of AWS and Reltio; and checks the rotator's promises after every
// run against what the fakes know to be true.
//
// A schedule is drawn from a seed. It runs without a fault at first, and each fault
// is drawn from the external calls of the run before, so that it strikes a call
// that is made. Every one of these runs is checked. Each ordered pair of kinds of
// faults is about as likely as any other; -table prints how often each was hit.
//
// A failing schedule is shrunk: everything that is not necessary for the failure is
// removed. The result is printed as a test for one of the found files.
//
//	make explore SCHEDULES=10000 SEED=1
package explore_test
