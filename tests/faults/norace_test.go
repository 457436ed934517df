//go:build !race

package crash_test

// oneIn is how many faults there are for one that is played.
const oneIn = 1

// durations are how long a fault may last in the matrix.
var durations = []lasting{once, thisRun, fourMinutes}
